/*
 * The arithmetic of a check, compiled by the C compiler and by nvcc, so that both give the same
 * bits and the CPU's tests exercise what the GPU runs.
 *
 * A leaf is checked by 32 lanes (the threads of one warp). It is cut into tiles of GPU_TILE_ROWS
 * rows of 32 words of 4 bytes; lane l has word l of each row.
 *
 * CRC32C. With the message as a polynomial M over GF(2), first bit highest, the checksum is made
 * from M * x^32 mod P. Numbers below hold polynomials of degree < 32 with x^0 in bit 31, as CRC32C
 * has its bits. A lane's words lie x^1024 apart; call that y. Since squaring is linear over GF(2),
 * P(y) = P(x^1024) = P(x)^1024: what holds for x modulo P holds for y. Q below is the multiple of P
 * with the fewest terms (12) up to degree 48:
 *
 *     Q = x^40 + x^38 + x^36 + x^35 + x^33 + x^30 + x^27 + x^20 + x^13 + x^7 + x + 1
 *
 * so a word can be removed from the front of a lane's row of words when it is added (XOR) to the
 * words 2, 4, 5, 7, 10, 13, 20, 27, 33, 39 and 40 rows behind it: eleven XORs for four bytes, and
 * no table. When all words are removed, 40 words remain behind the end; they are summed up with a
 * table for multiplication by y. docs/decisions/gpu-summation-and-crc.md compares the alternatives.
 */
#ifndef TFS_GPU_ARITHMETIC_H
#define TFS_GPU_ARITHMETIC_H

#include "gpu/gpu.h"

#include <string.h>

#if defined(__CUDACC__)
#define GPU_INLINE static __host__ __device__ __forceinline__
#define GPU_UNROLL _Pragma("unroll")
#else
#define GPU_INLINE static inline __attribute__((always_inline))
#define GPU_UNROLL
#endif

#define GPU_LANES      32u
#define GPU_TILE_ROWS  32u
#define GPU_ROW_BYTES  128u  /* 32 lanes of 4 bytes */
#define GPU_TILE_BYTES 4096u /* 32 rows */

#define GPU_CRC_POLYNOMIAL 0x82F63B78u
#define GPU_CRC_ONE        0x80000000u   /* x^0 */
#define GPU_CRC_ORDER      0x7FFFFFFFull /* x^(2^31 - 1) = 1 mod P */
#define GPU_CRC_HISTORY    40u           /* degree of Q */

/* Filled by gpu_crc_constants_init. */
struct gpu_crc_constants {
    uint32_t row_table[4][256];      /* [k][b]: (b in byte k of a number) * y */
    uint32_t lane_factor[GPU_LANES]; /* x^(32 * (32 - lane)) / y^40 */
};

/* a * b mod P. */
GPU_INLINE uint32_t gpu_crc_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (unsigned i = 0; i < 32; i++) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = (b >> 1) ^ (GPU_CRC_POLYNOMIAL & (0u - (b & 1)));
    }
    return product;
}

GPU_INLINE uint32_t gpu_crc_times_row(const uint32_t (*row_table)[256], uint32_t a)
{
    return row_table[0][a & 255] ^ row_table[1][(a >> 8) & 255] ^ row_table[2][(a >> 16) & 255] ^
           row_table[3][a >> 24];
}

/* One lane's part of a checksum: its last 40 words after removal, the oldest first. */
struct gpu_crc_lane {
    uint32_t history[GPU_CRC_HISTORY];
};

GPU_INLINE void gpu_crc_lane_init(struct gpu_crc_lane *lane)
{
    GPU_UNROLL
    for (unsigned i = 0; i < GPU_CRC_HISTORY; i++)
        lane->history[i] = 0;
}

