/*
 * The measurement's data. The elements are random and finite: on zeros or constants
 * a memory bus and a predictor look better than they are.
 */
#include "gpu/arithmetic.h"
#include "gpu/backend.h"
#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>

enum { ROUND_COUNT_MAX = 10000 };

/* With one bit of each exponent cleared nothing is infinite or NaN. */
static uint64_t finite_mask(enum dtype dtype)
{
    const uint32_t width = dtype_width(dtype);
    uint64_t mask = ~0ull;

    if (!gpu_is_floating((uint32_t)dtype))
        return mask;
    for (uint32_t at = 0; at < 8; at += width)
        mask &= ~(1ull << (8 * (at + width) - 3));
    return mask;
}

static void pattern_fill(uint8_t *pattern, enum dtype dtype)
{
    const uint64_t mask = finite_mask(dtype);
    uint64_t state = 0x9E3779B97F4A7C15ull;

    for (size_t at = 0; at < GPU_PATTERN_BYTES; at += sizeof(state)) {
        uint64_t value;

        state ^= state << 13; /* xorshift64, Marsaglia 2003 */
        state ^= state >> 7;
        state ^= state << 17;
        value = state & mask;
        memcpy(pattern + at, &value, sizeof(value));
    }
}

int gpu_measure(struct gpu *gpu, uint64_t byte_count, enum dtype dtype, unsigned round_count,
                struct gpu_speed *ret)
{
    uint8_t *pattern;
    int err;

    if (byte_count == 0 || byte_count > 1ull << 40 || round_count == 0 ||
        round_count > ROUND_COUNT_MAX || (unsigned)dtype >= DTYPE_ARITHMETIC_COUNT)
        return tfs_fail(-EINVAL, "measure %llu bytes of dtype %d, %u rounds",
                        (unsigned long long)byte_count, (int)dtype, round_count);
    pattern = aligned_alloc(4096, GPU_PATTERN_BYTES);
    if (!pattern)
        return -ENOMEM;
    pattern_fill(pattern, dtype);
    err = gpu->ops->measure(gpu, pattern, tfs_align_up(byte_count, GPU_LEAF_BYTES), dtype,
                            round_count, ret);
    free(pattern);
    return err;
}
