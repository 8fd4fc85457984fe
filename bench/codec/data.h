/*
 * Tensors made from a seed, for the codec's tests and bench: the same bytes on every machine,
 * because they come from integers alone.
 *
 * They are meant to be as hard as real ones: values of a bell shape, rows of 4096 elements with
 * scales that spread log-normally by 0.3 (real layers: 0.1 to 0.3), every mantissa bit random, no
 * zeros and no two equal rows. For Adam's moments each element has a scale of its own besides.
 */
#ifndef TFS_BENCH_CODEC_TENSOR_DATA_H
#define TFS_BENCH_CODEC_TENSOR_DATA_H

#include "store/base/defs.h"

struct data_random {
    uint64_t state; /* not 0 */
};

/* xorshift64* (G. Marsaglia, S. Vigna). */
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
    DATA_TEXT, /* JSON like a safetensors header */
    DATA_BF16,
    DATA_FP16,
    DATA_FP32,
    DATA_FP32_BF16, /* fp32 that holds bf16 values */
    DATA_FP64,
    DATA_FP8, /* e4m3 */
    DATA_INT8,
    DATA_INT16,
    DATA_INT32,
    DATA_INT64,  /* token ids */
    DATA_ADAM_M, /* fp32, first moment */
    DATA_ADAM_V, /* fp32, second moment, never negative */
    DATA_SPARSE, /* fp32, nine of ten zero */
    DATA_KIND_COUNT
};

const char *data_kind_name(enum data_kind kind);

/* Returns: the kind of that name, or -EINVAL. */
TFS_MUST_CHECK int data_kind_parse(const char *name, enum data_kind *ret);

/* Bytes of one element; 1 for text. */
unsigned data_element_size(enum data_kind kind);

/* Fill with elements of a kind; a last element may be cut. */
void data_fill(struct data_random *random, enum data_kind kind, uint8_t *dst, size_t size);

#endif