GPU_INLINE void gpu_crc_lane_add_tile(struct gpu_crc_lane *lane,
                                      const uint32_t words[GPU_TILE_ROWS])
{
    uint32_t v[GPU_CRC_HISTORY + GPU_TILE_ROWS];

    GPU_UNROLL
    for (unsigned i = 0; i < GPU_CRC_HISTORY; i++)
        v[i] = lane->history[i];
    GPU_UNROLL
    for (unsigned i = GPU_CRC_HISTORY; i < GPU_CRC_HISTORY + GPU_TILE_ROWS; i++)
        v[i] = words[i - GPU_CRC_HISTORY] ^ v[i - 2] ^ v[i - 4] ^ v[i - 5] ^ v[i - 7] ^ v[i - 10] ^
               v[i - 13] ^ v[i - 20] ^ v[i - 27] ^ v[i - 33] ^ v[i - 39] ^ v[i - 40];
    GPU_UNROLL
    for (unsigned i = 0; i < GPU_CRC_HISTORY; i++)
        lane->history[i] = v[GPU_TILE_ROWS + i];
}

/* What the word `distance` rows before pending row `row` left there. */
GPU_INLINE uint32_t gpu_crc_lane_left(const struct gpu_crc_lane *lane, unsigned row,
                                      unsigned distance)
{
    return distance > row ? lane->history[GPU_CRC_HISTORY + row - distance] : 0;
}

/* The lane's share of the checksum of all words so far; XOR over the lanes gives M * x^32 mod P. */
GPU_INLINE uint32_t gpu_crc_lane_finish(const struct gpu_crc_lane *lane,
                                        const uint32_t (*row_table)[256], uint32_t lane_factor)
{
    uint32_t sum = 0;

    GPU_UNROLL
    for (unsigned row = 0; row < GPU_CRC_HISTORY; row++) {
        sum = gpu_crc_times_row(row_table, sum) ^ gpu_crc_lane_left(lane, row, 2) ^
              gpu_crc_lane_left(lane, row, 4) ^ gpu_crc_lane_left(lane, row, 5) ^
              gpu_crc_lane_left(lane, row, 7) ^ gpu_crc_lane_left(lane, row, 10) ^
              gpu_crc_lane_left(lane, row, 13) ^ gpu_crc_lane_left(lane, row, 20) ^
              gpu_crc_lane_left(lane, row, 27) ^ gpu_crc_lane_left(lane, row, 33) ^
              gpu_crc_lane_left(lane, row, 39) ^ gpu_crc_lane_left(lane, row, 40);
    }
    return gpu_crc_multiply(sum, lane_factor);
}

/* The bits of a word at byte `at` that belong to the bytes [begin, end). */
GPU_INLINE uint32_t gpu_word_mask(uint32_t at, uint32_t begin, uint32_t end)
{
    uint32_t mask = 0xFFFFFFFFu;

    if (begin >= at + 4 || end <= at)
        return 0;
    if (begin > at)
        mask &= 0xFFFFFFFFu << (8 * (begin - at));
    if (end < at + 4)
        mask &= 0xFFFFFFFFu >> (8 * (at + 4 - end));
    return mask;
}

GPU_INLINE float gpu_float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

GPU_INLINE double gpu_double_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* dtype is a constant wherever these are called, so that the compiler drops what does not apply. */
GPU_INLINE uint32_t gpu_width_of(uint32_t dtype)
{
    switch (dtype) {
    case DTYPE_U64:
    case DTYPE_I64:
    case DTYPE_F64:
        return 8;
    case DTYPE_U32:
    case DTYPE_I32:
    case DTYPE_F32:
        return 4;
    case DTYPE_U16:
    case DTYPE_I16:
    case DTYPE_F16:
    case DTYPE_BF16:
        return 2;
    default:
        return 1;
    }
}

/* The dtypes that float holds exactly. */
GPU_INLINE bool gpu_fits_float(uint32_t dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16 ||
           dtype == DTYPE_F8_E4M3 || dtype == DTYPE_F8_E5M2;
}

