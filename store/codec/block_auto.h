/*
 * Encoding of blocks by the codec `auto`. Private to this folder.
 */
#ifndef TFS_CODEC_BLOCK_AUTO_H
#define TFS_CODEC_BLOCK_AUTO_H

#include "store/codec/block.h"
#include "store/codec/probe.h"

/*
 * Encode the block at `offset` of the buffer that `probe` has looked at, never to more bytes than
 * it has. The probe learns from how it went.
 *
 * Units:  dst has room for at least raw->size bytes; more, up to capacity, saves copies.
 * Errors: -ENOMEM.
 */
TFS_MUST_CHECK int block_auto_encode(struct codec_ctx *ctx, struct probe *probe, uint32_t offset,
                                     const struct block_raw *raw, uint8_t *dst, size_t capacity,
                                     struct block_result *ret);

#endif
