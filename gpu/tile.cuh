/*
 * One lane's share of a whole tile of elements of 4 bytes or less, on a GPU: 32 words. What is
 * computed here equals gpu_lane_add_tile_plainly, with fewer instructions. The scarce ones are
 * those of the integer unit, where minima, maxima, logic and comparisons all go, and conversions to
 * double; docs/decisions/gpu-summation-and-crc.md counts them.
 *
 * Floats: the elements' sums are kept apart from the lane's until the tile has ended. A square of
 * at most 32 bits is finite in double, so the sum of squares is finite if, and only if, every
 * element was; where it is not, the tile is left to the plain way. Minima, maxima and zeros are
 * found in pairs of 16 bits.
 *
 * Integers: partial sums below 2^53 are exact in double, so a tile may be summed in integers first.
 */
#ifndef TFS_GPU_TILE_CUH
#define TFS_GPU_TILE_CUH

#include "gpu/arithmetic.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#define TILE_INLINE static __device__ __forceinline__

/* ---- floats ---- */

/* What the CUDA headers call alike for both pairs of 16 bits. */
template <class Pair> struct tile_pairs {
    Pair min;
    Pair max;
    Pair zero_count; /* at most 64 in each half, which both formats hold exactly */
};

struct tile_floats {
    double sum;
    double square_sum;
    float min;
    float max;
    uint32_t zero_count;
};

template <class Pair> TILE_INLINE Pair tile_pair_of_bits(uint32_t bits)
{
    Pair pair;

    static_assert(sizeof(pair) == sizeof(bits), "two elements of 16 bits");
    memcpy(&pair, &bits, sizeof(pair));
    return pair;
}

TILE_INLINE float2 tile_floats_of_pair(__nv_bfloat162 pair)
{
    return __bfloat1622float2(pair);
}

TILE_INLINE float2 tile_floats_of_pair(__half2 pair)
{
    return __half22float2(pair);
}

TILE_INLINE void tile_add_value(float value, struct tile_floats *tile)
{
    tile->sum += (double)value;
    tile->square_sum = __fma_rn((double)value, (double)value, tile->square_sum);
}

template <class Pair>
TILE_INLINE void tile_add_pair(Pair pair, struct tile_pairs<Pair> *pairs, struct tile_floats *tile)
{
    const float2 values = tile_floats_of_pair(pair);

    pairs->min = __hmin2(pairs->min, pair);
    pairs->max = __hmax2(pairs->max, pair);
    pairs->zero_count = __hadd2(pairs->zero_count, __heq2(pair, tile_pair_of_bits<Pair>(0)));
    tile_add_value(values.x, tile);
    tile_add_value(values.y, tile);
}

template <class Pair>
TILE_INLINE void tile_take_pairs(const struct tile_pairs<Pair> *pairs, struct tile_floats *tile)
{
    const float2 min = tile_floats_of_pair(pairs->min);
    const float2 max = tile_floats_of_pair(pairs->max);
    const float2 zero_count = tile_floats_of_pair(pairs->zero_count);

    tile->min = fminf(min.x, min.y);
    tile->max = fmaxf(max.x, max.y);
    tile->zero_count = (uint32_t)(zero_count.x + zero_count.y);
}

/* Both are the bits of a pair of infinities. */
template <class Pair> TILE_INLINE struct tile_pairs<Pair> tile_pairs_new(uint32_t infinities) {
    const struct tile_pairs<Pair> pairs = {
        tile_pair_of_bits<Pair>(infinities), tile_pair_of_bits<Pair>(infinities | 0x80008000u),
            tile_pair_of_bits<Pair>(0)
    };

    return pairs;
}

TILE_INLINE void
tile_add_bf16(const uint32_t words[GPU_TILE_ROWS], struct tile_floats *tile)
{
    struct tile_pairs<__nv_bfloat162> pairs = tile_pairs_new<__nv_bfloat162>(0x7F807F80u);

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
        tile_add_pair(tile_pair_of_bits<__nv_bfloat162>(words[row]), &pairs, tile);
    tile_take_pairs(&pairs, tile);
}