/* Without the sign, bits from here on are infinity or NaN ... */
GPU_INLINE uint64_t gpu_nonfinite_from(uint32_t dtype)
{
    switch (dtype) {
    case DTYPE_F64:
        return 0x7FF0000000000000ull;
    case DTYPE_F32:
        return 0x7F800000u;
    case DTYPE_BF16:
        return 0x7F80u;
    case DTYPE_F16:
        return 0x7C00u;
    case DTYPE_F8_E5M2:
        return 0x7Cu;
    default: /* DTYPE_F8_E4M3 */
        return 0x7Fu;
    }
}

/* ... and this one is infinity; E4M3 has none. */
GPU_INLINE bool gpu_is_inf(uint32_t dtype, uint64_t magnitude)
{
    return dtype != DTYPE_F8_E4M3 && magnitude == gpu_nonfinite_from(dtype);
}

GPU_INLINE bool gpu_is_floating(uint32_t dtype)
{
    return dtype == DTYPE_F64 || gpu_fits_float(dtype);
}

GPU_INLINE uint64_t gpu_magnitude(uint32_t dtype, uint64_t bits)
{
    return bits & (((uint64_t)1 << (8 * gpu_width_of(dtype) - 1)) - 1);
}

/*
 * A small float, with `shift` to bring its mantissa under float's and `bias` the difference of the
 * exponents' biases. Exact: a normal number has its exponent moved; a subnormal m is (2^e + m) -
 * 2^e.
 */
GPU_INLINE float gpu_small_float(uint32_t sign, uint32_t magnitude, uint32_t shift, uint32_t bias)
{
    uint32_t mantissa = magnitude << shift;
    uint32_t smallest_normal = (bias + 1) << 23;
    float normal = gpu_float_of_bits(mantissa + (bias << 23));
    float subnormal =
        gpu_float_of_bits(mantissa | smallest_normal) - gpu_float_of_bits(smallest_normal);
    float value = mantissa < (1u << 23) ? subnormal : normal;
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return gpu_float_of_bits(bits | sign);
}

/* The value of a finite element of a dtype that fits float; exact. */
GPU_INLINE float gpu_decode_float(uint32_t dtype, uint32_t bits)
{
    switch (dtype) {
    case DTYPE_F32:
        return gpu_float_of_bits(bits);
    case DTYPE_BF16:
        return gpu_float_of_bits(bits << 16);
    case DTYPE_F16:
        return gpu_small_float((bits & 0x8000u) << 16, bits & 0x7FFFu, 13, 112);
    case DTYPE_F8_E5M2: /* the upper half of a half */
        return gpu_small_float((bits & 0x80u) << 24, bits & 0x7Fu, 21, 112);
    default: /* DTYPE_F8_E4M3 */
        return gpu_small_float((bits & 0x80u) << 24, bits & 0x7Fu, 20, 120);
    }
}

/* The value of a finite element; exact but for 64-bit integers, which are rounded to nearest. */
GPU_INLINE double gpu_decode(uint32_t dtype, uint64_t bits)
{
    switch (dtype) {
    case DTYPE_F64:
        return gpu_double_of_bits(bits);
    case DTYPE_U64:
        return (double)bits;
    case DTYPE_I64:
        return (double)(int64_t)bits;
    case DTYPE_I32:
        return (double)(int32_t)bits;
    case DTYPE_I16:
        return (double)(int16_t)bits;
    case DTYPE_I8:
        return (double)(int8_t)bits;
    case DTYPE_BOOL:
    case DTYPE_U8:
    case DTYPE_U16:
    case DTYPE_U32:
        return (double)(uint32_t)bits;
    default:
        return (double)gpu_decode_float(dtype, (uint32_t)bits);
    }
}

/* One lane's statistics. */
struct gpu_lane {
    double sum;
    double square_sum;
    double min;
    double max;
    float float_min; /* instead of min and max where the dtype fits float */
    float float_max;
    uint32_t nan_count;
    uint32_t inf_count;
    uint32_t zero_count;
};

