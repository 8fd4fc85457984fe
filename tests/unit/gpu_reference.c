#include "gpu_reference.h"

#include "gpu/crc.h"

#include <math.h>

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

double reference_decode(enum gpu_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case GPU_F64:
        return decode_ieee(bits, 11, 52, true);
    case GPU_F32:
        return decode_ieee(bits, 8, 23, true);
    case GPU_F16:
        return decode_ieee(bits, 5, 10, true);
    case GPU_BF16:
        return decode_ieee(bits, 8, 7, true);
    case GPU_F8_E5M2:
        return decode_ieee(bits, 5, 2, true);
    case GPU_F8_E4M3:
        return decode_ieee(bits, 4, 3, false);
    case GPU_I64:
        return (double)(int64_t)bits;
    case GPU_I32:
        return (int32_t)bits;
    case GPU_I16:
        return (int16_t)bits;
    case GPU_I8:
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

void reference_leaf(enum gpu_dtype dtype, const uint8_t *data, uint32_t size, struct gpu_leaf *ret)
{
    const uint32_t width = gpu_dtype_width(dtype);
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

/* One warp's registers. */
struct warp {
    uint32_t words[32][GPU_TILE_ROWS];
    struct gpu_crc_lane crc[32];
    struct gpu_lane lanes[32];
};

static void warp_load(struct warp *warp, const uint8_t *tile, uint32_t size)
{
    for (uint32_t lane = 0; lane < 32; lane++) {
        for (uint32_t row = 0; row < GPU_TILE_ROWS; row++) {
            uint32_t at = row * GPU_ROW_BYTES + lane * 4;

            warp->words[lane][row] = at < size ? (uint32_t)gpu_load(4, tile + at) : 0;
        }
    }
}

/* What __shfl_xor_sync(…, 1) brings each lane. */
static void warp_gather_wide(const struct warp *warp, uint32_t lane,
                             uint64_t elements[GPU_TILE_ROWS / 2])
{
    const uint32_t *own = warp->words[lane];
    const uint32_t *other = warp->words[lane ^ 1];

    for (uint32_t i = 0; i < GPU_TILE_ROWS / 2; i++) {
        bool odd = lane & 1;
        uint32_t taken = !odd ? other[2 * i] : other[2 * i + 1];
        uint32_t low = odd ? taken : own[2 * i];
        uint32_t high = odd ? own[2 * i + 1] : taken;

        elements[i] = (uint64_t)high << 32 | low;
    }
}

static void warp_add_elements(struct warp *warp, uint32_t dtype, const uint8_t *tile, uint32_t size)
{
    for (uint32_t lane = 0; lane < 32; lane++) {
        uint64_t elements[GPU_TILE_ROWS / 2];

        if (gpu_width_of(dtype) == 8 && size == GPU_TILE_BYTES) {
            warp_gather_wide(warp, lane, elements);
            gpu_lane_add_wide_tile(dtype, elements, &warp->lanes[lane]);
        } else if (size == GPU_TILE_BYTES && gpu_tile_is_finite(dtype, warp->words[lane])) {
            gpu_lane_add_tile(dtype, warp->words[lane], &warp->lanes[lane]);
        } else {
            gpu_lane_add_tile_plainly(dtype, tile, size, lane, &warp->lanes[lane]);
        }
    }
}

static void warp_mask(struct warp *warp, uint32_t begin, uint32_t end)
{
    for (uint32_t lane = 0; lane < 32; lane++) {
        for (uint32_t row = 0; row < GPU_TILE_ROWS; row++)
            warp->words[lane][row] &= gpu_word_mask(row * GPU_ROW_BYTES + lane * 4, begin, end);
    }
}

static uint32_t warp_part(struct warp *warp, uint32_t dtype, const uint8_t *leaf,
                          uint32_t leaf_size, uint32_t begin, uint32_t end)
{
    static struct gpu_crc_constants constants;
    static bool constants_ready;
    uint32_t raw = 0;

    if (!constants_ready)
        gpu_crc_constants_init(&constants);
    constants_ready = true;
    for (uint32_t lane = 0; lane < 32; lane++)
        gpu_crc_lane_init(&warp->crc[lane]);
    for (uint32_t base = begin / GPU_TILE_BYTES * GPU_TILE_BYTES; base < end;
         base += GPU_TILE_BYTES) {
        uint32_t size = leaf_size - base < GPU_TILE_BYTES ? leaf_size - base : GPU_TILE_BYTES;

        warp_load(warp, leaf + base, size);
        if (dtype != GPU_BYTES && base >= begin)
            warp_add_elements(warp, dtype, leaf + base, size);
        if (base < begin || end - base < GPU_TILE_BYTES)
            warp_mask(warp, begin > base ? begin - base : 0, end - base);
        for (uint32_t lane = 0; lane < 32; lane++)
            gpu_crc_lane_add_tile(&warp->crc[lane], warp->words[lane]);
    }
    for (uint32_t lane = 0; lane < 32; lane++)
        raw ^= gpu_crc_lane_finish(&warp->crc[lane], (const uint32_t(*)[256])constants.row_table,
                                   constants.lane_factor[lane]);
    return raw;
}

void emulated_leaf(enum gpu_dtype dtype, const uint8_t *data, uint32_t size,
                   const uint32_t *part_ends, uint32_t part_count, uint32_t *crcs,
                   struct gpu_leaf *ret)
{
    static struct warp warp;
    uint32_t begin = 0;

    for (uint32_t lane = 0; lane < 32; lane++)
        gpu_lane_init(&warp.lanes[lane]);
    for (uint32_t part = 0; part < part_count; part++) {
        uint32_t end = part_ends[part];
        uint32_t padding = (GPU_TILE_BYTES - end % GPU_TILE_BYTES) % GPU_TILE_BYTES;

        crcs[part] = gpu_crc_from_raw(warp_part(&warp, (uint32_t)dtype, data, size, begin, end),
                                      end - begin, padding);
        begin = end;
    }
    memset(ret, 0, sizeof(*ret));
    if (dtype == GPU_BYTES)
        return;
    for (uint32_t distance = 16; distance > 0; distance /= 2) {
        for (uint32_t lane = 0; lane + distance < 32; lane++)
            gpu_lane_merge(&warp.lanes[lane], &warp.lanes[lane + distance]);
    }
    gpu_lane_finish((uint32_t)dtype, &warp.lanes[0], ret);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545F4914F6CDD1Dull;
}

/* One bit of an exponent of ones cleared makes a finite number. */
static uint64_t make_finite(enum gpu_dtype dtype, uint64_t bits)
{
    uint32_t width = gpu_dtype_width(dtype);

    return isfinite(reference_decode(dtype, bits)) ? bits : bits & ~(1ull << (8 * width - 3));
}

static uint64_t special_bits(enum gpu_dtype dtype, uint64_t choice)
{
    uint32_t width = gpu_dtype_width(dtype);
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
        return dtype == GPU_F64       ? 0x7FF0000000000000ull
               : dtype == GPU_F32     ? 0xFF800000u
               : dtype == GPU_BF16    ? 0xFF80u
               : dtype == GPU_F16     ? 0x7C00u
               : dtype == GPU_F8_E5M2 ? 0xFCu
                                      : 2;
    }
}

void reference_fill(enum gpu_dtype dtype, uint64_t seed, bool plain, uint8_t *data, size_t size)
{
    const uint32_t width = gpu_dtype_width(dtype);
    uint64_t state = seed * 2 + 1;

    for (size_t at = 0; at + width <= size; at += width) {
        uint64_t bits = next_random(&state);

        bits = width == 8 ? bits : bits & ((1ull << (8 * width)) - 1);
        if (plain)
            bits = make_finite(dtype, bits);
        else if (next_random(&state) % 64 == 0)
            bits = special_bits(dtype, next_random(&state) >> 8);
        memcpy(data + at, &bits, width);
    }
}
