/*
 * Byte planes with AVX2. Its packs and unpacks work within 128-bit lanes, so each needs a
 * permutation. Compiled with -mavx2; called only where the processor has it.
 */
#include "store/base/defs.h"

#include <immintrin.h>

typedef __m256i vector;
enum { VECTOR_SIZE = 32 };
#define VECTOR_OPS  planes_ops_avx2
#define VECTOR_NAME "avx2"

static inline vector vector_load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

static inline void vector_store(uint8_t *at, vector v)
{
    _mm256_storeu_si256((__m256i *)(void *)at, v);
}

static inline void vector_unzip(vector a, vector b, vector *even, vector *odd)
{
    vector low = _mm256_set1_epi16(0xFF);
    vector evens = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    vector odds = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));

    *even = _mm256_permute4x64_epi64(evens, _MM_SHUFFLE(3, 1, 2, 0));
    *odd = _mm256_permute4x64_epi64(odds, _MM_SHUFFLE(3, 1, 2, 0));
}

static inline void vector_zip(vector even, vector odd, vector *a, vector *b)
{
    vector low = _mm256_unpacklo_epi8(even, odd);
    vector high = _mm256_unpackhi_epi8(even, odd);

    *a = _mm256_permute2x128_si256(low, high, 0x20);
    *b = _mm256_permute2x128_si256(low, high, 0x31);
}

static inline vector select_top(vector v, vector rotated, unsigned width)
{
    if (width == 2)
        return rotated;
    if (width == 4)
        return _mm256_blend_epi16(v, rotated, 0xAA);
    return _mm256_blend_epi16(v, rotated, 0x88);
}

static inline vector vector_rotate_left(vector v, unsigned width)
{
    return select_top(v, _mm256_or_si256(_mm256_slli_epi16(v, 1), _mm256_srli_epi16(v, 15)), width);
}

static inline vector vector_rotate_right(vector v, unsigned width)
{
    return select_top(v, _mm256_or_si256(_mm256_srli_epi16(v, 1), _mm256_slli_epi16(v, 15)), width);
}

#include "store/codec/planes_vector.h"
