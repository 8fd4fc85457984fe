/*
 * CRC32C with the crc32 instruction. It takes 3 cycles and a new one can start every cycle, so
 * three streams run side by side and are joined by a carry-less multiplication (V. Gopal et al.,
 * "Fast CRC computation for iSCSI polynomial using CRC32 instruction", Intel, 2011).
 *
 * Joining: crc32(0, clmul(a, k)) = a * k * x^33 mod P, because the product of two reflected 32-bit
 * polynomials lies one bit low in its 64-bit word and the instruction multiplies by x^32. So moving
 * a register over n bytes takes k = x^(8n - 33).
 *
 * Compiled with -msse4.2 -mpclmul; called only where the processor has both.
 */
#include "store/base/crc32c_internal.h"

#include <nmmintrin.h>
#include <string.h>
#include <wmmintrin.h>

enum { LANE_LONG = 2048, LANE_SHORT = 192 }; /* bytes, multiples of 8 */

/* x^(8n - 33) mod P for n = one and two lanes. */
static const uint64_t lane_long_keys[2] = {0xA51B6135, 0x82F89C77};
static const uint64_t lane_short_keys[2] = {0xAB7AFF2A, 0xD270F1A2};

static inline uint64_t load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t move_over(uint64_t state, uint64_t key)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)state),
                                           _mm_cvtsi64_si128((long long)key), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

/* Three lanes of `lane` bytes each. */
static uint64_t three_lanes(uint64_t a, const uint8_t *data, size_t lane, const uint64_t keys[2])
{
    uint64_t b = 0;
    uint64_t c = 0;
    uint64_t joined;

    for (size_t i = 0; i < lane; i += 8) {
        a = _mm_crc32_u64(a, load(data + i));
        b = _mm_crc32_u64(b, load(data + lane + i));
        c = _mm_crc32_u64(c, load(data + 2 * lane + i));
    }
    joined = move_over(a, keys[1]) ^ move_over(b, keys[0]);
    return _mm_crc32_u64(0, joined) ^ c;
}

uint32_t crc32c_update_sse42(uint32_t state, const uint8_t *data, size_t size)
{
    uint64_t wide = state;

    for (; size >= 3 * LANE_LONG; data += 3 * LANE_LONG, size -= 3 * LANE_LONG)
        wide = three_lanes(wide, data, LANE_LONG, lane_long_keys);
    for (; size >= 3 * LANE_SHORT; data += 3 * LANE_SHORT, size -= 3 * LANE_SHORT)
        wide = three_lanes(wide, data, LANE_SHORT, lane_short_keys);
    for (; size >= 8; data += 8, size -= 8)
        wide = _mm_crc32_u64(wide, load(data));
    for (; size > 0; data++, size--)
        wide = _mm_crc32_u8((uint32_t)wide, *data);
    return (uint32_t)wide;
}