GPU_INLINE void gpu_lane_init(struct gpu_lane *lane)
{
    lane->sum = 0;
    lane->square_sum = 0;
    lane->min = gpu_double_of_bits(0x7FF0000000000000ull);
    lane->max = gpu_double_of_bits(0xFFF0000000000000ull);
    lane->float_min = gpu_float_of_bits(0x7F800000u);
    lane->float_max = gpu_float_of_bits(0xFF800000u);
    lane->nan_count = 0;
    lane->inf_count = 0;
    lane->zero_count = 0;
}

/*
 * sum + value^2, the square rounded first. A product of two floats is exact in double, so there a
 * fused operation gives the same; C code that uses this is compiled with -ffp-contract=off.
 */
GPU_INLINE double gpu_add_square(uint32_t dtype, double sum, double value)
{
#if defined(__CUDA_ARCH__)
    if (gpu_fits_float(dtype))
        return __fma_rn(value, value, sum);
    return __dadd_rn(sum, __dmul_rn(value, value));
#else
    (void)dtype;
    return sum + value * value;
#endif
}

GPU_INLINE float gpu_float_min(float a, float b)
{
#if defined(__CUDA_ARCH__)
    return fminf(a, b);
#else
    return a < b ? a : b;
#endif
}

GPU_INLINE float gpu_float_max(float a, float b)
{
#if defined(__CUDA_ARCH__)
    return fmaxf(a, b);
#else
    return a > b ? a : b;
#endif
}

/* A finite element; zeros are counted elsewhere. */
GPU_INLINE void gpu_lane_add_finite(uint32_t dtype, uint64_t bits, struct gpu_lane *lane)
{
    double value;

    if (gpu_fits_float(dtype)) {
        float small = gpu_decode_float(dtype, (uint32_t)bits);

        lane->float_min = gpu_float_min(lane->float_min, small);
        lane->float_max = gpu_float_max(lane->float_max, small);
        value = (double)small;
    } else {
        value = gpu_decode(dtype, bits);
        lane->min = value < lane->min ? value : lane->min;
        lane->max = value > lane->max ? value : lane->max;
    }
    lane->sum += value;
    lane->square_sum = gpu_add_square(dtype, lane->square_sum, value);
}

/* Any element. */
GPU_INLINE void gpu_lane_add_element(uint32_t dtype, uint64_t bits, struct gpu_lane *lane)
{
    uint64_t magnitude = gpu_is_floating(dtype) ? gpu_magnitude(dtype, bits) : bits;

    if (gpu_is_floating(dtype) && magnitude >= gpu_nonfinite_from(dtype)) {
        if (gpu_is_inf(dtype, magnitude))
            lane->inf_count++;
        else
            lane->nan_count++;
        return;
    }
    if (magnitude == 0)
        lane->zero_count++;
    gpu_lane_add_finite(dtype, bits, lane);
}

GPU_INLINE uint64_t gpu_load(uint32_t width, const uint8_t *at)
{
    uint8_t byte;
    uint16_t half;
    uint32_t word;
    uint64_t bits;

    switch (width) {
    case 8:
        memcpy(&bits, __builtin_assume_aligned(at, 8), sizeof(bits));
        return bits;
    case 4:
        memcpy(&word, __builtin_assume_aligned(at, 4), sizeof(word));
        return word;
    case 2:
        memcpy(&half, __builtin_assume_aligned(at, 2), sizeof(half));
        return half;
    default:
        memcpy(&byte, at, sizeof(byte));
        return byte;
    }
}

/*
 * One lane's elements of a tile of `size` bytes, one after the other: the plain way, for tiles that
 * are short or hold a NaN or an infinity. What the other ways compute must equal this.
 */
