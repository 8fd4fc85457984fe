/*
 * Byte planes with SSE2, which every x86-64 has.
 */
#include "store/base/defs.h"

#include <emmintrin.h>

typedef __m128i vector;
enum { VECTOR_SIZE = 16 };
#define VECTOR_OPS  planes_ops_sse2
#define VECTOR_NAME "sse2"

static inline vector vector_load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline void vector_store(uint8_t *at, vector v)
{
    _mm_storeu_si128((__m128i *)(void *)at, v);
}

static inline void vector_unzip(vector a, vector b, vector *even, vector *odd)
{
    vector low = _mm_set1_epi16(0xFF);

    *even = _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
    *odd = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}

static inline void vector_zip(vector even, vector odd, vector *a, vector *b)
{
    *a = _mm_unpacklo_epi8(even, odd);
    *b = _mm_unpackhi_epi8(even, odd);
}

/* All ones in the highest 16 bits of each element. */
static inline vector top_mask(unsigned width)
{
    if (width == 2)
        return _mm_set1_epi16(-1);
    if (width == 4)
        return _mm_set1_epi32((int)0xFFFF0000u);
    return _mm_set1_epi64x((long long)0xFFFF000000000000ull);
}

static inline vector select_top(vector v, vector rotated, unsigned width)
{
    vector mask = top_mask(width);

    return _mm_or_si128(_mm_andnot_si128(mask, v), _mm_and_si128(mask, rotated));
}

static inline vector vector_rotate_left(vector v, unsigned width)
{
    return select_top(v, _mm_or_si128(_mm_slli_epi16(v, 1), _mm_srli_epi16(v, 15)), width);
}

static inline vector vector_rotate_right(vector v, unsigned width)
{
    return select_top(v, _mm_or_si128(_mm_srli_epi16(v, 1), _mm_slli_epi16(v, 15)), width);
}

#include "store/codec/planes_vector.h"
