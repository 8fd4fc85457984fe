/*
 * What damage is, and looking for it block by block. A block's stored bytes against the checksum
 * that its frame's table has of them: what a scrub does, for a few blocks.
 */
#include "store/inode/damage.h"

#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/codec/frame.h"
#include "store/segment/segment.h"

#include <errno.h>
#include <stdlib.h>

enum { HEADER_CAPACITY = 32 * 1024, BLOCK_CAPACITY = FRAME_BLOCK_SIZE_MAX + 2 * SEGMENT_ALIGNMENT };

bool damage_is_reason(int error)
{
    return error == -EBADMSG || error == -EUCLEAN || error == -ENOENT || error == -EIO;
}

const char *damage_text(int error)
{
    switch (error) {
    case -EBADMSG:
        return "checksum does not match";
    case -EUCLEAN:
        return "what is stored is not a frame";
    case -ENOENT:
        return "its segment is missing";
    default:
        return tfs_error_text(error);
    }
}

struct search {
    struct tfs_segments *segments;
    const struct extent *extent;
    uint32_t block_size;
    uint8_t *buffer; /* a header, and behind it a block */
};

/* Bytes of the extent's frame; NULL when they cannot be read. */
static const uint8_t *frame_bytes(const struct search *search, uint32_t offset, uint32_t size,
                                  bool header)
{
    const struct frame_ref *frame = &search->extent->frame;
    uint8_t *buffer = header ? search->buffer : search->buffer + HEADER_CAPACITY;
    const uint8_t *bytes;

    if (!frame->segment)
        return search->extent->inline_bytes + offset;
    if (segments_read(search->segments,
                      (struct segment_position){frame->segment, frame->offset + offset}, size,
                      buffer, header ? HEADER_CAPACITY : BLOCK_CAPACITY, &bytes) < 0)
        return NULL;
    return bytes;
}

static bool header_is_good(const struct search *search, struct frame_view *ret)
{
    const struct frame_ref *frame = &search->extent->frame;
    uint32_t size = (uint32_t)frame_header_size(frame->block_count);
    const uint8_t *bytes = frame_bytes(search, 0, size, true);

    return bytes && frame_open(bytes, frame->segment ? size : frame->stored_size, ret) == 0 &&
           ret->header_crc == frame->header_crc && ret->block_size == search->block_size &&
           ret->raw_size == frame->raw_size && ret->stored_size == frame->stored_size;
}

static bool block_is_good(const struct search *search, const struct frame_block *block)
{
    const uint8_t *bytes = NULL;

    if (block->stored_size == 0)
        return true; /* all of it is in the table */
    bytes = frame_bytes(search, block->offset, block->stored_size, false);
    return bytes && tfs_crc32c(0, bytes, block->stored_size) == block->stored_crc;
}

/* The first bad block of the frame in [first, end); `end` when there is none. */
static uint32_t find_bad_block(const struct search *search, uint32_t first, uint32_t end)
{
    struct frame_block block;
    struct frame_view view;

    if (!header_is_good(search, &view) || frame_block_locate(&view, first, &block) < 0)
        return first;
    while (block_is_good(search, &block)) {
        if (block.index + 1 >= end)
            return end;
        if (!frame_block_next(&view, &block))
            return block.index + 1;
    }
    return block.index;
}

/* Looks at the blocks that the extent shows of the range. */
static bool find_in_extent(const struct search *search, const struct damage_range *range,
                           struct damage_place *ret)
{
    const struct extent *extent = search->extent;
    uint32_t block_size = search->block_size;
    uint64_t from = tfs_max_u64(range->offset, extent->start);
    uint64_t to = tfs_min_u64((uint64_t)range->offset + range->size, extent_end(extent));
    uint32_t first;
    uint32_t end;
    uint32_t bad;

    if (from >= to)
        return false;
    first = extent_in_frame(extent, (uint32_t)from) / block_size;
    end = extent_in_frame(extent, (uint32_t)to - 1) / block_size + 1;
    bad = find_bad_block(search, first, end);
    if (bad == end)
        return false;
    *ret = (struct damage_place){.extent = extent,
                                 .offset = extent_shows_from(extent, bad * block_size)};
    ret->offset = (uint32_t)tfs_max_u64(from, ret->offset);
    return true;
}

bool damage_find(struct tfs_segments *segments, const struct tfs_row *row, uint32_t block_size,
                 const struct damage_range *range, struct damage_place *ret)
{
    struct search search = {.segments = segments, .block_size = block_size};
    bool found = false;

    if (!row)
        return false;
    search.buffer = aligned_alloc(SEGMENT_ALIGNMENT, HEADER_CAPACITY + BLOCK_CAPACITY);
    if (!search.buffer)
        return false;
    for (uint32_t i = 0; i < row->extent_count && !found; i++) {
        search.extent = &row->extents[i];
        found = find_in_extent(&search, range, ret);
    }
    free(search.buffer);
    return found;
}
