/*
 * Parts: what a block of method PLANES consists of. A part is a run of elements of one width, each
 * byte plane stored in its own way. The layout is in docs/FORMAT.md, section Block. Private to this
 * folder.
 */
#ifndef TFS_CODEC_PART_H
#define TFS_CODEC_PART_H

#include "store/codec/block.h"
#include "store/codec/planes.h"

/* Part header: raw size in 3 bytes, kind, transform; then 3 bytes for each stream. */
#define PART_AT_RAW_SIZE  0u
#define PART_AT_KIND      3u
#define PART_AT_TRANSFORM 4u
#define PART_HEADER_SIZE  5u

#define PART_TRANSFORM_WIDTH_MASK 0x03u /* log2 of the element's width */
#define PART_TRANSFORM_ROTATED    0x04u
#define PART_TRANSFORM_HEAD_SHIFT 3u /* 3 bits: bytes before the first element */
#define PART_TRANSFORM_UNUSED     0xC0u

#define PART_STREAM_SIZE         3u
#define PART_STREAM_SIZE_BITS    19u
#define PART_STREAM_PLANE_SHIFT  19u /* 3 bits */
#define PART_STREAM_CODING_SHIFT 22u /* 2 bits */

/* How the bytes of one plane are stored. On disk. */
enum part_coding {
    PART_RAW = 0,
    PART_CONSTANT = 1, /* one byte, repeated */
    PART_ZSTD = 2,     /* one zstd frame */
    PART_CODING_COUNT
};

/* How the encoder shall try to store a plane. */
enum part_intent {
    PART_INTENT_RAW,
    PART_INTENT_HUFFMAN,
    PART_INTENT_CONSTANT, /* if it is; else as repetitive */
    PART_INTENT_MATCHES,  /* zstd at plan.level */
};

struct part_plan {
    enum codec_kind kind;
    uint8_t width_log; /* 0..3 */
    bool rotated;
    uint8_t phase; /* elements start where the offset in the buffer is this, modulo the width */
    int8_t level;
    uint8_t intents[PLANES_MAX]; /* enum part_intent, by plane */
};

/* The start and size of a part inside of its buffer, from which `raw` points to the first byte. */
struct part_raw {
    const uint8_t *data;
    uint32_t offset;
    uint32_t size;
};

/*
 * Append a part's encoding.
 *
 * A plane that turns out not to be worth its coding is stored raw, and its intent in *plan becomes
 * so, for the parts that follow.
 *
 * Returns: bytes written; 0 when it does not fit into capacity; a negative errno (-ENOMEM).
 */
TFS_MUST_CHECK int64_t part_encode(struct codec_ctx *ctx, struct part_plan *plan,
                                   const struct part_raw *raw, uint8_t *dst, size_t capacity);

/* Decode all parts of a block; for any bytes. Errors: -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int part_decode_all(struct codec_ctx *ctx, const uint8_t *stored,
                                   uint32_t stored_size, uint8_t *dst, uint32_t raw_size);

#endif
