/*
 * Byte planes with AVX-512 VBMI, whose two-source byte permutation is the unzip and the zip.
 * Compiled with -mavx512bw -mavx512vbmi; called only where the processor has both.
 */
#include "store/base/defs.h"

#include <immintrin.h>

typedef __m512i vector;
enum { VECTOR_SIZE = 64 };
#define VECTOR_OPS  planes_ops_avx512
#define VECTOR_NAME "avx512"

static inline vector vector_load(const uint8_t *at)
{
    return _mm512_loadu_si512(at);
}

static inline void vector_store(uint8_t *at, vector v)
{
    _mm512_storeu_si512(at, v);
}

/* Byte i is start + i * step: as 64-bit words of eight consecutive bytes. */
static inline vector evens(void)
{
    return _mm512_set_epi64(0x7E7C7A7876747270, 0x6E6C6A6866646260, 0x5E5C5A5856545250,
                            0x4E4C4A4846444240, 0x3E3C3A3836343230, 0x2E2C2A2826242220,
                            0x1E1C1A1816141210, 0x0E0C0A0806040200);
}

/* 0, 64, 1, 65, ...: bytes of the first and the second source in turn. */
static inline vector alternating(void)
{
    return _mm512_set_epi64(0x5F1F5E1E5D1D5C1C, 0x5B1B5A1A59195818, 0x5717561655155414,
                            0x5313521251115010, 0x4F0F4E0E4D0D4C0C, 0x4B0B4A0A49094808,
                            0x4707460645054404, 0x4303420241014000);
}

static inline void vector_unzip(vector a, vector b, vector *even, vector *odd)
{
    vector odds = _mm512_add_epi8(evens(), _mm512_set1_epi8(1));

    *even = _mm512_permutex2var_epi8(a, evens(), b);
    *odd = _mm512_permutex2var_epi8(a, odds, b);
}

static inline void vector_zip(vector even, vector odd, vector *a, vector *b)
{
    vector upper = _mm512_add_epi8(alternating(), _mm512_set1_epi8(32));

    *a = _mm512_permutex2var_epi8(even, alternating(), odd);
    *b = _mm512_permutex2var_epi8(even, upper, odd);
}

/* One bit for each 16 bits of the vector: those that are the highest of an element. */
static inline __mmask32 top_mask(unsigned width)
{
    if (width == 2)
        return 0xFFFFFFFFu;
    return width == 4 ? 0xAAAAAAAAu : 0x88888888u;
}

static inline vector vector_rotate_left(vector v, unsigned width)
{
    vector rotated = _mm512_or_si512(_mm512_slli_epi16(v, 1), _mm512_srli_epi16(v, 15));

    return _mm512_mask_mov_epi16(v, top_mask(width), rotated);
}

static inline vector vector_rotate_right(vector v, unsigned width)
{
    vector rotated = _mm512_or_si512(_mm512_srli_epi16(v, 1), _mm512_slli_epi16(v, 15));

    return _mm512_mask_mov_epi16(v, top_mask(width), rotated);
}

#include "store/codec/planes_vector.h"
