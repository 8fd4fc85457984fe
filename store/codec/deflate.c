/*
 * Deflate: how hard to try.
 *
 * Among the mantissas of floats there are no matches to be found. Level 1 is as small there as any
 * other level, or smaller, and up to nine times as fast; so a piece of a block is tried with it
 * first, and only what shrinks well is compressed at the level that was asked for.
 *
 * A record of some hundred bytes has hardly room for the code lengths of a stream. Its entropy and
 * its repeated strings say whether a stream can be smaller, in a fortieth of the time that it takes
 * to make one.
 */
#include "store/codec/deflate.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <string.h>

enum {
    QUICK_LEVEL = 1,
    TRIAL_SIZE = 8192, /* of a block, from its middle */
    SMALL_SIZE = 1024, /* up to here a record is looked at first */
    /* What a stream has beside its symbols: measured with records of 256 bytes of text. */
    SYMBOL_BITS = 4,
    STREAM_BITS = 80,
    REPEAT_SIZE = 4, /* a shorter string is not worth a match */
    REPEAT_BUCKETS = 256,
};

void deflate_release(struct deflate *deflate)
{
    if (deflate->quick)
        libdeflate_free_compressor(deflate->quick);
    if (deflate->asked)
        libdeflate_free_compressor(deflate->asked);
    *deflate = (struct deflate){0};
}

static int prepare(struct deflate *deflate, int level)
{
    if (!deflate->quick)
        deflate->quick = libdeflate_alloc_compressor(QUICK_LEVEL);
    if (deflate->asked && deflate->asked_level != level) {
        libdeflate_free_compressor(deflate->asked);
        deflate->asked = NULL;
    }
    if (!deflate->asked)
        deflate->asked = libdeflate_alloc_compressor(level);
    deflate->asked_level = level;
    if (!deflate->quick || !deflate->asked)
        return tfs_fail(-ENOMEM, "no memory to deflate at level %d", level);
    return 0;
}

/* Whether order-0 coding alone would save an eighth. */
static bool has_low_entropy(const struct entropy_table *table, const uint8_t *src, uint32_t size)
{
    uint16_t counts[ENTROPY_SYMBOLS] = {0};
    uint32_t symbols = 0;
    uint64_t bits;

    for (uint32_t i = 0; i < size; i++)
        symbols += counts[src[i]]++ == 0;
    bits = (uint64_t)entropy_estimate(table, counts, size) * size / ENTROPY_BIT +
           (uint64_t)symbols * SYMBOL_BITS + STREAM_BITS;
    return bits < 7ull * size;
}

/* Whether one string in sixteen was there before, as far as a small table remembers. */
static bool has_repeats(const uint8_t *src, uint32_t size)
{
    uint32_t seen[REPEAT_BUCKETS] = {0};
    uint32_t repeats = 0;

    for (uint32_t i = 0; i + REPEAT_SIZE <= size; i++) {
        uint32_t string = tfs_get_le32(src + i);
        uint32_t bucket = string * 0x9E3779B1u >> 24;

        repeats += seen[bucket] == string;
        seen[bucket] = string;
    }
    return repeats >= size / 16;
}

int64_t deflate_compress(struct deflate *deflate, const struct entropy_table *table, int level,
                         const void *src, size_t size, void *dst, size_t capacity)
{
    size_t trial = size < TRIAL_SIZE ? size : TRIAL_SIZE;
    size_t stored;
    int err;

    if (size <= SMALL_SIZE && !has_low_entropy(table, src, (uint32_t)size) &&
        !has_repeats(src, (uint32_t)size))
        return 0;
    err = prepare(deflate, level);
    if (err)
        return err;
    stored = libdeflate_deflate_compress(deflate->quick, (const uint8_t *)src + (size - trial) / 2,
                                         trial, dst, capacity);
    if (stored > 0 && stored <= trial * 2 / 3) /* it shrinks well without any effort */
        return (int64_t)libdeflate_deflate_compress(deflate->asked, src, size, dst, capacity);
    if (trial == size)
        return (int64_t)stored;
    return (int64_t)libdeflate_deflate_compress(deflate->quick, src, size, dst, capacity);
}
