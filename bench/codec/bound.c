#include "bench/codec/bound.h"

#include "store/codec/frame.h"
#include "store/codec/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double bound_of_bytes(const uint8_t *bytes, size_t count)
{
    uint32_t counts[256] = {0};
    double bits = 0;

    for (size_t i = 0; i < count; i++)
        counts[bytes[i]]++;
    for (unsigned i = 0; i < 256; i++)
        if (counts[i] > 0)
            bits += counts[i] * log2((double)count / counts[i]);
    return bits / 8;
}

static double block_bytes(const uint8_t *block, size_t size, unsigned width_log, bool rotated,
                          uint8_t *scratch)
{
    unsigned width = 1u << width_log;
    size_t count = size / width;
    uint8_t *planes[PLANES_MAX];
    double sum = 0;

    if (width_log == 0)
        return bound_of_bytes(block, count);
    for (unsigned k = 0; k < width; k++)
        planes[k] = scratch + k * count;
    planes_best()->split[width_log - 1][rotated](block, count, planes);
    for (unsigned k = 0; k < width; k++)
        sum += bound_of_bytes(planes[k], count);
    return sum;
}

double bound_of_planes(const uint8_t *data, size_t size, unsigned element_size)
{
    unsigned width_log = (unsigned)__builtin_ctz(element_size);
    uint8_t *scratch = malloc(FRAME_BLOCK_SIZE_MAX);
    double sum = 0;

    if (!scratch)
        return NAN;
    for (size_t at = 0; at < size; at += FRAME_BLOCK_SIZE_MAX) {
        size_t left = size - at < FRAME_BLOCK_SIZE_MAX ? size - at : FRAME_BLOCK_SIZE_MAX;
        double plain = block_bytes(data + at, left, width_log, false, scratch);
        double rotated =
            width_log == 0 ? plain : block_bytes(data + at, left, width_log, true, scratch);

        sum += plain < rotated ? plain : rotated;
    }
    free(scratch);
    return sum / (double)size;
}
