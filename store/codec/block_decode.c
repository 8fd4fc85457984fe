/*
 * Decoding of one block. The stored bytes are hostile: their checksum proves only that they are
 * what was stored, and anybody can compute one.
 */
#include "store/base/error.h"
#include "store/codec/block.h"
#include "store/codec/codec_ctx.h"
#include "store/codec/part.h"

#include <errno.h>
#include <string.h>

bool block_sizes_are_possible(enum codec_method method, uint32_t stored_size, uint32_t raw_size)
{
    switch (method) {
    case CODEC_METHOD_RAW:
        return stored_size == raw_size;
    case CODEC_METHOD_CONSTANT:
        return stored_size <= raw_size &&
               (stored_size == 0 || (stored_size <= 8 && tfs_is_power_of_two(stored_size)));
    case CODEC_METHOD_DEFLATE:
    case CODEC_METHOD_ZSTD:
    case CODEC_METHOD_PLANES:
        return stored_size > 0 && stored_size < raw_size;
    default:
        return false;
    }
}

static void fill_constant(const uint8_t *word, uint32_t word_size, uint8_t *dst, uint32_t size)
{
    uint8_t pattern[8] = {0};

    if (word_size <= 1) {
        memset(dst, word_size == 0 ? 0 : word[0], size);
        return;
    }
    for (uint32_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = word[i % word_size];
    for (; size >= sizeof(pattern); dst += sizeof(pattern), size -= sizeof(pattern))
        memcpy(dst, pattern, sizeof(pattern));
    memcpy(dst, pattern, size);
}

int block_decode(struct codec_ctx *ctx, const struct frame_block *block, const uint8_t *stored,
                 uint8_t *dst)
{
    if (!block_sizes_are_possible(block->method, block->stored_size, block->raw_size))
        return tfs_fail(-EUCLEAN, "block %u: %s of %u bytes in %u", block->index,
                        codec_method_name(block->method), block->raw_size, block->stored_size);

    switch (block->method) {
    case CODEC_METHOD_RAW:
        memcpy(dst, stored, block->raw_size);
        return 0;
    case CODEC_METHOD_CONSTANT:
        fill_constant(stored, block->stored_size, dst, block->raw_size);
        return 0;
    case CODEC_METHOD_DEFLATE:
        return codec_inflate(ctx, stored, block->stored_size, dst, block->raw_size);
    case CODEC_METHOD_ZSTD:
        return codec_zstd_decompress(ctx, stored, block->stored_size, dst, block->raw_size);
    case CODEC_METHOD_PLANES:
        return part_decode_all(ctx, stored, block->stored_size, dst, block->raw_size);
    default:
        return tfs_fail(-EUCLEAN, "block %u: method %d", block->index, (int)block->method);
    }
}