GPU_INLINE void gpu_lane_add_tile_plainly(uint32_t dtype, const uint8_t *tile, uint32_t size,
                                          uint32_t lane_index, struct gpu_lane *lane)
{
    const uint32_t width = gpu_width_of(dtype);

    if (width == 8) {
        for (uint32_t i = 0; i < GPU_TILE_ROWS / 2; i++) {
            uint32_t element = 32 * i + 16 * (lane_index & 1) + lane_index / 2;

            if (8 * element + 8 > size)
                return;
            gpu_lane_add_element(dtype, gpu_load(8, tile + 8 * element), lane);
        }
        return;
    }
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        for (uint32_t k = 0; k < 4; k += width) {
            uint32_t at = row * GPU_ROW_BYTES + lane_index * 4 + k;

            if (at + width > size)
                return;
            gpu_lane_add_element(dtype, gpu_load(width, tile + at), lane);
        }
    }
}

/* For words of several elements: the bit above each element's magnitude, and all bits below it. */
GPU_INLINE uint32_t gpu_packed_top(uint32_t width)
{
    return width == 1 ? 0x80808080u : width == 2 ? 0x80008000u : 0x80000000u;
}

/* Not 0 when an element of the word is not finite: adding brings the exponent's end to the top bit.
 */
GPU_INLINE uint32_t gpu_packed_nonfinite(uint32_t dtype, uint32_t word)
{
    const uint32_t width = gpu_width_of(dtype);
    const uint32_t top = gpu_packed_top(width);
    const uint32_t each = width == 1 ? 0x01010101u : width == 2 ? 0x00010001u : 1u;
    const uint32_t distance = (1u << (8 * width - 1)) - (uint32_t)gpu_nonfinite_from(dtype);

    return ((word & ~top) + distance * each) & top;
}

/* The top bit of each element that is not zero; -0 is zero. */
GPU_INLINE uint32_t gpu_packed_nonzero(uint32_t dtype, uint32_t word)
{
    const uint32_t top = gpu_packed_top(gpu_width_of(dtype));
    uint32_t sums = (word & ~top) + ~top;

    if (!gpu_is_floating(dtype))
        sums |= word;
    return sums & top;
}

/* One lane's elements of 8 bytes of a whole tile. */
GPU_INLINE void gpu_lane_add_wide_tile(uint32_t dtype, const uint64_t elements[GPU_TILE_ROWS / 2],
                                       struct gpu_lane *lane)
{
    GPU_UNROLL
    for (unsigned i = 0; i < GPU_TILE_ROWS / 2; i++)
        gpu_lane_add_element(dtype, elements[i], lane);
}

/* Lane a takes in lane b. */
GPU_INLINE void gpu_lane_merge(struct gpu_lane *a, const struct gpu_lane *b)
{
    a->sum += b->sum;
    a->square_sum += b->square_sum;
    a->min = b->min < a->min ? b->min : a->min;
    a->max = b->max > a->max ? b->max : a->max;
    a->float_min = gpu_float_min(a->float_min, b->float_min);
    a->float_max = gpu_float_max(a->float_max, b->float_max);
    a->nan_count += b->nan_count;
    a->inf_count += b->inf_count;
    a->zero_count += b->zero_count;
}

/* The bits of a NaN that arithmetic made (inf - inf) differ between machines. */
GPU_INLINE double gpu_canonical(double value)
{
    return value != value ? gpu_double_of_bits(0x7FF8000000000000ull) : value;
}

/* Lane 0, after all lanes are merged into it, as the leaf's result. */
GPU_INLINE void gpu_lane_finish(uint32_t dtype, const struct gpu_lane *lane, struct gpu_leaf *ret)
{
    double min = gpu_fits_float(dtype) ? (double)lane->float_min : lane->min;
    double max = gpu_fits_float(dtype) ? (double)lane->float_max : lane->max;

    ret->sum = gpu_canonical(lane->sum);
    ret->square_sum = gpu_canonical(lane->square_sum);
    ret->min = min + 0.0; /* -0 becomes +0 */
    ret->max = max + 0.0;
    ret->nan_count = lane->nan_count;
    ret->inf_count = lane->inf_count;
    ret->zero_count = lane->zero_count;
    ret->reserved = 0;
}

#endif
