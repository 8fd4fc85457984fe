/*
 * Counting with AVX-512 VBMI2. Compiled for it; called only where the processor has it.
 *
 * A table of counters takes a cycle a byte at best, and more where few different bytes come again
 * and again, because a counter has to be stored before it is read again. The exponents of a tensor
 * are mostly the same eight or ten. Such bytes are compared with 64 at once and counted in vectors;
 * the others are pushed together and counted one by one. A sample tells which bytes are common: a
 * wrong one costs time alone.
 */
#include "store/codec/huffman_ops.h"

#include <immintrin.h>
#include <string.h>

enum {
    VECTOR_SIZE = 64,
    CHUNK_VECTORS = 64, /* below 256, because counts of a chunk are bytes */
    GROUP = 4,          /* symbols compared in one pass over a chunk */
    COMMON_MAX = 16,
    /* Comparing a vector with one symbol takes about as long as counting one byte of it. */
    COMMON_SAMPLES_MIN = HUFFMAN_SAMPLE_SIZE / VECTOR_SIZE,
    /* In that unit: taking the others out, and counting all of a vector, with some margin. */
    OTHERS_COST = 8,
    COUNT_COST = 56,
};

/* The bytes that a sample shows to be common. */
struct common {
    uint8_t symbols[COMMON_MAX]; /* zeros behind the last, up to a whole group */
    unsigned count;
    __m512i is_other[4]; /* by symbol: bit 7 if it is not common */
};

/* Returns: whether comparing with the common bytes is worth it. */
static bool common_find(const struct huffman_sample *sample, struct common *ret)
{
    uint8_t is_other[HUFFMAN_SYMBOLS];
    unsigned others = HUFFMAN_SAMPLE_SIZE;

    memset(is_other, 0x80, sizeof(is_other));
    *ret = (struct common){.count = 0};
    for (unsigned symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
        if (sample->counts[symbol] < COMMON_SAMPLES_MIN)
            continue;
        if (ret->count == COMMON_MAX)
            return false;
        ret->symbols[ret->count++] = (uint8_t)symbol;
        is_other[symbol] = 0;
        others -= sample->counts[symbol];
    }
    for (unsigned i = 0; i < 4; i++)
        ret->is_other[i] = _mm512_loadu_si512(is_other + (size_t)i * VECTOR_SIZE);
    return ret->count + OTHERS_COST + others * VECTOR_SIZE / HUFFMAN_SAMPLE_SIZE < COUNT_COST;
}

/* Count the first `count` of GROUP symbols in whole vectors. */
static inline void count_group(const uint8_t *src, size_t vectors, const uint8_t symbols[GROUP],
                               unsigned count, uint32_t counts[HUFFMAN_SYMBOLS])
{
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i zero = _mm512_setzero_si512();
    __m512i wanted[GROUP], sums[GROUP];

    for (unsigned i = 0; i < GROUP; i++) {
        wanted[i] = _mm512_set1_epi8((char)symbols[i]);
        sums[i] = zero;
    }
    for (size_t v = 0; v < vectors; v++) {
        __m512i bytes = _mm512_loadu_si512(src + v * VECTOR_SIZE);

        for (unsigned i = 0; i < GROUP; i++)
            sums[i] = _mm512_mask_add_epi8(sums[i], _mm512_cmpeq_epi8_mask(bytes, wanted[i]),
                                           sums[i], one);
    }
    for (unsigned i = 0; i < count && i < GROUP; i++)
        counts[symbols[i]] += (uint32_t)_mm512_reduce_add_epi64(_mm512_sad_epu8(sums[i], zero));
}

/* Push the bytes that are not common together; dst has room for a vector more. Returns: how many.
 */
static inline size_t others_take(const uint8_t *src, size_t vectors, const struct common *common,
                                 uint8_t *dst)
{
    size_t count = 0;

    for (size_t v = 0; v < vectors; v++) {
        __m512i bytes = _mm512_loadu_si512(src + v * VECTOR_SIZE);
        __m512i low = _mm512_permutex2var_epi8(common->is_other[0], bytes, common->is_other[1]);
        __m512i high = _mm512_permutex2var_epi8(common->is_other[2], bytes, common->is_other[3]);
        __mmask64 others =
            _mm512_movepi8_mask(_mm512_mask_mov_epi8(low, _mm512_movepi8_mask(bytes), high));

        _mm512_storeu_si512(dst + count, _mm512_maskz_compress_epi8(others, bytes));
        count += (size_t)__builtin_popcountll(others);
    }
    return count;
}

static void count_stream(const struct huffman_stream *stream, const struct common *common,
                         uint32_t counts[HUFFMAN_SYMBOLS])
{
    uint8_t others[(CHUNK_VECTORS + 1) * VECTOR_SIZE];
    const uint8_t *src = stream->src;
    size_t left = stream->count;

    while (left >= VECTOR_SIZE) {
        size_t vectors = tfs_min_u64(left / VECTOR_SIZE, CHUNK_VECTORS);
        size_t other_count = others_take(src, vectors, common, others);

        for (unsigned i = 0; i < common->count; i += GROUP)
            count_group(src, vectors, common->symbols + i, common->count - i, counts);
        for (size_t i = 0; i < other_count; i++)
            counts[others[i]]++;
        src += vectors * VECTOR_SIZE;
        left -= vectors * VECTOR_SIZE;
    }
    for (size_t i = 0; i < left; i++)
        counts[src[i]]++;
}

void huffman_count_avx512(const struct huffman_stream streams[], unsigned stream_count,
                          const struct huffman_sample *sample, uint32_t counts[][HUFFMAN_SYMBOLS])
{
    struct common common;

    if (!sample || !common_find(sample, &common)) {
        huffman_ops_plain.count(streams, stream_count, NULL, counts);
        return;
    }
    memset(counts, 0, stream_count * sizeof(counts[0]));
    for (unsigned k = 0; k < stream_count; k++)
        count_stream(&streams[k], &common, counts[k]);
}
