/*
 * Giving up what is stuck. Invariants:
 *
 * 1. Only what the newest flush found stuck is given up: a write to the slot and a new row end it
 * (chunk.c).
 * 2. What is given up never reads as zeros that nobody saw: it was written behind a commit or a
 * promise that covers the place, and what stood there then shows again; or the file ends before it.
 */
#include "store/writeback/stuck.h"

#include "store/base/log.h"
#include "store/inode/data.h"
#include "store/inode/path.h"
#include "store/inode/stuck_mark.h"
#include "store/inode/upcall.h"
#include "store/volume.h"
#include "store/writeback/flush.h"

/* Up to where in the file committed bytes, or written ones, show when the chunk's dirty ones go. */
static uint64_t shown_end_locked(const struct tfs_chunk *chunk)
{
    const struct tfs_data *data = chunk->inode->data;
    uint64_t base = chunk->index * data->geometry.chunk_size;

    return tfs_max_u64(data->base_size, base + row_end(chunk->row));
}

static void add_range(struct stuck_bytes *lost, uint64_t from, uint64_t to, uint64_t shown_end)
{
    if (from >= to)
        return;
    lost->from = tfs_min_u64(lost->from, from);
    lost->to = tfs_max_u64(lost->to, to);
    lost->byte_count += to - from;
    if (to > shown_end)
        lost->cut = tfs_min_u64(lost->cut, tfs_max_u64(from, shown_end));
}

static void add_slot_locked(struct stuck_bytes *lost, const struct tfs_chunk *chunk, uint32_t index)
{
    const struct chunk_slot *slot = &chunk->slots[index];
    uint64_t base = chunk->index * chunk->inode->data->geometry.chunk_size +
                    (uint64_t)index * FRAME_BUFFER_SIZE;
    uint64_t shown_end = shown_end_locked(chunk);

    add_range(lost, base + slot->from, base + slot->keep_from, shown_end);
    add_range(lost, base + slot->keep_to, base + slot->to, shown_end);
}

/* Visits every slot that is stuck. Called with the inode's lock. */
static struct stuck_bytes measure_locked(struct tfs_inode *inode)
{
    struct stuck_bytes lost = {.from = UINT64_MAX, .cut = UINT64_MAX};
    struct list *node;

    list_for_each (node, &inode->data->unflushed) {
        const struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
            if (chunk->slots[i].stuck)
                add_slot_locked(&lost, chunk, i);
        }
    }
    return lost;
}

/* What is left of the chunk can be written: it is sent off. */
static void trim_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        struct chunk_slot *slot = &chunk->slots[i];

        if (slot->stuck)
            chunk_trim_slot_locked(volume, chunk, i, slot->keep_from, slot->keep_to);
    }
    flush_submit_locked(volume->flush, chunk);
}

static void trim_all(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct list *unflushed = &inode->data->unflushed;
    struct list *next;

    tfs_mutex_lock(&inode->lock);
    for (struct list *node = unflushed->next; node != unflushed; node = next) {
        struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        next = node->next; /* the node may leave the list */
        if (!stuck_is_chunk_locked(chunk))
            continue;
        chunk->users++;
        trim_locked(volume, chunk);
        chunk_put_locked(chunk);
    }
    tfs_mutex_unlock(&inode->lock);
}

static void say(struct tfs_volume *volume, struct tfs_inode *inode, const struct stuck_bytes *lost)
{
    char path[PATH_TEXT_SIZE];

    path_for_message(volume, inode->number, path);
    tfs_error("file %s (inode %llu): %llu bytes from offset %llu to %llu are lost: what they share "
              "a block with cannot be read",
              path, (unsigned long long)inode->number, (unsigned long long)lost->byte_count,
              (unsigned long long)lost->from, (unsigned long long)lost->to);
}

static void tell(struct tfs_volume *volume, const struct tfs_inode *inode,
                 const struct stuck_bytes *lost)
{
    bool cut = lost->cut < UINT64_MAX;
    const struct tfs_inode_change change = {
        .inode = inode->number,
        .from = cut ? tfs_min_u64(lost->from, lost->cut) : lost->from,
        .to = cut ? UINT64_MAX : lost->to,
        .is_cut = cut,
    };

    upcall_inode_changed(volume, &change);
}

struct stuck_bytes stuck_measure(struct tfs_inode *inode)
{
    struct stuck_bytes lost;

    tfs_mutex_lock(&inode->lock);
    lost = measure_locked(inode);
    if (lost.cut >= inode->data->size)
        lost.cut = UINT64_MAX;
    tfs_mutex_unlock(&inode->lock);
    return lost;
}

void stuck_give_up(struct tfs_volume *volume, struct tfs_inode *inode,
                   const struct stuck_bytes *stuck)
{
    trim_all(volume, inode);
    say(volume, inode, stuck);
    tell(volume, inode, stuck);
}

void stuck_relieve(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    struct tfs_inode *inode = chunk->inode;
    struct stuck_bytes lost = {.from = UINT64_MAX, .cut = UINT64_MAX};

    tfs_mutex_lock(&inode->lock);
    chunk_hold_exclusive_locked(chunk);
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (chunk->slots[i].stuck)
            add_slot_locked(&lost, chunk, i);
    }
    if (lost.cut == UINT64_MAX)
        trim_locked(volume, chunk);
    else
        lost.byte_count = 0; /* the file would have to be cut, under those who use it */
    chunk_release_exclusive_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    if (lost.byte_count > 0) {
        say(volume, inode, &lost);
        tell(volume, inode, &lost);
    }
}
