/*
 * Data for the tests of the codec, made from a seed: the same bytes on every machine (integers
 * only).
 */
#ifndef TFS_TESTS_UNIT_FRAME_DATA_H
#define TFS_TESTS_UNIT_FRAME_DATA_H

#include "bench/codec/data.h"
#include "store/codec/frame.h"

/* The raw bytes of a frame in the caller's form: aligned buffers of FRAME_BUFFER_SIZE, and what it
 * encodes to. */
struct data_frame {
    const void *buffers[FRAME_RAW_SIZE_MAX / FRAME_BUFFER_SIZE + 1]; /* one too many is tested */
    uint8_t *raw;                                                    /* contiguous, aligned to 64 */
    uint8_t *encoded;
    size_t capacity;
    int64_t encoded_size;
    struct frame_source source;
};

/* Aborts when out of memory. data_frame_release takes it back. */
void data_frame_init(struct data_frame *frame, uint32_t raw_size, uint32_t block_size);
void data_frame_release(struct data_frame *frame);

/*
 * Encode, asking for a plain frame. Is it one, the raw bytes follow its header in frame->encoded,
 * as they do on disk. Returns: as frame_encode().
 */
TFS_MUST_CHECK int64_t data_frame_encode_plain(struct data_frame *frame, struct codec_ctx *ctx,
                                               const struct codec_spec *spec);

#endif
