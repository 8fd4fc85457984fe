/*
 * Data for the tests of the codec, made from a seed: the same bytes on every machine (integers
 * only).
 */
#ifndef TFS_TESTS_UNIT_FRAME_DATA_H
#define TFS_TESTS_UNIT_FRAME_DATA_H

#include "store/codec/frame.h"

#include <stdio.h>

struct data_random {
    uint64_t state;
};

/* xorshift64*, seeds must not be 0. */
static inline uint64_t data_random_next(struct data_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545F4914F6CDD1Dull;
}

static inline uint32_t data_random_below(struct data_random *random, uint32_t limit)
{
    return (uint32_t)((data_random_next(random) >> 32) * limit >> 32);
}

enum data_kind {
    DATA_RANDOM,
    DATA_ZERO,
    DATA_WORD, /* one repeated 8-byte word */
    DATA_TEXT,
    DATA_BF16,
    DATA_FP16,
    DATA_FP32,
    DATA_FP32_BF16, /* fp32 that holds bf16 values */
    DATA_FP64,
    DATA_FP8,
    DATA_INT16,
    DATA_INT64,  /* token ids */
    DATA_SPARSE, /* fp32, nine of ten zero */
    DATA_KIND_COUNT
};

const char *data_kind_name(enum data_kind kind);

/* Fill with elements of a kind; a last element may be cut. */
void data_fill(struct data_random *random, enum data_kind kind, uint8_t *dst, size_t size);

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

#endif
