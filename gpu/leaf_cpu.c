/*
 * Statistics of a leaf on the CPU. The 32 lanes of arithmetic.h are the elements of arrays here, so
 * that the compiler turns each loop over them into vector instructions; this file is compiled with
 * -O3 for that reason. A tile that is short or holds a NaN or an infinity goes the plain way.
 *
 * Invariant: lane l's sums see the same additions in the same order as in
 * gpu_lane_add_tile_plainly.
 */
#include "gpu/leaf_cpu.h"

#include "gpu/arithmetic.h"

#include <assert.h>

/* For elements of 8 bytes, index i of the arrays is element i modulo 32, not the lane. */
struct leaf_lanes {
    double sum[GPU_LANES];
    double square_sum[GPU_LANES];
    double min[GPU_LANES];
    double max[GPU_LANES];
    float float_min[GPU_LANES];
    float float_max[GPU_LANES];
    uint32_t zero_count[GPU_LANES];
    uint32_t nan_count;
    uint32_t inf_count;
} __attribute__((aligned(64)));

GPU_INLINE void leaf_lanes_init(struct leaf_lanes *lanes)
{
    struct gpu_lane fresh;

    gpu_lane_init(&fresh);
    for (unsigned l = 0; l < GPU_LANES; l++) {
        lanes->sum[l] = fresh.sum;
        lanes->square_sum[l] = fresh.square_sum;
        lanes->min[l] = fresh.min;
        lanes->max[l] = fresh.max;
        lanes->float_min[l] = fresh.float_min;
        lanes->float_max[l] = fresh.float_max;
        lanes->zero_count[l] = 0;
    }
    lanes->nan_count = 0;
    lanes->inf_count = 0;
}

/* The index in the arrays of what lane l sums. */
GPU_INLINE unsigned leaf_slot_of_lane(uint32_t dtype, unsigned l)
{
    return gpu_width_of(dtype) == 8 ? 16 * (l & 1) + l / 2 : l;
}

GPU_INLINE void leaf_lane_get(uint32_t dtype, const struct leaf_lanes *lanes, unsigned l,
                              struct gpu_lane *ret)
{
    unsigned i = leaf_slot_of_lane(dtype, l);

    ret->sum = lanes->sum[i];
    ret->square_sum = lanes->square_sum[i];
    ret->min = lanes->min[i];
    ret->max = lanes->max[i];
    ret->float_min = lanes->float_min[i];
    ret->float_max = lanes->float_max[i];
    ret->zero_count = lanes->zero_count[i];
    ret->nan_count = 0;
    ret->inf_count = 0;
}

GPU_INLINE void leaf_lane_put(uint32_t dtype, struct leaf_lanes *lanes, unsigned l,
                              const struct gpu_lane *lane)
{
    unsigned i = leaf_slot_of_lane(dtype, l);

    lanes->sum[i] = lane->sum;
    lanes->square_sum[i] = lane->square_sum;
    lanes->min[i] = lane->min;
    lanes->max[i] = lane->max;
    lanes->float_min[i] = lane->float_min;
    lanes->float_max[i] = lane->float_max;
    lanes->zero_count[i] = lane->zero_count;
    lanes->nan_count += lane->nan_count;
    lanes->inf_count += lane->inf_count;
}

GPU_INLINE void leaf_add_tile_plainly(uint32_t dtype, const uint8_t *tile, uint32_t size,
                                      struct leaf_lanes *lanes)
{
    for (unsigned l = 0; l < GPU_LANES; l++) {
        struct gpu_lane lane;

        leaf_lane_get(dtype, lanes, l, &lane);
        gpu_lane_add_tile_plainly(dtype, tile, size, l, &lane);
        leaf_lane_put(dtype, lanes, l, &lane);
    }
}

GPU_INLINE void leaf_add_value(double value, unsigned i, struct leaf_lanes *lanes)
{
    lanes->sum[i] += value;
    lanes->square_sum[i] += value * value;
}

/* Elements that fit float. */
GPU_INLINE void leaf_add_float(float value, unsigned i, struct leaf_lanes *lanes)
{
    lanes->float_min[i] = gpu_float_min(lanes->float_min[i], value);
    lanes->float_max[i] = gpu_float_max(lanes->float_max[i], value);
    leaf_add_value((double)value, i, lanes);
}

