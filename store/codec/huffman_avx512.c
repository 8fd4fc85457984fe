/*
 * Packing with AVX-512 VBMI, and BMI2 for the shifts of words. Compiled for both; called only where
 * the processor has them.
 *
 * 64 bytes are coded at once. Two table look-ups give each byte the low eight bits of its code, and
 * its length with the code's other bits. Neighbours are then joined: two codes in 32 bits, four (up
 * to 44 bits) in 64 bits, and eight or sixteen where these are short enough. The words are
 * collected in a buffer and appended to the stream from there. So vectors do not wait for each
 * other, and the chain of appends, each of which has to wait for the one before, is short and has
 * company: that of a second stream.
 */
#include "store/base/bytes.h"
#include "store/codec/huffman_ops.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum {
    VECTOR_SIZE = 64,
    WORDS = VECTOR_SIZE / 8,
    WORD_BITS_MAX = 56, /* with up to 7 bits left over, fewer than 64 are in use */
    /* Codes are made for so many bytes of a stream, and then appended. */
    BATCH_VECTORS = 8,
    BATCH_BYTES = BATCH_VECTORS * VECTOR_SIZE,
    /* A whole word may be written where so many more codes follow: they have a bit each. */
    CODES_BEHIND = 64,
    TAIL_CODES = BATCH_BYTES + CODES_BEHIND + HUFFMAN_STREAMS_MAX,
    TAIL_SIZE = TAIL_CODES * HUFFMAN_LENGTH_MAX / 8 + 16,
    BATCH_WORDS = (TAIL_CODES + VECTOR_SIZE - 1) / VECTOR_SIZE * 16,
    /* Tenths of a bit a code below which sixteen, or eight, seldom take more than WORD_BITS_MAX. */
    JOIN_16_TENTHS = 31,
    JOIN_8_TENTHS = 59,
    HIGH_SHIFT = 4, /* in `others`, of the bits 8.. of a code, above its length */
};

/* Tables of up to 256 bytes, in vectors, by the low 6, 7 or 8 bits of a symbol. */
struct vector_table {
    __m512i codes[4];
    __m512i others[4];
    unsigned log;
    unsigned join; /* codes to be joined in a word: 4, 8 or 16 */
};

struct avx512_writer {
    uint64_t bits;
    uint64_t used; /* below 8 */
    uint8_t *at;
};

/* Words of up to WORD_BITS_MAX bits with their lengths, filled from the end, to be appended from
 * the end. */
struct words {
    uint64_t words[BATCH_WORDS];
    uint64_t lengths[BATCH_WORDS];
    size_t first;
};

/* The fewest low bits in which all symbols of the code differ, not fewer than 6. */
static unsigned table_log(const struct huffman_code *code)
{
    unsigned span = huffman_code_symbol_max(code) - code->symbols[0];

    return span < 64 ? 6 : span < 128 ? 7 : 8;
}

/* How many codes fit into a word nearly always, where they are as long as in these streams. */
static unsigned join_of(const struct huffman_stream streams[], unsigned stream_count)
{
    size_t bits = 0;
    size_t count = 0;

    for (unsigned k = 0; k < stream_count; k++) {
        bits += 8 * streams[k].size;
        count += streams[k].count;
    }
    if (bits * 10 < count * JOIN_16_TENTHS)
        return 16;
    return bits * 10 < count * JOIN_8_TENTHS ? 8 : 4;
}

static void table_fill(const struct huffman_code *code, struct vector_table *ret)
{
    uint8_t codes[HUFFMAN_SYMBOLS] = {0};
    uint8_t others[HUFFMAN_SYMBOLS] = {0};
    unsigned log = table_log(code);

    for (unsigned i = 0; i < code->symbol_count; i++) {
        uint8_t symbol = code->symbols[i];
        unsigned at = symbol & ((1u << log) - 1);

        codes[at] = (uint8_t)code->codes[symbol];
        others[at] = (uint8_t)(code->lengths[symbol] | code->codes[symbol] >> 8 << HIGH_SHIFT);
    }
    ret->log = log;
    for (unsigned i = 0; i < 4; i++) {
        ret->codes[i] = _mm512_loadu_si512(codes + (size_t)i * VECTOR_SIZE);
        ret->others[i] = _mm512_loadu_si512(others + (size_t)i * VECTOR_SIZE);
    }
}

