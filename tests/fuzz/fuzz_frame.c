/*
 * Frames of any bytes: opening and decoding must end with bytes or an error, inside of the memory
 * given.
 *
 * Each input is tried as it is, and again with the checksums of header and blocks made right,
 * because a search would hardly get past them. The memory for a block is exactly as large as
 * promised.
 */
#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/codec/frame.h"
#include "store/codec/frame_format.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct codec_ctx *ctx;

static void decode_block(const uint8_t *frame, size_t size, const struct frame_block *block)
{
    uint8_t *stored, *raw;

    if (block->offset > size || size - block->offset < block->stored_size)
        return;
    stored = malloc(block->stored_size ? block->stored_size : 1);
    raw = malloc(block->raw_size);
    assert(stored && raw);
    memcpy(stored, frame + block->offset, block->stored_size);
    if (frame_block_decode(ctx, block, stored, raw) == 0)
        assert(tfs_crc32c(0, raw, block->raw_size) == block->raw_crc);
    if (block->method == CODEC_METHOD_RAW) {
        int err = frame_block_decode(ctx, block, stored, raw);

        assert(frame_block_verify_raw(block, stored) == err);
    }
    free(stored);
    free(raw);
}

static void try_frame(const uint8_t *frame, size_t size)
{
    struct frame_stats stats = {.frame_count = 0};
    struct frame_view view;
    struct frame_block block;

    if (frame_open(frame, size, &view) < 0)
        return;
    frame_stats_add(&view, &stats);
    assert(stats.block_count == view.block_count);
    assert(frame_stored_size_is_possible(view.raw_size, view.block_size, view.stored_size));
    if (frame_block_locate(&view, 0, &block) < 0)
        abort();
    do {
        decode_block(frame, size, &block);
    } while (frame_block_next(&view, &block));
}

/* Make the checksums of blocks, then of the header, those of the bytes that are there. */
static void sign(uint8_t *frame, size_t size)
{
    struct frame_view view;
    size_t offset;
    uint32_t crc;

    if (frame_peek(frame, size, &view) < 0 || size < frame_header_size(view.block_count))
        return;
    offset = view.payload_offset;
    for (uint32_t i = 0; i < view.block_count; i++) {
        uint8_t *entry = frame + frame_header_size(i);
        uint32_t stored = tfs_get_le32(entry) & ((1u << FRAME_WORD_SIZE_BITS) - 1);

        if (offset > size || stored > size - offset)
            break;
        tfs_put_le32(entry + FRAME_ENTRY_AT_STORED_CRC, tfs_crc32c(0, frame + offset, stored));
        offset += stored;
    }
    crc = tfs_crc32c(0, frame, FRAME_AT_CRC);
    crc = tfs_crc32c(crc, frame + FRAME_FIXED_HEADER_SIZE,
                     (size_t)view.block_count * FRAME_TABLE_ENTRY_SIZE);
    tfs_put_le32(frame + FRAME_AT_CRC, crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (!ctx && codec_ctx_new(&ctx) < 0)
        abort();
    try_frame(data, size);
    copy = malloc(size ? size : 1);
    assert(copy);
    memcpy(copy, data, size);
    sign(copy, size);
    try_frame(copy, size);
    free(copy);
    return 0;
}
