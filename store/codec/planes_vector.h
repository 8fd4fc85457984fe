/*
 * Byte planes with vectors of any width, written once. A file for one instruction set defines the
 * type and the operations below, and includes this file after them:
 *
 *   vector, VECTOR_SIZE                      the type and its bytes
 *   vector_load, vector_store                at any address
 *   vector_unzip(a, b, &even, &odd)          the even and the odd bytes of a followed by b
 *   vector_zip(even, odd, &a, &b)            the inverse
 *   vector_rotate_left(v, width)             planes.h's rotation of elements of `width` bytes
 *   vector_rotate_right(v, width)            the inverse
 *   VECTOR_OPS, VECTOR_NAME                  the planes_ops to define, and its name
 *
 * Unzipping `width` vectors log2(width) times leaves one vector of each plane, in bit-reversed
 * order.
 */
#include "store/codec/planes.h"
#include "store/codec/planes_plain.h"

#define PLANES_INLINE static inline __attribute__((always_inline))

/* The vector that holds plane k after unzipping, and from which zipping starts. */
PLANES_INLINE unsigned planes_slot(unsigned k, unsigned width)
{
    unsigned slot = 0;

    for (unsigned bit = 1; bit < width; bit *= 2, k /= 2)
        slot = slot * 2 + k % 2;
    return slot;
}

/* One level of unzipping: in each group of vectors, the even bytes to its first half. */
PLANES_INLINE void planes_level_split(vector v[], unsigned width, unsigned group)
{
    vector w[PLANES_MAX];

    for (unsigned start = 0; start < width; start += group)
        for (unsigned i = 0; i < group / 2; i++)
            vector_unzip(v[start + 2 * i], v[start + 2 * i + 1], &w[start + i],
                         &w[start + group / 2 + i]);
    for (unsigned i = 0; i < width; i++)
        v[i] = w[i];
}

PLANES_INLINE void planes_level_merge(vector v[], unsigned width, unsigned group)
{
    vector w[PLANES_MAX];

    for (unsigned start = 0; start < width; start += group)
        for (unsigned i = 0; i < group / 2; i++)
            vector_zip(v[start + i], v[start + group / 2 + i], &w[start + 2 * i],
                       &w[start + 2 * i + 1]);
    for (unsigned i = 0; i < width; i++)
        v[i] = w[i];
}

/* The levels are written out, because a loop over them keeps compilers from holding v in registers.
 */
PLANES_INLINE void planes_vectors_split(vector v[], unsigned width)
{
    if (width == 8)
        planes_level_split(v, width, 8);
    if (width >= 4)
        planes_level_split(v, width, 4);
    planes_level_split(v, width, 2);
}

PLANES_INLINE void planes_vectors_merge(vector v[], unsigned width)
{
    planes_level_merge(v, width, 2);
    if (width >= 4)
        planes_level_merge(v, width, 4);
    if (width == 8)
        planes_level_merge(v, width, 8);
}

PLANES_INLINE void planes_split_vectors(const uint8_t *src, size_t count, uint8_t *const planes[],
                                        unsigned width, bool rotated)
{
    size_t done = 0;

    for (; count - done >= VECTOR_SIZE; done += VECTOR_SIZE) {
        vector v[PLANES_MAX];

        for (unsigned i = 0; i < width; i++) {
            v[i] = vector_load(src + done * width + (size_t)i * VECTOR_SIZE);
            if (rotated)
                v[i] = vector_rotate_left(v[i], width);
        }
        planes_vectors_split(v, width);
        for (unsigned k = 0; k < width; k++)
            vector_store(planes[k] + done, v[planes_slot(k, width)]);
    }
    planes_split_plain(src, done, count, planes, width, rotated);
}

PLANES_INLINE void planes_merge_vectors(const uint8_t *const planes[], size_t count, uint8_t *dst,
                                        unsigned width, bool rotated)
{
    size_t done = 0;

    for (; count - done >= VECTOR_SIZE; done += VECTOR_SIZE) {
        vector v[PLANES_MAX];

        for (unsigned k = 0; k < width; k++)
            v[planes_slot(k, width)] = vector_load(planes[k] + done);
        planes_vectors_merge(v, width);
        for (unsigned i = 0; i < width; i++) {
            if (rotated)
                v[i] = vector_rotate_right(v[i], width);
            vector_store(dst + done * width + (size_t)i * VECTOR_SIZE, v[i]);
        }
    }
    planes_merge_plain(planes, done, count, dst, width, rotated);
}

#define PLANES_DEFINE_VECTOR(width, rotated, suffix)                                               \
    static void split_##suffix(const uint8_t *src, size_t count, uint8_t *const planes[])          \
    {                                                                                              \
        planes_split_vectors(src, count, planes, width, rotated);                                  \
    }                                                                                              \
    static void merge_##suffix(const uint8_t *const planes[], size_t count, uint8_t *dst)          \
    {                                                                                              \
        planes_merge_vectors(planes, count, dst, width, rotated);                                  \
    }

PLANES_DEFINE_VECTOR(2, false, 2)
PLANES_DEFINE_VECTOR(2, true, 2_rotated)
PLANES_DEFINE_VECTOR(4, false, 4)
PLANES_DEFINE_VECTOR(4, true, 4_rotated)
PLANES_DEFINE_VECTOR(8, false, 8)
PLANES_DEFINE_VECTOR(8, true, 8_rotated)

const struct planes_ops VECTOR_OPS = {
    .name = VECTOR_NAME,
    .split = {{split_2, split_2_rotated}, {split_4, split_4_rotated}, {split_8, split_8_rotated}},
    .merge = {{merge_2, merge_2_rotated}, {merge_4, merge_4_rotated}, {merge_8, merge_8_rotated}},
};
