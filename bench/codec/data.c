#include "bench/codec/data.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ROW_ELEMENTS = 4096,
    SCALE_ONE = 1 << 16,
    /* Exponents of two by which scales spread, for one deviation, in 1/65536: 0.3 and 0.5 nats. */
    ROW_SPREAD = 28364,
    ELEMENT_SPREAD = 47274,
    GRADIENTS = 4, /* averaged into one second moment */
};

static const struct {
    const char *name;
    unsigned element_size;
} kinds[DATA_KIND_COUNT] = {
    [DATA_RANDOM] = {"random", 8}, [DATA_ZERO] = {"zero", 8},
    [DATA_WORD] = {"word", 8},     [DATA_TEXT] = {"text", 1},
    [DATA_BF16] = {"bf16", 2},     [DATA_FP16] = {"fp16", 2},
    [DATA_FP32] = {"fp32", 4},     [DATA_FP32_BF16] = {"fp32_bf16", 4},
    [DATA_FP64] = {"fp64", 8},     [DATA_FP8] = {"fp8", 1},
    [DATA_INT8] = {"int8", 1},     [DATA_INT16] = {"int16", 2},
    [DATA_INT32] = {"int32", 4},   [DATA_INT64] = {"int64", 8},
    [DATA_ADAM_M] = {"adam_m", 4}, [DATA_ADAM_V] = {"adam_v", 4},
    [DATA_SPARSE] = {"sparse", 4},
};

const char *data_kind_name(enum data_kind kind)
{
    return kinds[kind].name;
}

int data_kind_parse(const char *name, enum data_kind *ret)
{
    for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
        if (strcmp(name, kinds[kind].name) == 0) {
            *ret = (enum data_kind)kind;
            return 0;
        }
    }
    return -EINVAL;
}

unsigned data_element_size(enum data_kind kind)
{
    return kinds[kind].element_size;
}

/* About normal with a deviation of 2^30 * 0.98: the sum of eight uniform numbers of 32 bits,
 * centred. */
static int64_t bell(struct data_random *random)
{
    uint64_t sum = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t bits = data_random_next(random);

        sum += (bits >> 32) + (bits & 0xFFFFFFFFu);
    }
    return ((int64_t)sum - ((int64_t)4 << 32)) * 3 / 10;
}

/* 2^(spread * normal) in 1/65536, for a spread in the same unit. Linear between powers of two. */
static int64_t random_scale(struct data_random *random, int64_t spread)
{
    int64_t exponent = (bell(random) >> 14) * spread >> 16; /* bell >> 14 has a deviation of 2^16 */
    int64_t whole = exponent >> 16;
    int64_t mantissa = SCALE_ONE + (exponent & 0xFFFF);

    return whole >= 0 ? mantissa << whole : mantissa >> -whole;
}

/*
 * A float of one sign bit and so many of exponent and mantissa whose value is about value / 2^unit.
 * Below the bits of `value`, random ones.
 */
static uint64_t float_bits(struct data_random *random, int64_t value, int unit, int exponent_bits,
                           int mantissa_bits)
{
    uint64_t sign = value < 0;
    uint64_t magnitude = (uint64_t)(value < 0 ? -value : value) | 1;
    int top = 63 - __builtin_clzll(magnitude);
    int exponent = (1 << (exponent_bits - 1)) - 1 + top - unit;
    uint64_t fraction = (magnitude << (63 - top)) << 1;

    fraction |= data_random_next(random) >> (top + 1);
    if (exponent < 0)
        exponent = 0;
    return sign << (exponent_bits + mantissa_bits) | (uint64_t)exponent << mantissa_bits |
           fraction >> (64 - mantissa_bits);
}

/* A weight times 2^30 / 0.02, in rows of one scale. */
static int64_t weight(struct data_random *random, int64_t row_scale)
{
    return bell(random) * row_scale >> 16;
}

