/*
 * Tensors from integers: a value near 0 of a bell shape is a sum of random bits, and turning it
 * into a float's fields by hand keeps the bytes the same with every compiler and libm.
 */
#include "tests/unit/frame_data.h"

#include "store/base/bytes.h"

#include <stdlib.h>
#include <string.h>

const char *data_kind_name(enum data_kind kind)
{
    static const char *const names[DATA_KIND_COUNT] = {
        "random",    "zero", "word", "text",  "bf16",  "fp16",  "fp32",
        "fp32_bf16", "fp64", "fp8",  "int16", "int64", "sparse"};

    return names[kind];
}

/* About normal with a deviation of 2^30: the sum of eight uniform numbers of 32 bits, centred. */
static int64_t bell(struct data_random *random)
{
    int64_t sum = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t bits = data_random_next(random);

        sum += (int64_t)(bits >> 32) + (int64_t)(bits & 0xFFFFFFFFu);
    }
    return (sum - ((int64_t)8 << 31)) * 3 / 10;
}

/* A float of 1 sign bit, so many of exponent and mantissa, near +-2^-6; `shift` scales it by a
 * power of two. */
static uint64_t float_bits(struct data_random *random, int exponent_bits, int mantissa_bits,
                           int shift)
{
    int64_t value = bell(random);
    uint64_t sign = value < 0;
    uint64_t magnitude = (uint64_t)(value < 0 ? -value : value) | 1;
    int top = 63 - __builtin_clzll(magnitude);
    int exponent = (1 << (exponent_bits - 1)) - 1 + top - 36 - shift;
    uint64_t fraction;

    /* Below the leading one, the value's own bits first, then random ones. */
    fraction = (magnitude << (63 - top)) << 1;
    if (top < 63)
        fraction |= data_random_next(random) >> (top + 1);
    if (exponent < 1)
        exponent = 0;
    return sign << (exponent_bits + mantissa_bits) | (uint64_t)exponent << mantissa_bits |
           fraction >> (64 - mantissa_bits);
}

static uint64_t element(struct data_random *random, enum data_kind kind, int shift)
{
    switch (kind) {
    case DATA_BF16:
        return float_bits(random, 8, 7, shift);
    case DATA_FP16:
        return float_bits(random, 5, 10, shift);
    case DATA_FP32:
        return float_bits(random, 8, 23, shift);
    case DATA_FP32_BF16:
        return float_bits(random, 8, 7, shift) << 16;
    case DATA_FP64:
        return float_bits(random, 11, 52, shift);
    case DATA_FP8:
        return float_bits(random, 4, 3, shift - 4);
    case DATA_INT16:
        return (uint64_t)(bell(random) >> 22) & 0xFFFF;
    case DATA_INT64: /* small numbers are common, as with words of a vocabulary of 50,000 */
        return (uint64_t)data_random_below(random, 1 + data_random_below(random, 50000));
    case DATA_SPARSE:
        return data_random_below(random, 10) == 0 ? float_bits(random, 8, 23, shift) : 0;
    default:
        return data_random_next(random);
    }
}

static size_t element_size(enum data_kind kind)
{
    switch (kind) {
    case DATA_FP8:
        return 1;
    case DATA_BF16:
    case DATA_FP16:
    case DATA_INT16:
        return 2;
    case DATA_FP32:
    case DATA_FP32_BF16:
    case DATA_SPARSE:
        return 4;
    default:
        return 8;
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
    size_t width = element_size(kind);
    uint8_t word[8];

    if (kind == DATA_TEXT) {
        fill_text(random, dst, size);
        return;
    }
    tfs_put_le64(word, kind == DATA_ZERO ? 0 : data_random_next(random));
    for (size_t at = 0; at < size; at += width) {
        /* Rows of 4 KiB with scales of their own, as layers have. */
        int shift = (int)(at >> 12 & 1);

        if (kind != DATA_ZERO && kind != DATA_WORD)
            tfs_put_le64(word, element(random, kind, shift));
        memcpy(dst + at, word, size - at < width ? size - at : width);
    }
}

void data_frame_init(struct data_frame *frame, uint32_t raw_size, uint32_t block_size)
{
    memset(frame, 0, sizeof(*frame));
    frame->capacity = frame_stored_size_max(raw_size, block_size);
    frame->raw = aligned_alloc(64, tfs_align_up(raw_size, 64));
    frame->encoded = malloc(frame->capacity);
    if (!frame->raw || !frame->encoded)
        abort();
    for (uint32_t i = 0; i * FRAME_BUFFER_SIZE < raw_size; i++)
        frame->buffers[i] = frame->raw + (size_t)i * FRAME_BUFFER_SIZE;
    frame->source = (struct frame_source){
        .buffers = frame->buffers,
        .raw_size = raw_size,
        .block_size = block_size,
        .tag = {.inode = 42, .offset = 1 << 20},
    };
}

void data_frame_release(struct data_frame *frame)
{
    free(frame->raw);
    free(frame->encoded);
}
