/*
 * CRC32C by folding 256 bytes at a time with 512-bit carry-less multiplication.
 *
 * A 128-bit lane is the polynomial LO * x^64 + HI (LO is the first eight bytes). Folding it over d
 * bytes of what follows adds LO * x^(8d + 64) + HI * x^(8d) to the lane there, and a reflected 64 x
 * 32 bit product lies 33 bits low in its lane, so the keys are x^(8d + 64 - 33) and x^(8d - 33) mod
 * P.
 *
 * Compiled for AVX512VL/BW, VPCLMULQDQ, PCLMUL and SSE4.2; called only where the processor has
 * them.
 */
#include "store/base/crc32c_internal.h"

#include <immintrin.h>
#include <string.h>

enum { FOLD_SIZE = 256, WORTH_SIZE = 512 };

struct fold_keys {
    long long low, high;
};

/* For 256, 64, 48, 32 and 16 bytes. */
static const struct fold_keys keys_256 = {0xDCB17AA4, 0xB9E02B86};
static const struct fold_keys keys_64 = {0x740EEF02, 0x9E4ADDF8};
static const struct fold_keys keys_48 = {0x1C291D04, 0xDDC0152B};
static const struct fold_keys keys_32 = {0x3DA6D0CB, 0xBA4FC28E};
static const struct fold_keys keys_16 = {0xF20C0DFE, 0x493C7D27};

static inline __m512i load(const uint8_t *at)
{
    return _mm512_loadu_si512(at);
}

/* lane * x^(8d), each of four, plus `next`. */
static inline __m512i fold(__m512i lanes, __m512i keys, __m512i next)
{
    __m512i low = _mm512_clmulepi64_epi128(lanes, keys, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(lanes, keys, 0x11);

    return _mm512_ternarylogic_epi64(low, high, next, 0x96); /* three-way exclusive or */
}

static inline __m512i broadcast(struct fold_keys keys)
{
    return _mm512_broadcast_i32x4(_mm_set_epi64x(keys.high, keys.low));
}

static inline __m128i move_lane(__m128i lane, struct fold_keys keys)
{
    __m128i key = _mm_set_epi64x(keys.high, keys.low);

    return _mm_xor_si128(_mm_clmulepi64_si128(lane, key, 0x00),
                         _mm_clmulepi64_si128(lane, key, 0x11));
}

/* Four lanes to the register: all moved onto the last one, which the crc32 instruction then
 * reduces. */
static uint32_t reduce(__m512i lanes)
{
    __m128i sum = _mm512_extracti32x4_epi32(lanes, 3);

    sum = _mm_xor_si128(sum, move_lane(_mm512_extracti32x4_epi32(lanes, 0), keys_48));
    sum = _mm_xor_si128(sum, move_lane(_mm512_extracti32x4_epi32(lanes, 1), keys_32));
    sum = _mm_xor_si128(sum, move_lane(_mm512_extracti32x4_epi32(lanes, 2), keys_16));
    return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(0, (unsigned long long)_mm_cvtsi128_si64(sum)),
                                   (unsigned long long)_mm_extract_epi64(sum, 1));
}

uint32_t crc32c_update_avx512(uint32_t state, const uint8_t *data, size_t size)
{
    __m512i a, b, c, d, keys;

    if (size < WORTH_SIZE)
        return crc32c_update_sse42(state, data, size);

    a = _mm512_xor_si512(load(data), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)state)));
    b = load(data + 64);
    c = load(data + 128);
    d = load(data + 192);
    keys = broadcast(keys_256);
    for (data += FOLD_SIZE, size -= FOLD_SIZE; size >= FOLD_SIZE;
         data += FOLD_SIZE, size -= FOLD_SIZE) {
        a = fold(a, keys, load(data));
        b = fold(b, keys, load(data + 64));
        c = fold(c, keys, load(data + 128));
        d = fold(d, keys, load(data + 192));
    }

    keys = broadcast(keys_64);
    b = fold(a, keys, b);
    c = fold(b, keys, c);
    d = fold(c, keys, d);
    return crc32c_update_sse42(reduce(d), data, size);
}
