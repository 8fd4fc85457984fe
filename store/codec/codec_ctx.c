/*
 * Contexts: the adapters to zstd and zlib, where their errors become ours, once. What is deflated,
 * deflate.c decides.
 *
 * Compressors are created when first used, because most mounts use one codec; decompressors are
 * small. All calls are single-shot from memory to memory, so no library allocates a window that a
 * hostile header asks for.
 */
#include "store/codec/codec_ctx.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd_errors.h>

enum {
    DEFLATE_WINDOW_BITS = -15, /* negative: raw, no zlib header and no Adler-32 */
};

#define ZSTD_MAGIC      0xFD2FB528u
#define ZSTD_MAGIC_SIZE 4u

int codec_ctx_new(struct codec_ctx **ret)
{
    struct codec_ctx *ctx = calloc(1, sizeof(*ctx));

    if (!ctx)
        return -ENOMEM;
    ctx->dctx = ZSTD_createDCtx();
    ctx->planes = aligned_alloc(64, tfs_align_up(CODEC_PLANES_SIZE, 64));
    ctx->compressed = aligned_alloc(64, tfs_align_up(CODEC_COMPRESSED_SIZE, 64));
    if (!ctx->dctx || !ctx->planes || !ctx->compressed) {
        codec_ctx_free(ctx);
        return -ENOMEM;
    }
    /* Vectors at a plane's end read bytes that nobody wrote; their value never matters. */
    memset(ctx->planes, 0, CODEC_PLANES_SIZE);
    memset(ctx->compressed, 0, CODEC_COMPRESSED_SIZE);
    entropy_table_init(&ctx->entropy);
    *ret = ctx;
    return 0;
}

void codec_ctx_free(struct codec_ctx *ctx)
{
    if (!ctx)
        return;
    ZSTD_freeCCtx(ctx->zstd);
    ZSTD_freeDCtx(ctx->dctx);
    deflate_release(&ctx->deflate);
    if (ctx->inflate_ready)
        (void)inflateEnd(&ctx->inflate); /* cannot fail on an initialised stream */
    free(ctx->planes);
    free(ctx->compressed);
    free(ctx);
}

static void zstd_set(ZSTD_CCtx *cctx, ZSTD_cParameter parameter, int value)
{
    size_t result = ZSTD_CCtx_setParameter(cctx, parameter, value);

    assert(!ZSTD_isError(result)); /* the values are ours */
    (void)result;
}

int64_t codec_zstd_compress(struct codec_ctx *ctx, int level, const void *src, size_t size,
                            void *dst, size_t capacity)
{
    size_t result;

    if (!ctx->zstd) {
        ctx->zstd = ZSTD_createCCtx();
        if (!ctx->zstd)
            return -ENOMEM;
        /* The frame has the size and a better checksum. */
        zstd_set(ctx->zstd, ZSTD_c_checksumFlag, 0);
    }
    if (ctx->zstd_level != level) {
        zstd_set(ctx->zstd, ZSTD_c_compressionLevel, level);
        ctx->zstd_level = level;
    }
    result = ZSTD_compress2(ctx->zstd, dst, capacity, src, size);
    if (!ZSTD_isError(result))
        return (int64_t)result;
    if (ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall)
        return 0;
    return tfs_fail(-ENOMEM, "zstd: %s", ZSTD_getErrorName(result));
}

int codec_zstd_decompress(struct codec_ctx *ctx, const void *src, size_t src_size, void *dst,
                          size_t dst_size)
{
    size_t result;

    /* Distributions compile in decoders of zstd's early formats; nothing of ours is written in
     * those. */
    if (src_size < ZSTD_MAGIC_SIZE || tfs_get_le32(src) != ZSTD_MAGIC)
        return tfs_fail(-EUCLEAN, "not a zstd frame");
    result = ZSTD_decompressDCtx(ctx->dctx, dst, dst_size, src, src_size);
    if (ZSTD_isError(result))
        return tfs_fail(-EUCLEAN, "zstd: %s", ZSTD_getErrorName(result));
    if (result != dst_size)
        return tfs_fail(-EUCLEAN, "zstd: %zu bytes, expected %zu", result, dst_size);
    return 0;
}

int64_t codec_deflate(struct codec_ctx *ctx, int level, const void *src, size_t size, void *dst,
                      size_t capacity)
{
    return deflate_compress(&ctx->deflate, &ctx->entropy, level, src, size, dst, capacity);
}

static int inflate_prepare(struct codec_ctx *ctx)
{
    int status;

    if (ctx->inflate_ready) {
        status = inflateReset(&ctx->inflate);
        assert(status == Z_OK); /* the stream is initialised */
        (void)status;
        return 0;
    }
    memset(&ctx->inflate, 0, sizeof(ctx->inflate));
    status = inflateInit2(&ctx->inflate, DEFLATE_WINDOW_BITS);
    if (status != Z_OK)
        return tfs_fail(-ENOMEM, "zlib: inflateInit2: %d", status);
    ctx->inflate_ready = true;
    return 0;
}

int codec_inflate(struct codec_ctx *ctx, const void *src, size_t src_size, void *dst,
                  size_t dst_size)
{
    int err = inflate_prepare(ctx);
    int status;

    if (err < 0)
        return err;
    ctx->inflate.next_in = (Bytef *)(uintptr_t)src; /* zlib's prototype lacks the const */
    ctx->inflate.avail_in = (uInt)src_size;
    ctx->inflate.next_out = dst;
    ctx->inflate.avail_out = (uInt)dst_size;
    status = inflate(&ctx->inflate, Z_FINISH);
    if (status == Z_MEM_ERROR)
        return tfs_fail(-ENOMEM, "zlib: inflate");
    if (status != Z_STREAM_END || ctx->inflate.avail_in != 0 || ctx->inflate.avail_out != 0)
        return tfs_fail(-EUCLEAN, "zlib: status %d, %u bytes of input and %u of output left",
                        status, ctx->inflate.avail_in, ctx->inflate.avail_out);
    return 0;
}
