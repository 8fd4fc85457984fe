/*
 * Deflate streams (RFC 1951), written by libdeflate. Private to this folder.
 */
#ifndef TFS_CODEC_DEFLATE_H
#define TFS_CODEC_DEFLATE_H

#include "store/codec/entropy.h"

#include <libdeflate.h>

/* Compressors, made when first used. Zeros are one without any. */
struct deflate {
    struct libdeflate_compressor *quick; /* level 1 */
    struct libdeflate_compressor *asked;
    int asked_level; /* of `asked`, when that is not NULL */
};

void deflate_release(struct deflate *deflate);

/*
 * Compress into one stream. level: 1 to 9; what hardly gets smaller is compressed at level 1
 * whatever is asked, for that is as small and much faster.
 *
 * Returns: the compressed size, 0 when it would not fit into capacity or is not worth its time, or
 * -ENOMEM.
 */
TFS_MUST_CHECK int64_t deflate_compress(struct deflate *deflate, const struct entropy_table *table,
                                        int level, const void *src, size_t size, void *dst,
                                        size_t capacity);

#endif