static ALWAYS_INLINE __m512i look_up(const __m512i table[4], unsigned log, __m512i symbols)
{
    __m512i low, high;

    if (log == 6)
        return _mm512_permutexvar_epi8(symbols, table[0]);
    low = _mm512_permutex2var_epi8(table[0], symbols, table[1]);
    if (log == 7)
        return low;
    high = _mm512_permutex2var_epi8(table[2], symbols, table[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(symbols), high);
}

/* The codes of 64 bytes, joined by four, and their lengths. */
struct fours {
    __m512i first, second; /* 64-bit lane i: bytes 8 i .. 8 i + 3, and 8 i + 4 .. 8 i + 7 */
    __m512i lengths; /* 64-bit lane i: of the first in the low half, of the second in the high */
};

/* Join the two codes of 32 bits in each 64-bit lane: the low one, which is the earlier byte's, goes
 * above the other. */
static ALWAYS_INLINE __m512i join_pairs(__m512i pairs, __m512i second_lengths)
{
    __m512i first = _mm512_maskz_mov_epi32(0x5555, pairs);

    return _mm512_or_si512(_mm512_sllv_epi64(first, second_lengths), _mm512_srli_epi64(pairs, 32));
}

/* Only the bytes that `mask` names count; the others become codes of no bits. */
static ALWAYS_INLINE struct fours code_vector(const struct vector_table *table, unsigned log,
                                              __m512i symbols, __mmask64 mask)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i one = _mm512_set1_epi16(1);
    __m512i codes = _mm512_maskz_mov_epi8(mask, look_up(table->codes, log, symbols));
    __m512i others = _mm512_maskz_mov_epi8(mask, look_up(table->others, log, symbols));
    __m512i lengths = _mm512_and_si512(others, _mm512_set1_epi8(0x0F));
    __m512i highs = _mm512_and_si512(_mm512_srli_epi16(others, HIGH_SHIFT), _mm512_set1_epi8(7));
    /* By how much a code is shifted for its right neighbour, in bytes: odd ones not at all. */
    __m512i shifts = _mm512_srli_epi16(lengths, 8);
    __m512i factors_low = _mm512_sllv_epi16(one, _mm512_unpacklo_epi8(shifts, zero));
    __m512i factors_high = _mm512_sllv_epi16(one, _mm512_unpackhi_epi8(shifts, zero));
    /* Codes of two bytes, times their factors, summed by neighbours. */
    __m512i pairs_low = _mm512_madd_epi16(_mm512_unpacklo_epi8(codes, highs), factors_low);
    __m512i pairs_high = _mm512_madd_epi16(_mm512_unpackhi_epi8(codes, highs), factors_high);
    __m512i pair_lengths = _mm512_maddubs_epi16(lengths, _mm512_set1_epi8(1));
    __m512i second_lengths = _mm512_srli_epi32(pair_lengths, 16);
    __m512i fours_low = join_pairs(pairs_low, _mm512_unpacklo_epi32(second_lengths, zero));
    __m512i fours_high = join_pairs(pairs_high, _mm512_unpackhi_epi32(second_lengths, zero));

    return (struct fours){
        .first = _mm512_unpacklo_epi64(fours_low, fours_high),
        .second = _mm512_unpackhi_epi64(fours_low, fours_high),
        .lengths = _mm512_madd_epi16(pair_lengths, one),
    };
}

static ALWAYS_INLINE void words_put(struct words *words, __m512i word, __m512i lengths)
{
    words->first -= WORDS;
    _mm512_storeu_si512(words->words + words->first, word);
    _mm512_storeu_si512(words->lengths + words->first, lengths);
}

/* Put the even lanes. (Compressing them straight into memory is slow on some processors.) */
static ALWAYS_INLINE void words_put_half(struct words *words, __m512i word, __m512i lengths)
{
    words->first -= WORDS / 2;
    _mm256_storeu_si256((void *)(words->words + words->first),
                        _mm512_castsi512_si256(_mm512_maskz_compress_epi64(0x55, word)));
    _mm256_storeu_si256((void *)(words->lengths + words->first),
                        _mm512_castsi512_si256(_mm512_maskz_compress_epi64(0x55, lengths)));
}

/* Put the fours as they are, in the order of the bytes. */
static void words_put_fours(struct words *words, const struct fours *fours)
{
    const __m512i zip_low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i zip_high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    __m512i first = _mm512_maskz_mov_epi32(0x5555, fours->lengths);
    __m512i second = _mm512_srli_epi64(fours->lengths, 32);

    words_put(words, _mm512_permutex2var_epi64(fours->first, zip_high, fours->second),
              _mm512_permutex2var_epi64(first, zip_high, second));
    words_put(words, _mm512_permutex2var_epi64(fours->first, zip_low, fours->second),
              _mm512_permutex2var_epi64(first, zip_low, second));
}

/* Put a vector's codes in as few words as `join` wants and as fit: 4, 8 or 16. */
static ALWAYS_INLINE void words_put_joined(struct words *words, const struct fours *fours,
                                           unsigned join)
{
    const __m512i most = _mm512_set1_epi64(WORD_BITS_MAX);
    __m512i second = _mm512_srli_epi64(fours->lengths, 32);
    __m512i lengths = _mm512_add_epi64(_mm512_maskz_mov_epi32(0x5555, fours->lengths), second);
    __m512i eights = _mm512_or_si512(_mm512_sllv_epi64(fours->first, second), fours->second);

    if (join == 4 || _mm512_cmpgt_epu64_mask(lengths, most) != 0) {
        words_put_fours(words, fours);
        return;
    }
    if (join == 16) {
        __m512i odd = _mm512_unpackhi_epi64(lengths, lengths);
        __m512i both = _mm512_add_epi64(lengths, odd);
        __m512i sixteens =
            _mm512_or_si512(_mm512_sllv_epi64(eights, odd), _mm512_unpackhi_epi64(eights, eights));

        if (_mm512_mask_cmpgt_epu64_mask(0x55, both, most) == 0) {
            words_put_half(words, sixteens, both);
            return;
        }
    }
    words_put(words, eights, lengths);
}

