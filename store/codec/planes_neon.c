/*
 * Byte planes with NEON, which every AArch64 has.
 */
#include "store/base/defs.h"

#include <arm_neon.h>

typedef uint8x16_t vector;
enum { VECTOR_SIZE = 16 };
#define VECTOR_OPS  planes_ops_neon
#define VECTOR_NAME "neon"

static inline vector vector_load(const uint8_t *at)
{
    return vld1q_u8(at);
}

static inline void vector_store(uint8_t *at, vector v)
{
    vst1q_u8(at, v);
}

static inline void vector_unzip(vector a, vector b, vector *even, vector *odd)
{
    *even = vuzp1q_u8(a, b);
    *odd = vuzp2q_u8(a, b);
}

static inline void vector_zip(vector even, vector odd, vector *a, vector *b)
{
    *a = vzip1q_u8(even, odd);
    *b = vzip2q_u8(even, odd);
}

/* All ones in the highest 16 bits of each element. */
static inline vector top_mask(unsigned width)
{
    if (width == 2)
        return vdupq_n_u8(0xFF);
    if (width == 4)
        return vreinterpretq_u8_u32(vdupq_n_u32(0xFFFF0000u));
    return vreinterpretq_u8_u64(vdupq_n_u64(0xFFFF000000000000ull));
}

static inline vector vector_rotate_left(vector v, unsigned width)
{
    uint16x8_t words = vreinterpretq_u16_u8(v);
    uint16x8_t rotated = vorrq_u16(vshlq_n_u16(words, 1), vshrq_n_u16(words, 15));

    return vbslq_u8(top_mask(width), vreinterpretq_u8_u16(rotated), v);
}

static inline vector vector_rotate_right(vector v, unsigned width)
{
    uint16x8_t words = vreinterpretq_u16_u8(v);
    uint16x8_t rotated = vorrq_u16(vshrq_n_u16(words, 1), vshlq_n_u16(words, 15));

    return vbslq_u8(top_mask(width), vreinterpretq_u8_u16(rotated), v);
}

#include "store/codec/planes_vector.h"
