/*
 * The inside of a codec_ctx: contexts of zstd, libdeflate and zlib, and scratch. Private to this
 * folder.
 */
#ifndef TFS_CODEC_CODEC_CTX_H
#define TFS_CODEC_CODEC_CTX_H

#include "store/codec/codec.h"
#include "store/codec/deflate.h"
#include "store/codec/entropy.h"
#include "store/codec/frame.h"

#include <zlib.h>
#include <zstd.h>

/* Whatever reads or writes whole vectors may go this far beyond a plane's end in scratch memory. */
#define CODEC_SCRATCH_SLACK 128u

/* Each plane starts at a multiple of 64 bytes, which eight planes can waste. */
#define CODEC_PLANES_SIZE     (FRAME_BLOCK_SIZE_MAX + 8u * 64u + CODEC_SCRATCH_SLACK)
#define CODEC_COMPRESSED_SIZE (FRAME_BLOCK_SIZE_MAX + FRAME_BLOCK_SIZE_MAX / 128u + 1024u)

struct codec_ctx {
    ZSTD_CCtx *zstd; /* NULL until first used */
    int zstd_level;  /* last asked for */
    ZSTD_DCtx *dctx;
    struct deflate deflate;
    z_stream inflate; /* valid when inflate_ready */
    bool inflate_ready;
    uint8_t *planes;     /* CODEC_PLANES_SIZE, aligned to 64 */
    uint8_t *compressed; /* CODEC_COMPRESSED_SIZE, aligned to 64 */
    struct entropy_table entropy;
};

/* Compress. Returns: the compressed size, 0 when it would not fit into capacity, or -ENOMEM. */
TFS_MUST_CHECK int64_t codec_zstd_compress(struct codec_ctx *ctx, int level, const void *src,
                                           size_t size, void *dst, size_t capacity);
TFS_MUST_CHECK int64_t codec_deflate(struct codec_ctx *ctx, int level, const void *src, size_t size,
                                     void *dst, size_t capacity);

/* Decode exactly dst_size bytes from exactly src_size. Errors: -EUCLEAN: anything else; -ENOMEM. */
TFS_MUST_CHECK int codec_zstd_decompress(struct codec_ctx *ctx, const void *src, size_t src_size,
                                         void *dst, size_t dst_size);
TFS_MUST_CHECK int codec_inflate(struct codec_ctx *ctx, const void *src, size_t src_size, void *dst,
                                 size_t dst_size);

#endif
