/*
 * One block: raw bytes to stored bytes and back. Checksums are the frame's business. Private to
 * this folder.
 */
#ifndef TFS_CODEC_BLOCK_H
#define TFS_CODEC_BLOCK_H

#include "store/codec/codec.h"
#include "store/codec/frame.h"

struct block_raw {
    const uint8_t *data;
    uint32_t size; /* 1..FRAME_BLOCK_SIZE_MAX */
};

/* Of CODEC_METHOD_RAW the stored bytes are those of the block: nothing is written to dst then. */
struct block_result {
    uint32_t stored_size; /* at most the raw size */
    enum codec_method method;
    enum codec_kind kind;
};

/*
 * Encode a block with a codec other than CODEC_AUTO (block_auto.h); never to more bytes than it
 * has.
 *
 * Units:  dst has room for at least raw->size bytes.
 * Errors: -ENOMEM.
 */
TFS_MUST_CHECK int block_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                                const struct block_raw *raw, uint8_t *dst,
                                struct block_result *ret);

/* Decode a block of any bytes. Errors: -EUCLEAN: cannot be decoded to exactly raw_size bytes;
 * -ENOMEM. */
TFS_MUST_CHECK int block_decode(struct codec_ctx *ctx, const struct frame_block *block,
                                const uint8_t *stored, uint8_t *dst);

/* Whether a table entry's sizes are possible for its method. */
bool block_sizes_are_possible(enum codec_method method, uint32_t stored_size, uint32_t raw_size);

/* Store a repeated word as CODEC_METHOD_CONSTANT. Returns: false when the block is not one. */
bool block_store_constant(const struct block_raw *raw, uint8_t *dst, struct block_result *ret);

#endif
