/* Bytes of frames, copied: from the cache, unit by unit, or decoded from a row. */
#include "store/read/frames_internal.h"

#include "store/base/error.h"
#include "store/read/scratch.h"

#include <errno.h>
#include <string.h>

/* Decodes the wanted bytes of a frame that lies in its row, one block at a time. */
static int decode_inline(const struct frames_source *source, uint32_t offset, uint32_t size,
                         struct tfs_scratch *scratch, uint8_t *dst)
{
    uint32_t end = offset + size;
    struct frame_block block;
    struct frame_view view;
    int err = frames_open_header(source, source->inline_bytes, source->frame.stored_size, &view);

    if (!err)
        err = frame_block_locate(&view, offset / source->block_size, &block);
    while (!err && offset < end) {
        uint32_t skip = offset % source->block_size;
        uint32_t part = (uint32_t)tfs_min_u64(end - offset, block.raw_size - skip);

        err = frame_block_decode(scratch->codec, &block, source->inline_bytes + block.offset,
                                 scratch->bytes);
        if (err)
            break;
        memcpy(dst, scratch->bytes + skip, part);
        dst += part;
        offset += part;
        if (offset < end && !frame_block_next(&view, &block))
            err = tfs_fail(-EUCLEAN, "frame in a row ends before byte %u", end);
    }
    return err;
}

static int copy_inline(struct tfs_frames *frames, const struct frames_source *source,
                       uint32_t offset, uint32_t size, bool tries, uint8_t *dst)
{
    struct tfs_scratch_pool *pool = frames->request_scratches;
    struct tfs_scratch *scratch = tries ? scratch_pool_try_take(pool) : scratch_pool_take(pool);
    int err;

    if (!scratch)
        return -EAGAIN;
    err = decode_inline(source, offset, size, scratch, dst);
    scratch_pool_give(pool, scratch);
    return err;
}

static int copy(struct tfs_frames *frames, const struct frames_source *source, uint32_t offset,
                uint32_t size, struct tfs_scratch *scratch, bool tries, uint8_t *dst)
{
    if (source->frame.segment == 0)
        return copy_inline(frames, source, offset, size, tries, dst);
    while (size > 0) {
        struct frames_range range = {.first_unit = offset / FRAME_BUFFER_SIZE, .unit_count = 1};
        uint32_t skip = offset % FRAME_BUFFER_SIZE;
        uint32_t part = (uint32_t)tfs_min_u64(size, FRAME_BUFFER_SIZE - skip);
        struct cache_unit *unit;
        int err = tries ? frames_try_pin(frames, source, &range, &unit)
                        : frames_pin(frames, source, &range, true, scratch, &unit);

        if (err)
            return err;
        memcpy(dst, cache_unit_data(unit) + skip, part);
        cache_unpin(frames->cache, unit);
        dst += part;
        offset += part;
        size -= part;
    }
    return 0;
}

int frames_copy(struct tfs_frames *frames, const struct frames_source *source, uint32_t offset,
                uint32_t size, struct tfs_scratch *scratch, void *dst)
{
    return copy(frames, source, offset, size, scratch, false, dst);
}

int frames_try_copy(struct tfs_frames *frames, const struct frames_source *source, uint32_t offset,
                    uint32_t size, void *dst)
{
    return copy(frames, source, offset, size, NULL, true, dst);
}