GPU_INLINE void leaf_add_double(double value, unsigned i, struct leaf_lanes *lanes)
{
    lanes->min[i] = value < lanes->min[i] ? value : lanes->min[i];
    lanes->max[i] = value > lanes->max[i] ? value : lanes->max[i];
    leaf_add_value(value, i, lanes);
}

GPU_INLINE void leaf_add_word(uint32_t dtype, uint32_t word, unsigned i, struct leaf_lanes *lanes)
{
    const uint32_t width = gpu_width_of(dtype);
    const uint32_t element_mask = width == 4 ? 0xFFFFFFFFu : (1u << (8 * (width & 3))) - 1;

    for (unsigned k = 0; k < 4 / width; k++) {
        uint32_t bits = (word >> (8 * width * k)) & element_mask;

        if (gpu_fits_float(dtype))
            leaf_add_float(gpu_decode_float(dtype, bits), i, lanes);
        else
            leaf_add_double(gpu_decode(dtype, bits), i, lanes);
    }
}

/* A counter for each element of a word, side by side: a tile adds at most 32 to each of them. */
GPU_INLINE void leaf_count_zeros(uint32_t dtype, const uint32_t *words, struct leaf_lanes *lanes)
{
    const uint32_t width = gpu_width_of(dtype);
    const uint32_t each = gpu_packed_top(width) >> (8 * width - 1);
    uint32_t nonzero[GPU_LANES] = {0};

    for (unsigned row = 0; row < GPU_TILE_ROWS; row++) {
        for (unsigned l = 0; l < GPU_LANES; l++)
            nonzero[l] +=
                gpu_packed_nonzero(dtype, words[row * GPU_LANES + l]) >> (8 * width - 1) & each;
    }
    for (unsigned l = 0; l < GPU_LANES; l++) {
        lanes->zero_count[l] += GPU_TILE_ROWS * (4 / width);
        for (unsigned k = 0; k < 4 / width; k++)
            lanes->zero_count[l] -= nonzero[l] >> (8 * width * k) & 0xFF;
    }
}

GPU_INLINE bool leaf_tile_is_finite(uint32_t dtype, const uint32_t *words)
{
    uint32_t nonfinite = 0;

    for (unsigned i = 0; i < GPU_TILE_ROWS * GPU_LANES; i++)
        nonfinite |= gpu_packed_nonfinite(dtype, words[i]);
    return nonfinite == 0;
}

GPU_INLINE void leaf_add_tile(uint32_t dtype, const uint8_t *tile, struct leaf_lanes *lanes)
{
    const uint32_t *words = (const uint32_t *)(const void *)tile;

    if (gpu_is_floating(dtype) && !leaf_tile_is_finite(dtype, words)) {
        leaf_add_tile_plainly(dtype, tile, GPU_TILE_BYTES, lanes);
        return;
    }
    leaf_count_zeros(dtype, words, lanes);
    for (unsigned row = 0; row < GPU_TILE_ROWS; row++) {
        for (unsigned l = 0; l < GPU_LANES; l++)
            leaf_add_word(dtype, words[row * GPU_LANES + l], l, lanes);
    }
}

GPU_INLINE bool leaf_wide_tile_is_finite(uint32_t dtype, const uint64_t *elements)
{
    uint64_t nonfinite = 0;

    for (unsigned i = 0; i < GPU_TILE_BYTES / 8; i++)
        nonfinite |= gpu_magnitude(dtype, elements[i]) + (1ull << 63) - gpu_nonfinite_from(dtype);
    return nonfinite >> 63 == 0;
}

GPU_INLINE void leaf_add_wide_tile(uint32_t dtype, const uint8_t *tile, struct leaf_lanes *lanes)
{
    const uint64_t *elements = (const uint64_t *)(const void *)tile;

    if (gpu_is_floating(dtype) && !leaf_wide_tile_is_finite(dtype, elements)) {
        leaf_add_tile_plainly(dtype, tile, GPU_TILE_BYTES, lanes);
        return;
    }
    for (unsigned first = 0; first < GPU_TILE_BYTES / 8; first += GPU_LANES) {
        for (unsigned i = 0; i < GPU_LANES; i++) {
            double value = gpu_decode(dtype, elements[first + i]);

            lanes->zero_count[i] += value == 0;
            leaf_add_double(value, i, lanes);
        }
    }
}