static ALWAYS_INLINE void append(struct avx512_writer *writer, uint64_t word, uint64_t length)
{
    writer->bits |= word << writer->used;
    writer->used += length;
    tfs_put_le64(writer->at, writer->bits);
    writer->at += writer->used / 8;
    writer->bits >>= writer->used & ~7ull;
    writer->used %= 8;
}

static ALWAYS_INLINE void append_word(struct avx512_writer *writer, const struct words *words,
                                      size_t i)
{
    append(writer, tfs_get_le64(&words->words[i]), tfs_get_le64(&words->lengths[i]));
}

static void append_words(struct avx512_writer *writer, const struct words *words, size_t last)
{
    for (size_t i = last; i-- > words->first;)
        append_word(writer, words, i);
}

/* Two streams in turn, because each append has to wait for the one before it in its stream. */
static ALWAYS_INLINE void append_both(struct avx512_writer writers[2], const struct words words[2])
{
    struct avx512_writer a = writers[0], b = writers[1];
    size_t last = BATCH_WORDS;
    size_t first = words[0].first > words[1].first ? words[0].first : words[1].first;

    while (last > first) {
        last--;
        append_word(&a, &words[0], last);
        append_word(&b, &words[1], last);
    }
    append_words(&a, &words[0], last);
    append_words(&b, &words[1], last);
    writers[0] = a;
    writers[1] = b;
}

/* Code the last `count` bytes before `end`. */
static ALWAYS_INLINE void code_bytes(const struct vector_table *table, unsigned log,
                                     const uint8_t *end, size_t count, struct words *words)
{
    words->first = BATCH_WORDS;
    for (; count >= VECTOR_SIZE; count -= VECTOR_SIZE) {
        struct fours fours;

        end -= VECTOR_SIZE;
        fours = code_vector(table, log, _mm512_loadu_si512(end), ~0ull);
        words_put_joined(words, &fours, table->join);
    }
    if (count > 0) {
        __mmask64 mask = ~0ull >> (VECTOR_SIZE - count);
        __m512i symbols = _mm512_maskz_loadu_epi8(mask, end - count);
        struct fours fours = code_vector(table, log, symbols, mask);

        words_put_joined(words, &fours, table->join);
    }
}

/* What packing two streams needs, outside of its functions, so that it is there once. */
struct buffers {
    struct words words[2];
    uint8_t tails[2][TAIL_SIZE];
};

/* Pack two streams, or a single one. */
static ALWAYS_INLINE void pack_two(const struct vector_table *table, unsigned log,
                                   const struct huffman_stream streams[], unsigned stream_count,
                                   struct buffers *buffers)
{
    struct avx512_writer writers[2] = {{.at = streams[0].dst}, {.at = buffers->tails[1]}};
    struct words *words = buffers->words;
    uint8_t *dsts[2];
    size_t done = 0;

    words[1].first = BATCH_WORDS;
    if (stream_count == 2) {
        writers[1].at = streams[1].dst;
        for (; streams[1].count - done >= BATCH_BYTES + CODES_BEHIND; done += BATCH_BYTES) {
            for (unsigned k = 0; k < 2; k++)
                code_bytes(table, log, streams[k].src + streams[k].count - done, BATCH_BYTES,
                           &words[k]);
            append_both(writers, words);
        }
    }
    /* The rest goes by way of a buffer, because words would reach beyond the end. */
    for (unsigned k = 0; k < stream_count; k++) {
        size_t left = streams[k].count - done;

        assert(left <= TAIL_CODES);
        code_bytes(table, log, streams[k].src + left, left, &words[k]);
        dsts[k] = writers[k].at;
        writers[k].at = buffers->tails[k];
    }
    append_both(writers, words);
    for (unsigned k = 0; k < stream_count; k++) {
        size_t size = streams[k].size - (size_t)(dsts[k] - streams[k].dst);

        append(&writers[k], 1, 1);
        assert((size_t)(writers[k].at - buffers->tails[k]) + (writers[k].used != 0) == size);
        memcpy(dsts[k], buffers->tails[k], size);
    }
}

static void pack_avx512(const struct huffman_code *code, const struct huffman_stream streams[],
                        unsigned stream_count)
{
    struct vector_table table;
    struct buffers buffers;

    table_fill(code, &table);
    table.join = join_of(streams, stream_count);
    for (unsigned k = 0; k < stream_count; k += 2) {
        unsigned count = stream_count - k < 2 ? 1 : 2;

        if (table.log == 6)
            pack_two(&table, 6, streams + k, count, &buffers);
        else if (table.log == 7)
            pack_two(&table, 7, streams + k, count, &buffers);
        else
            pack_two(&table, 8, streams + k, count, &buffers);
    }
}

const struct huffman_ops huffman_ops_avx512 = {
    .name = "avx512",
    .count = huffman_count_avx512,
    .pack = pack_avx512,
};
