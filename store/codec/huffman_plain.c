/*
 * Counting and packing in plain C, and the choice among what the machine can run.
 */
#include "store/base/bytes.h"
#include "store/codec/huffman_ops.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum {
    WORD_SIZE = 8,
    /* Codes put before bytes are written: with up to 7 bits left over they fit into a word. */
    CODES_A_WORD = 5,
    /* A whole word may be written where so many more codes follow: they have a bit each. */
    CODES_BEHIND = 8 * WORD_SIZE,
    TAIL_SIZE = (CODES_BEHIND + CODES_A_WORD) * HUFFMAN_LENGTH_MAX / 8 + 2 * WORD_SIZE,
};

static void count_rest(const struct huffman_stream *stream, size_t from,
                       uint32_t counts[HUFFMAN_SYMBOLS])
{
    for (size_t i = from; i < stream->count; i++)
        counts[stream->src[i]]++;
}

/*
 * Four streams in turn: so often the same counter comes again, which has to wait for its last
 * value to be stored, only after three others.
 */
static void count_plain(const struct huffman_stream streams[], unsigned stream_count,
                        const struct huffman_sample *sample, uint32_t counts[][HUFFMAN_SYMBOLS])
{
    size_t done = 0;

    (void)sample; /* all bytes take the same time */
    memset(counts, 0, stream_count * sizeof(counts[0]));
    if (stream_count == HUFFMAN_STREAMS_MAX) {
        for (; streams[3].count - done >= WORD_SIZE; done += WORD_SIZE) {
            uint64_t words[HUFFMAN_STREAMS_MAX];

            for (unsigned k = 0; k < HUFFMAN_STREAMS_MAX; k++)
                words[k] = tfs_get_le64(streams[k].src + done);
            for (unsigned byte = 0; byte < WORD_SIZE; byte++)
                for (unsigned k = 0; k < HUFFMAN_STREAMS_MAX; k++)
                    counts[k][words[k] >> (8 * byte) & 0xFF]++;
        }
    }
    for (unsigned k = 0; k < stream_count; k++)
        count_rest(&streams[k], done, counts[k]);
}

/* Codes in the highest bits of a word. */
struct plain_table {
    uint64_t codes[HUFFMAN_SYMBOLS];
    uint8_t lengths[HUFFMAN_SYMBOLS];
};

static void plain_table_fill(const struct huffman_code *code, struct plain_table *ret)
{
    memcpy(ret->lengths, code->lengths, sizeof(ret->lengths));
    for (unsigned i = 0; i < code->symbol_count; i++) {
        uint8_t symbol = code->symbols[i];

        ret->codes[symbol] = (uint64_t)code->codes[symbol] << (64 - code->lengths[symbol]);
    }
}

/* Codes one after the other in the highest bits of a word; the last one put is the highest. */
struct code_run {
    uint64_t bits;
    unsigned used;
};

/* The code of a byte. */
static inline struct code_run run_of(const struct plain_table *table, uint8_t symbol)
{
    return (struct code_run){.bits = table->codes[symbol], .used = table->lengths[symbol]};
}

static inline struct code_run run_join(struct code_run first, struct code_run second)
{
    return (struct code_run){
        .bits = first.bits >> second.used | second.bits,
        .used = first.used + second.used,
    };
}

/* Write a word of which the whole bytes count. At least one bit is in use. */
static inline uint8_t *run_flush(struct code_run *run, uint8_t *at)
{
    tfs_put_le64(at, run->bits >> (64 - run->used));
    at += run->used / 8;
    run->used %= 8;
    return at;
}

/*
 * Put `count` codes, those of the bytes before `end`, in whole words; fewer than CODES_A_WORD bytes
 * remain. Codes are joined to each other before they are joined to the run, because the run has to
 * wait for what came before.
 *
 * Returns: where the next byte of the stream goes.
 */
static uint8_t *words_put(const struct plain_table *table, const uint8_t *end, size_t count,
                          struct code_run *run, uint8_t *at)
{
    struct code_run all = *run;

    for (; count >= CODES_A_WORD; count -= CODES_A_WORD, end -= CODES_A_WORD) {
        struct code_run a = run_join(run_of(table, end[-1]), run_of(table, end[-2]));
        struct code_run b = run_join(run_of(table, end[-3]), run_of(table, end[-4]));
        struct code_run c = run_join(b, run_of(table, end[-5]));

        all = run_join(all, run_join(a, c));
        at = run_flush(&all, at);
    }
    *run = all;
    return at;
}

static void pack_stream(const struct plain_table *table, const struct huffman_stream *stream)
{
    uint8_t tail[TAIL_SIZE];
    uint8_t *at = stream->dst;
    uint8_t *dst;
    struct code_run run = {.bits = 0};
    size_t left = stream->count;
    size_t size;

    if (left >= CODES_BEHIND) {
        size_t count = (left - CODES_BEHIND) / CODES_A_WORD * CODES_A_WORD;

        at = words_put(table, stream->src + left, count, &run, at);
        left -= count;
    }
    /* The rest goes by way of a buffer, because words would reach beyond the end. */
    dst = at;
    at = words_put(table, stream->src + left, left, &run, tail);
    for (left %= CODES_A_WORD; left > 0; left--)
        run = run_join(run, run_of(table, stream->src[left - 1]));
    run = run_join(run, (struct code_run){.bits = 1ull << 63, .used = 1}); /* the end mark */
    tfs_put_le64(at, run.bits >> (64 - run.used));
    size = (size_t)(at - tail) + (run.used + 7) / 8;
    assert((size_t)(dst - stream->dst) + size == stream->size);
    memcpy(dst, tail, size);
}

static void pack_plain(const struct huffman_code *code, const struct huffman_stream streams[],
                       unsigned stream_count)
{
    struct plain_table table;

    plain_table_fill(code, &table);
    for (unsigned k = 0; k < stream_count; k++)
        pack_stream(&table, &streams[k]);
}

const struct huffman_ops huffman_ops_plain = {
    .name = "plain",
    .count = count_plain,
    .pack = pack_plain,
};

size_t huffman_implementations(const struct huffman_ops *ret[HUFFMAN_IMPLEMENTATIONS_MAX])
{
    size_t count = 0;

#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi2"))
        ret[count++] = &huffman_ops_avx512;
#endif
    ret[count++] = &huffman_ops_plain;
    return count;
}

static pthread_once_t huffman_once = PTHREAD_ONCE_INIT;
static const struct huffman_ops *huffman_resolved; /* written under huffman_once */

static void huffman_resolve(void)
{
    const struct huffman_ops *implementations[HUFFMAN_IMPLEMENTATIONS_MAX];

    (void)huffman_implementations(implementations); /* there is always the plain one */
    huffman_resolved = implementations[0];
}

const struct huffman_ops *huffman_best(void)
{
    (void)pthread_once(&huffman_once, huffman_resolve); /* cannot fail with these arguments */
    return huffman_resolved;
}