GPU_INLINE void leaf_reduce(uint32_t dtype, const struct leaf_lanes *lanes, struct gpu_leaf *ret)
{
    struct gpu_lane lane[GPU_LANES];

    for (unsigned l = 0; l < GPU_LANES; l++)
        leaf_lane_get(dtype, lanes, l, &lane[l]);
    for (unsigned distance = GPU_LANES / 2; distance > 0; distance /= 2) {
        for (unsigned l = 0; l < distance; l++)
            gpu_lane_merge(&lane[l], &lane[l + distance]);
    }
    lane[0].nan_count = lanes->nan_count;
    lane[0].inf_count = lanes->inf_count;
    gpu_lane_finish(dtype, &lane[0], ret);
}

GPU_INLINE void leaf_compute(uint32_t dtype, const uint8_t *data, uint32_t size,
                             struct gpu_leaf *ret)
{
    struct leaf_lanes lanes;
    uint32_t at = 0;

    leaf_lanes_init(&lanes);
    for (; size - at >= GPU_TILE_BYTES; at += GPU_TILE_BYTES) {
        if (gpu_width_of(dtype) == 8)
            leaf_add_wide_tile(dtype, data + at, &lanes);
        else
            leaf_add_tile(dtype, data + at, &lanes);
    }
    if (at < size)
        leaf_add_tile_plainly(dtype, data + at, size - at, &lanes);
    leaf_reduce(dtype, &lanes, ret);
}

#define LEAF_CASE(dtype)                                                                           \
    case dtype:                                                                                    \
        leaf_compute(dtype, data, size, ret);                                                      \
        break;

/* One function for each instruction set, with each dtype as a constant inside. */
#define LEAF_FUNCTION(name, attributes)                                                            \
    attributes static void name(enum dtype dtype, const uint8_t *data, uint32_t size,              \
                                struct gpu_leaf *ret)                                              \
    {                                                                                              \
        switch (dtype) {                                                                           \
            LEAF_CASE(DTYPE_BOOL)                                                                  \
            LEAF_CASE(DTYPE_U8)                                                                    \
            LEAF_CASE(DTYPE_I8)                                                                    \
            LEAF_CASE(DTYPE_U16)                                                                   \
            LEAF_CASE(DTYPE_I16)                                                                   \
            LEAF_CASE(DTYPE_U32)                                                                   \
            LEAF_CASE(DTYPE_I32)                                                                   \
            LEAF_CASE(DTYPE_U64)                                                                   \
            LEAF_CASE(DTYPE_I64)                                                                   \
            LEAF_CASE(DTYPE_F8_E4M3)                                                               \
            LEAF_CASE(DTYPE_F8_E5M2)                                                               \
            LEAF_CASE(DTYPE_F16)                                                                   \
            LEAF_CASE(DTYPE_BF16)                                                                  \
            LEAF_CASE(DTYPE_F32)                                                                   \
            LEAF_CASE(DTYPE_F64)                                                                   \
        default:                                                                                   \
            assert(dtype == DTYPE_BYTES);                                                          \
            memset(ret, 0, sizeof(*ret));                                                          \
            break;                                                                                 \
        }                                                                                          \
    }

LEAF_FUNCTION(leaf_generic, )

#if defined(__x86_64__)
LEAF_FUNCTION(leaf_avx2, __attribute__((target("avx2"))))
LEAF_FUNCTION(leaf_avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))))
#endif

const struct gpu_leaf_variant *gpu_leaf_variant(unsigned index)
{
    static const struct gpu_leaf_variant generic = {"generic", leaf_generic};

#if defined(__x86_64__)
    static const struct gpu_leaf_variant avx2 = {"avx2", leaf_avx2};
    static const struct gpu_leaf_variant avx512 = {"avx512", leaf_avx512};

    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        if (index == 0)
            return &avx512;
        index--;
    }
    if (__builtin_cpu_supports("avx2")) {
        if (index == 0)
            return &avx2;
        index--;
    }
#endif
    return index == 0 ? &generic : NULL;
}
