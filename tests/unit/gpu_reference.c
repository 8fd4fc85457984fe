#include "gpu_reference.h"

#include <math.h>
#include <string.h>

/* exponent_bits, mantissa_bits; the bias is 2^(exponent_bits - 1) - 1 in all of them. */
static double decode_ieee(uint64_t bits, int exponent_bits, int mantissa_bits, bool has_inf)
{
    uint64_t mantissa = bits & ((1ull << mantissa_bits) - 1);
    int exponent = (int)(bits >> mantissa_bits & ((1u << exponent_bits) - 1));
    int top = (1 << exponent_bits) - 1;
    int bias = (1 << (exponent_bits - 1)) - 1;
    double sign = bits >> (exponent_bits + mantissa_bits) & 1 ? -1.0 : 1.0;

    if (has_inf && exponent == top)
        return mantissa ? NAN : sign * INFINITY;
    if (!has_inf && exponent == top && mantissa == (1ull << mantissa_bits) - 1)
        return NAN;
    if (exponent == 0)
        return sign * ldexp((double)mantissa, 1 - bias - mantissa_bits);
    return sign *
           ldexp((double)(mantissa | 1ull << mantissa_bits), exponent - bias - mantissa_bits);
}

double reference_decode(enum dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case DTYPE_F64:
        return decode_ieee(bits, 11, 52, true);
    case DTYPE_F32:
        return decode_ieee(bits, 8, 23, true);
    case DTYPE_F16:
        return decode_ieee(bits, 5, 10, true);
    case DTYPE_BF16:
        return decode_ieee(bits, 8, 7, true);
    case DTYPE_F8_E5M2:
        return decode_ieee(bits, 5, 2, true);
    case DTYPE_F8_E4M3:
        return decode_ieee(bits, 4, 3, false);
    case DTYPE_I64:
        return (double)(int64_t)bits;
    case DTYPE_I32:
        return (int32_t)bits;
    case DTYPE_I16:
        return (int16_t)bits;
    case DTYPE_I8:
        return (int8_t)bits;
    default:
        return (double)bits;
    }
}

static uint64_t element_bits(uint32_t width, const uint8_t *at)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < width; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    return bits;
}

void reference_leaf(enum dtype dtype, const uint8_t *data, uint32_t size, struct gpu_leaf *ret)
{
    const uint32_t width = dtype_width(dtype);
    double sum[32] = {0};
    double square_sum[32] = {0};
    struct gpu_leaf leaf = {.min = INFINITY, .max = -INFINITY};

    for (uint32_t e = 0; e < size / width; e++) {
        double value = reference_decode(dtype, element_bits(width, data + (size_t)e * width));
        uint32_t lane = width == 8 ? 2 * (e % 16) + e / 16 % 2 : e * width / 4 % 32;
        volatile double square = value * value; /* rounded, whatever the compiler would fuse */

        if (isnan(value)) {
            leaf.nan_count++;
        } else if (isinf(value)) {
            leaf.inf_count++;
        } else {
            leaf.zero_count += value == 0;
            leaf.min = fmin(leaf.min, value == 0 ? 0.0 : value);
            leaf.max = fmax(leaf.max, value == 0 ? 0.0 : value);
            sum[lane] += value;
            square_sum[lane] += square;
        }
    }
    for (uint32_t distance = 16; distance > 0; distance /= 2) {
        for (uint32_t lane = 0; lane < distance; lane++) {
            sum[lane] += sum[lane + distance];
            square_sum[lane] += square_sum[lane + distance];
        }
    }
    leaf.sum = isnan(sum[0]) ? NAN : sum[0];
    leaf.square_sum = square_sum[0];
    *ret = leaf;
}

uint32_t reference_crc(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545F4914F6CDD1Dull;
}

/* One bit of an exponent of ones cleared makes a finite number. */
static uint64_t make_finite(enum dtype dtype, uint64_t bits)
{
    uint32_t width = dtype_width(dtype);

    return isfinite(reference_decode(dtype, bits)) ? bits : bits & ~(1ull << (8 * width - 3));
}

static uint64_t special_bits(enum dtype dtype, uint64_t choice)
{
    uint32_t width = dtype_width(dtype);
    uint64_t all = width == 8 ? ~0ull : (1ull << (8 * width)) - 1;
    uint64_t sign = 1ull << (8 * width - 1);

    switch (choice % 6) {
    case 0:
        return 0;
    case 1:
        return sign; /* -0, or an integer's smallest */
    case 2:
        return all; /* NaN, or -1 */
    case 3:
        return all >> 1; /* NaN, or an integer's largest */
    case 4:
        return 1; /* the smallest subnormal */
    default:      /* an infinity, where there are any */
        return dtype == DTYPE_F64       ? 0x7FF0000000000000ull
               : dtype == DTYPE_F32     ? 0xFF800000u
               : dtype == DTYPE_BF16    ? 0xFF80u
               : dtype == DTYPE_F16     ? 0x7C00u
               : dtype == DTYPE_F8_E5M2 ? 0xFCu
                                        : 2;
    }
}

void reference_fill(enum dtype dtype, uint64_t seed, bool plain, uint8_t *data, size_t size)
{
    const uint32_t width = dtype_width(dtype);
    const uint64_t all = width == 8 ? ~0ull : (1ull << (8 * width)) - 1;
    const uint64_t near = (1ull << (8 * width - 2)) - 1;
    uint64_t state = seed * 2 + 1;
    const uint64_t place = next_random(&state);

    for (size_t at = 0; at + width <= size; at += width) {
        uint64_t bits = next_random(&state);

        bits &= all;
        if (plain)
            bits = make_finite(dtype, (bits & near) | (place & ~near & all));
        else if (next_random(&state) % 64 == 0)
            bits = special_bits(dtype, next_random(&state) >> 8);
        memcpy(data + at, &bits, width);
    }
}