/* Two elements of 8 bits, as halves, which hold both formats exactly. */
template <uint32_t DTYPE> TILE_INLINE __half2 tile_halves_of_f8(uint32_t two)
{
    const __nv_fp8_interpretation_t format = DTYPE == DTYPE_F8_E4M3 ? __NV_E4M3 : __NV_E5M2;

    return __half2(__nv_cvt_fp8x2_to_halfraw2((__nv_fp8x2_storage_t)two, format));
}

/* F16, F8_E4M3, F8_E5M2 */
template <uint32_t DTYPE>
TILE_INLINE void tile_add_halves(const uint32_t words[GPU_TILE_ROWS], struct tile_floats *tile)
{
    struct tile_pairs<__half2> pairs = tile_pairs_new<__half2>(0x7C007C00u);

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        if (DTYPE == DTYPE_F16) {
            tile_add_pair(tile_pair_of_bits<__half2>(words[row]), &pairs, tile);
        } else {
            tile_add_pair(tile_halves_of_f8<DTYPE>(words[row] & 0xFFFF), &pairs, tile);
            tile_add_pair(tile_halves_of_f8<DTYPE>(words[row] >> 16), &pairs, tile);
        }
    }
    tile_take_pairs(&pairs, tile);
}

TILE_INLINE void tile_add_f32(const uint32_t words[GPU_TILE_ROWS], struct tile_floats *tile)
{
    float zero_count = 0;

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        const float value = gpu_float_of_bits(words[row]);

        tile->min = fminf(tile->min, value);
        tile->max = fmaxf(tile->max, value);
        zero_count += value == 0 ? 1.0F : 0.0F; /* an addition of floats is cheaper */
        tile_add_value(value, tile);
    }
    tile->zero_count = (uint32_t)zero_count;
}

/* false: an element is not finite, and the lane is as it was. */
template <uint32_t DTYPE>
TILE_INLINE bool tile_add_floats(const uint32_t words[GPU_TILE_ROWS], struct gpu_lane *lane)
{
    struct tile_floats tile = {lane->sum, lane->square_sum, lane->float_min, lane->float_max, 0};

    if (DTYPE == DTYPE_F32)
        tile_add_f32(words, &tile);
    else if (DTYPE == DTYPE_BF16)
        tile_add_bf16(words, &tile);
    else
        tile_add_halves<DTYPE>(words, &tile);
    if (!isfinite(tile.square_sum))
        return false;
    lane->sum = tile.sum;
    lane->square_sum = tile.square_sum;
    lane->float_min = fminf(lane->float_min, tile.min);
    lane->float_max = fmaxf(lane->float_max, tile.max);
    lane->zero_count += tile.zero_count;
    return true;
}

/* ---- integers ---- */

struct tile_integers {
    int64_t min;
    int64_t max;
    int64_t sum;
    int64_t square_sum; /* of elements of 8 and 16 bits */
};

TILE_INLINE int32_t tile_halfword(bool is_signed, uint32_t bits)
{
    return is_signed ? (int16_t)(uint16_t)bits : (int32_t)(bits & 0xFFFF);
}

template <bool IS_SIGNED> TILE_INLINE uint32_t tile_pair_min(uint32_t a, uint32_t b)
{
    return IS_SIGNED ? __vmins2(a, b) : __vminu2(a, b);
}

template <bool IS_SIGNED> TILE_INLINE uint32_t tile_pair_max(uint32_t a, uint32_t b)
{
    return IS_SIGNED ? __vmaxs2(a, b) : __vmaxu2(a, b);
}

template <bool IS_SIGNED> TILE_INLINE int32_t tile_smaller_half(uint32_t pair)
{
    return min(tile_halfword(IS_SIGNED, pair), tile_halfword(IS_SIGNED, pair >> 16));
}

template <bool IS_SIGNED> TILE_INLINE int32_t tile_larger_half(uint32_t pair)
{
    return max(tile_halfword(IS_SIGNED, pair), tile_halfword(IS_SIGNED, pair >> 16));
}

/*
 * Bytes are compared as the upper halves of 16 bits, where they decide whatever the lower halves
 * are: the odd ones lie there, and the even ones do once the word is shifted.
 */
