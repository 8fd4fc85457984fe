/*
 * Frame headers in a direct-mapped table: a header that falls on another's slot takes its place.
 * When all together grow over their limit, a hand goes round and empties slots.
 */
#include "store/read/headers.h"

#include "store/base/lock.h"
#include "store/codec/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SLOTS = 8192 };

struct tfs_headers {
    struct tfs_mutex lock;                    /* rank TFS_RANK_LEAF */
    struct frame_header *slots[HEADER_SLOTS]; /* guarded by lock */
    uint64_t bytes;                           /* guarded by lock */
    uint64_t bytes_max;                       /* immutable */
    size_t hand;                              /* guarded by lock */
};

static size_t slot_of(const struct frame_ref *frame)
{
    uint64_t mixed = (frame->segment * 31 + (frame->offset >> 12)) * 0x9E3779B97F4A7C15ull;

    return (size_t)(mixed >> 40) % HEADER_SLOTS;
}

static bool is_of(const struct frame_header *header, const struct frame_ref *frame)
{
    return header->segment == frame->segment && header->offset == frame->offset;
}

int headers_new(uint64_t bytes_max, struct tfs_headers **ret)
{
    struct tfs_headers *headers = calloc(1, sizeof(*headers));

    if (!headers)
        return -ENOMEM;
    headers->bytes_max = bytes_max;
    tfs_mutex_init(&headers->lock, TFS_RANK_LEAF);
    *ret = headers;
    return 0;
}

void frame_header_unref(struct frame_header *header)
{
    /* acq_rel: the last holder frees what the others have read. */
    if (header && atomic_fetch_sub_explicit(&header->references, 1, memory_order_acq_rel) == 1)
        free(header);
}

void frame_header_unref_p(struct frame_header **header)
{
    frame_header_unref(*header);
}

static void empty_slot_locked(struct tfs_headers *headers, size_t slot)
{
    struct frame_header *header = headers->slots[slot];

    if (!header)
        return;
    headers->slots[slot] = NULL;
    headers->bytes -= header->size;
    frame_header_unref(header);
}

void headers_free(struct tfs_headers *headers)
{
    if (!headers)
        return;
    for (size_t slot = 0; slot < HEADER_SLOTS; slot++)
        empty_slot_locked(headers, slot);
    tfs_mutex_release(&headers->lock);
    free(headers);
}

struct frame_header *headers_find(struct tfs_headers *headers, const struct frame_ref *frame)
{
    struct frame_header *header;

    tfs_mutex_lock(&headers->lock);
    header = headers->slots[slot_of(frame)];
    if (header && is_of(header, frame))
        atomic_fetch_add_explicit(&header->references, 1, memory_order_relaxed);
    else
        header = NULL;
    tfs_mutex_unlock(&headers->lock);
    return header;
}

int headers_add(struct tfs_headers *headers, const struct frame_ref *frame, const uint8_t *bytes,
                struct frame_header **ret)
{
    size_t size = frame_header_size(frame->block_count);
    struct frame_header *header = malloc(sizeof(*header) + size);

    if (!header)
        return -ENOMEM;
    atomic_init(&header->references, 2); /* the table's and the caller's */
    header->segment = frame->segment;
    header->offset = frame->offset;
    header->size = size;
    memcpy(header->bytes, bytes, size);

    tfs_mutex_lock(&headers->lock);
    empty_slot_locked(headers, slot_of(frame));
    for (size_t i = 0; i < HEADER_SLOTS && headers->bytes + size > headers->bytes_max; i++)
        empty_slot_locked(headers, headers->hand++ % HEADER_SLOTS);
    headers->slots[slot_of(frame)] = header;
    headers->bytes += size;
    tfs_mutex_unlock(&headers->lock);
    *ret = header;
    return 0;
}
