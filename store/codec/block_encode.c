/*
 * Encoding of one block by codecs that do not look at what the data is: none, gzip, zstd. A block
 * that does not get smaller is stored as it is.
 */
#include "store/codec/block.h"
#include "store/codec/codec_ctx.h"

#include <assert.h>
#include <string.h>

bool block_store_constant(const struct block_raw *raw, uint8_t *dst, struct block_result *ret)
{
    static const uint8_t zeros[8];
    uint32_t width = 8;

    if (raw->size < width || memcmp(raw->data, raw->data + width, raw->size - width) != 0)
        return false;

    /* It repeats every 8 bytes: perhaps more often. */
    while (width > 1 && memcmp(raw->data, raw->data + width / 2, width / 2) == 0)
        width /= 2;
    ret->method = CODEC_METHOD_CONSTANT;
    ret->kind = CODEC_KIND_CONSTANT;
    ret->stored_size = width;
    if (memcmp(raw->data, zeros, width) == 0) {
        ret->kind = CODEC_KIND_ZERO;
        ret->stored_size = 0;
    }
    memcpy(dst, raw->data, ret->stored_size);
    return true;
}

/* Returns: the stored size, 0 when the block does not get smaller, or a negative errno. */
static int64_t compress_block(struct codec_ctx *ctx, const struct codec_spec *spec,
                              const struct block_raw *raw, uint8_t *dst)
{
    uint32_t capacity = raw->size - 1;

    switch (spec->codec) {
    case CODEC_GZIP:
        return codec_deflate(ctx, spec->level, raw->data, raw->size, dst, capacity);
    case CODEC_ZSTD:
        return codec_zstd_compress(ctx, spec->level, raw->data, raw->size, dst, capacity);
    default:
        return 0;
    }
}

int block_encode(struct codec_ctx *ctx, const struct codec_spec *spec, const struct block_raw *raw,
                 uint8_t *dst, struct block_result *ret)
{
    struct block_result result = {raw->size, CODEC_METHOD_RAW, CODEC_KIND_UNKNOWN};
    int64_t stored_size;

    stored_size = compress_block(ctx, spec, raw, dst);
    if (stored_size < 0)
        return (int)stored_size;

    if (stored_size > 0) {
        assert(stored_size < raw->size);
        result.stored_size = (uint32_t)stored_size;
        result.method = spec->codec == CODEC_GZIP ? CODEC_METHOD_DEFLATE : CODEC_METHOD_ZSTD;
    }
    *ret = result;
    return 0;
}
