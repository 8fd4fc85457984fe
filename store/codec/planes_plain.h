/*
 * One element at a time: what plain C and the remainders of the vector loops share. Private to
 * planes*.c.
 */
#ifndef TFS_CODEC_PLANES_PLAIN_H
#define TFS_CODEC_PLANES_PLAIN_H

#include "store/base/defs.h"

static inline __attribute__((always_inline)) void planes_split_plain(const uint8_t *src,
                                                                     size_t from, size_t count,
                                                                     uint8_t *const planes[],
                                                                     unsigned width, bool rotated)
{
    for (size_t i = from; i < count; i++) {
        const uint8_t *element = src + i * width;
        uint8_t high = element[width - 1];
        uint8_t second = element[width - 2];

        for (unsigned k = 0; k + 2 < width; k++)
            planes[k][i] = element[k];
        planes[width - 1][i] = rotated ? (uint8_t)(high << 1 | second >> 7) : high;
        planes[width - 2][i] = rotated ? (uint8_t)(second << 1 | high >> 7) : second;
    }
}

static inline __attribute__((always_inline)) void planes_merge_plain(const uint8_t *const planes[],
                                                                     size_t from, size_t count,
                                                                     uint8_t *dst, unsigned width,
                                                                     bool rotated)
{
    for (size_t i = from; i < count; i++) {
        uint8_t *element = dst + i * width;
        uint8_t high = planes[width - 1][i];
        uint8_t second = planes[width - 2][i];

        for (unsigned k = 0; k + 2 < width; k++)
            element[k] = planes[k][i];
        element[width - 1] = rotated ? (uint8_t)(high >> 1 | second << 7) : high;
        element[width - 2] = rotated ? (uint8_t)(second >> 1 | high << 7) : second;
    }
}

#define PLANES_DEFINE_PLAIN(width, split, merge)                                                   \
    static void split(const uint8_t *src, size_t count, uint8_t *const planes[])                   \
    {                                                                                              \
        planes_split_plain(src, 0, count, planes, width, false);                                   \
    }                                                                                              \
    static void split##_rotated(const uint8_t *src, size_t count, uint8_t *const planes[])         \
    {                                                                                              \
        planes_split_plain(src, 0, count, planes, width, true);                                    \
    }                                                                                              \
    static void merge(const uint8_t *const planes[], size_t count, uint8_t *dst)                   \
    {                                                                                              \
        planes_merge_plain(planes, 0, count, dst, width, false);                                   \
    }                                                                                              \
    static void merge##_rotated(const uint8_t *const planes[], size_t count, uint8_t *dst)         \
    {                                                                                              \
        planes_merge_plain(planes, 0, count, dst, width, true);                                    \
    }

#endif
