/*
 * Each block is counted as its bytes lie, and once more with the sign bit moved behind the
 * mantissa.
 */
#include "tools/bench/model/entropy.h"

#include "store/base/bytes.h"

#include <math.h>
#include <string.h>

enum { PLANES_MAX = 4 };

/* Shannon's entropy of one histogram: the sum of -count * log2(count / total), in bytes. */
static double histogram_bytes(const uint32_t histogram[256], double total)
{
    double bits = 0;

    for (int i = 0; i < 256; i++) {
        if (histogram[i] > 0)
            bits -= histogram[i] * log2(histogram[i] / total);
    }
    return bits / 8;
}

static void count_plain(uint32_t histograms[PLANES_MAX][256], const uint8_t *data, uint64_t bytes,
                        unsigned width)
{
    for (uint64_t i = 0; i < bytes; i += width) {
        for (unsigned plane = 0; plane < width; plane++)
            histograms[plane][data[i + plane]]++;
    }
}

static void count_rotated(uint32_t histograms[PLANES_MAX][256], const uint8_t *data, uint64_t bytes,
                          unsigned width)
{
    for (uint64_t i = 0; i < bytes; i += width) {
        if (width == 2) {
            uint16_t value = tfs_get_le16(data + i);

            value = (uint16_t)((value << 1) | (value >> 15));
            histograms[0][value & 0xff]++;
            histograms[1][value >> 8]++;
        } else {
            uint32_t value = tfs_get_le32(data + i);

            value = (value << 1) | (value >> 31);
            for (unsigned plane = 0; plane < 4; plane++)
                histograms[plane][(value >> (8 * plane)) & 0xff]++;
        }
    }
}

static double block_bound(const uint8_t *data, uint64_t bytes, unsigned width, bool rotated)
{
    uint32_t histograms[PLANES_MAX][256] = {{0}};
    uint64_t elements = bytes / width;
    uint64_t whole = elements * width;
    double bound = (double)(bytes - whole);

    if (rotated)
        count_rotated(histograms, data, whole, width);
    else
        count_plain(histograms, data, whole, width);
    for (unsigned plane = 0; plane < width; plane++)
        bound += histogram_bytes(histograms[plane], (double)elements);
    return bound;
}

double entropy_bound(enum tensor_kind kind, const void *data, uint64_t bytes)
{
    const struct tensor_kind_info *info = &tensor_kinds[kind];
    const uint8_t *at = data;
    double bound = 0;

    for (uint64_t offset = 0; offset < bytes; offset += ENTROPY_BLOCK_BYTES) {
        uint64_t size = tfs_min_u64(ENTROPY_BLOCK_BYTES, bytes - offset);
        double plain = block_bound(at + offset, size, tensor_kind_width(kind), false);

        if (info->rotates_sign)
            plain = fmin(plain, block_bound(at + offset, size, tensor_kind_width(kind), true));
        bound += plain;
    }
    return bound;
}