template <bool IS_SIGNED>
TILE_INLINE void tile_add_bytes(const uint32_t words[GPU_TILE_ROWS], struct tile_integers *tile)
{
    uint32_t min = words[0];
    uint32_t max = words[0];
    int32_t sum = 0;
    uint32_t square_sum = 0;

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        const uint32_t word = words[row];

        min = tile_pair_min<IS_SIGNED>(tile_pair_min<IS_SIGNED>(min, word), word << 8);
        max = tile_pair_max<IS_SIGNED>(tile_pair_max<IS_SIGNED>(max, word), word << 8);
        if (IS_SIGNED) {
            sum = __dp4a((int32_t)word, 0x01010101, sum);
            square_sum = (uint32_t)__dp4a((int32_t)word, (int32_t)word, (int32_t)square_sum);
        } else {
            sum = (int32_t)__dp4a(word, 0x01010101u, (uint32_t)sum);
            square_sum = __dp4a(word, word, square_sum);
        }
    }
    tile->min = tile_smaller_half<IS_SIGNED>(min) >> 8;
    tile->max = tile_larger_half<IS_SIGNED>(max) >> 8;
    tile->sum = sum;
    tile->square_sum = square_sum;
}

template <bool IS_SIGNED>
TILE_INLINE void tile_add_halfwords(const uint32_t words[GPU_TILE_ROWS], struct tile_integers *tile)
{
    uint32_t min = words[0];
    uint32_t max = words[0];
    int32_t sum = 0;
    int64_t square_sum = 0;

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        const int32_t low = tile_halfword(IS_SIGNED, words[row]);
        const int32_t high = tile_halfword(IS_SIGNED, words[row] >> 16);

        min = tile_pair_min<IS_SIGNED>(min, words[row]);
        max = tile_pair_max<IS_SIGNED>(max, words[row]);
        sum += low + high;
        square_sum += (int64_t)low * low;
        square_sum += (int64_t)high * high;
    }
    tile->min = tile_smaller_half<IS_SIGNED>(min);
    tile->max = tile_larger_half<IS_SIGNED>(max);
    tile->sum = sum;
    tile->square_sum = square_sum;
}

/* The squares are not exact in double: they are added one by one. */
template <class Integer>
TILE_INLINE void tile_add_words(const uint32_t words[GPU_TILE_ROWS], struct tile_integers *tile,
                                double *square_sum)
{
    Integer min = (Integer)words[0];
    Integer max = (Integer)words[0];
    int64_t sum = 0;

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
        const Integer value = (Integer)words[row];

        min = ::min(min, value);
        max = ::max(max, value);
        sum += value;
        *square_sum = gpu_add_square(DTYPE_I32, *square_sum, (double)value);
    }
    tile->min = min;
    tile->max = max;
    tile->sum = sum;
    tile->square_sum = 0;
}

template <uint32_t DTYPE>
TILE_INLINE void tile_add_integers(const uint32_t words[GPU_TILE_ROWS], struct gpu_lane *lane)
{
    struct tile_integers tile;
    uint32_t nonzero_count = 0;

#pragma unroll
    for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
        nonzero_count += (uint32_t)__popc(gpu_packed_nonzero(DTYPE, words[row]));
    lane->zero_count += GPU_TILE_ROWS * (4 / gpu_width_of(DTYPE)) - nonzero_count;
    if (DTYPE == DTYPE_U32)
        tile_add_words<uint32_t>(words, &tile, &lane->square_sum);
    else if (DTYPE == DTYPE_I32)
        tile_add_words<int32_t>(words, &tile, &lane->square_sum);
    else if (gpu_width_of(DTYPE) == 2)
        tile_add_halfwords<DTYPE == DTYPE_I16>(words, &tile);
    else
        tile_add_bytes<DTYPE == DTYPE_I8>(words, &tile);
    lane->sum += (double)tile.sum;
    lane->square_sum += (double)tile.square_sum;
    lane->min = fmin(lane->min, (double)tile.min);
    lane->max = fmax(lane->max, (double)tile.max);
}

/* false: the tile has to be added plainly; the lane is as it was. */
template <uint32_t DTYPE>
TILE_INLINE bool tile_add(const uint32_t words[GPU_TILE_ROWS], struct gpu_lane *lane)
{
    if (gpu_is_floating(DTYPE))
        return tile_add_floats<DTYPE>(words, lane);
    tile_add_integers<DTYPE>(words, lane);
    return true;
}

#endif