static int64_t second_moment(struct data_random *random, int64_t row_scale)
{
    int64_t scale = row_scale * random_scale(random, ELEMENT_SPREAD) >> 16;
    int64_t sum = 0;

    for (int i = 0; i < GRADIENTS; i++) {
        int64_t gradient = (bell(random) * scale >> 16) >> 8;

        sum += gradient * gradient >> 2;
    }
    return sum;
}

static uint64_t element(struct data_random *random, enum data_kind kind, int64_t row_scale)
{
    enum { UNIT = 36 }; /* deviation 2^30: weights of 2^-6, about 0.016 */

    switch (kind) {
    case DATA_BF16:
        return float_bits(random, weight(random, row_scale), UNIT, 8, 7);
    case DATA_FP16:
        return float_bits(random, weight(random, row_scale), UNIT, 5, 10);
    case DATA_FP32:
        return float_bits(random, weight(random, row_scale), UNIT, 8, 23);
    case DATA_FP32_BF16:
        return float_bits(random, weight(random, row_scale), UNIT, 8, 7) << 16;
    case DATA_FP64:
        return float_bits(random, weight(random, row_scale), UNIT, 11, 52);
    case DATA_FP8: /* scaled to use its range */
        return float_bits(random, weight(random, row_scale), 27, 4, 3);
    case DATA_INT8:
        return (uint64_t)(weight(random, row_scale) >> 25) & 0xFF;
    case DATA_INT16:
        return (uint64_t)(weight(random, row_scale) >> 22) & 0xFFFF;
    case DATA_INT32:
        return (uint64_t)(weight(random, row_scale) >> 12) & 0xFFFFFFFF;
    case DATA_INT64: /* small numbers are common, as with words of a vocabulary of 50,000 */
        return data_random_below(random, 1 + data_random_below(random, 50000));
    case DATA_ADAM_M:
        return float_bits(random,
                          weight(random, row_scale) * random_scale(random, ELEMENT_SPREAD) >> 16,
                          UNIT + 10, 8, 23);
    case DATA_ADAM_V:
        return float_bits(random, second_moment(random, row_scale), 2 * (UNIT + 10) - 16, 8, 23);
    case DATA_SPARSE:
        if (data_random_below(random, 10) != 0)
            return 0;
        return float_bits(random, weight(random, row_scale), UNIT, 8, 23);
    default:
        return data_random_next(random);
    }
}

static void fill_text(struct data_random *random, uint8_t *dst, size_t size)
{
    static const char *const words[] = {"{\"model.layers.",
                                        "\":{\"dtype\":\"BF16\",\"shape\":[",
                                        "4096,",
                                        "11008],",
                                        "\"data_offsets\":[",
                                        "self_attn.q_proj.weight",
                                        "mlp.down_proj.weight",
                                        "]},",
                                        "input_layernorm.bias",
                                        "lm_head"};
    size_t at = 0;

    while (at < size) {
        char text[64];
        size_t length;

        (void)snprintf(text, sizeof(text), "%s%u",
                       words[data_random_below(random, TFS_ARRAY_COUNT(words))],
                       data_random_below(random, 1000));
        length = strlen(text);
        if (length > size - at)
            length = size - at;
        memcpy(dst + at, text, length);
        at += length;
    }
}

void data_fill(struct data_random *random, enum data_kind kind, uint8_t *dst, size_t size)
{
    size_t width = kinds[kind].element_size;
    int64_t row_scale = SCALE_ONE;
    uint8_t word[8];

    if (kind == DATA_TEXT) {
        fill_text(random, dst, size);
        return;
    }
    tfs_put_le64(word, kind == DATA_ZERO ? 0 : data_random_next(random));
    for (size_t at = 0; at < size; at += width) {
        if (at / width % ROW_ELEMENTS == 0)
            row_scale = random_scale(random, ROW_SPREAD);
        if (kind != DATA_ZERO && kind != DATA_WORD)
            tfs_put_le64(word, element(random, kind, row_scale));
        memcpy(dst + at, word, size - at < width ? size - at : width);
    }
}
