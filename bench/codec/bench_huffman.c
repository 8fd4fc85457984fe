/*
 * bench_huffman: our Huffman coder beside libzstd's, on the byte planes of each kind of data.
 *
 * Planes are encoded in frames of `--plane` bytes, by libzstd without matches and by each of our
 * implementations. They are so few that they stay in the second-level cache, where a plane is that
 * has just been split. Rounds alternate between the coders; a speed is the median of the rounds in
 * thread CPU time, and so is the ratio of speeds within one round.
 */
#include "bench/codec/bound.h"
#include "bench/codec/data.h"
#include "bench/codec/timing.h"
#include "store/codec/huffman.h"
#include "store/codec/planes.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define ZSTD_STATIC_LINKING_ONLY /* for the name ZSTD_c_literalCompressionMode */
#include <zstd.h>

enum {
    CODERS_MAX = 1 + HUFFMAN_IMPLEMENTATIONS_MAX,
    SEED = 20240501,
    SET_PLANE_SIZE = 512 * 1024, /* bytes of each plane of a data set */
    /* No matches at all, and a table that is cleared fast. */
    BASE_LEVEL = -(1 << 17),
    BASE_HASH_LOG = ZSTD_HASHLOG_MIN,
};

struct options {
    size_t plane_size; /* bytes of a frame */
    unsigned rounds;
    unsigned passes; /* over the data set in one round */
};

/* What is measured: libzstd when ops is NULL. */
struct coder {
    const struct huffman_ops *ops;
    double seconds[ROUNDS_MAX];
    uint64_t stored_bytes;
};

struct bench {
    struct options options;
    struct coder coders[CODERS_MAX];
    unsigned coder_count;
    ZSTD_CCtx *cctx;
    uint8_t *raw;
    uint8_t *planes[PLANES_MAX];
    uint8_t *encoded;
};

static void __attribute__((noreturn)) die(const char *what)
{
    (void)fprintf(stderr, "bench_huffman: %s\n", what);
    exit(1);
}

/* Shannon's, in bits a byte. */
static double entropy(const uint8_t *plane, size_t size)
{
    return bound_of_bytes(plane, size) * 8 / (double)size;
}

/* Split into planes, rotated where that makes them smaller. */
static void split(struct bench *bench, unsigned width)
{
    size_t count = SET_PLANE_SIZE;
    double sums[2] = {0, 0};

    assert(bench->raw);
    if (width == 1) {
        memcpy(bench->planes[0], bench->raw, count);
        return;
    }
    for (int rotated = 1; rotated >= 0; rotated--) {
        planes_best()->split[__builtin_ctz(width) - 1][rotated](bench->raw, count, bench->planes);
        for (unsigned k = 0; k < width; k++)
            sums[rotated] += entropy(bench->planes[k], count);
    }
    if (sums[1] < sums[0])
        planes_best()->split[__builtin_ctz(width) - 1][1](bench->raw, count, bench->planes);
}

static size_t encode(struct bench *bench, const struct coder *coder, const uint8_t *src,
                     size_t size)
{
    size_t bound = ZSTD_COMPRESSBOUND(size);

    if (coder->ops)
        return huffman_encode(coder->ops, src, size, bench->encoded, bound);
    return ZSTD_compress2(bench->cctx, bench->encoded, bound, src, size);
}

static uint64_t run(struct bench *bench, const struct coder *coder, const uint8_t *plane)
{
    size_t step = bench->options.plane_size;
    uint64_t stored = 0;

    for (size_t at = 0; at < SET_PLANE_SIZE; at += step)
        stored += encode(bench, coder, plane + at, tfs_min_u64(step, SET_PLANE_SIZE - at));
    return stored;
}

static void measure(struct bench *bench, const char *set, unsigned k)
{
    unsigned rounds = bench->options.rounds;
    const struct coder *base = &bench->coders[0];
    double bytes = (double)SET_PLANE_SIZE * bench->options.passes;

    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < bench->coder_count; i++) {
            struct coder *coder = &bench->coders[i];
            double start = timing_now();

            for (unsigned pass = 0; pass < bench->options.passes; pass++)
                coder->stored_bytes = run(bench, coder, bench->planes[k]);
            coder->seconds[round] = timing_now() - start;
        }
    }
    printf("%-10s %u %6.3f", set, k, entropy(bench->planes[k], SET_PLANE_SIZE));
    for (unsigned i = 0; i < bench->coder_count; i++) {
        const struct coder *coder = &bench->coders[i];
        double ratios[ROUNDS_MAX];

        for (unsigned round = 0; round < rounds; round++)
            ratios[round] = base->seconds[round] / coder->seconds[round];
        printf("  %8.4f %6.3f %5.2f", 8.0 * (double)coder->stored_bytes / SET_PLANE_SIZE,
               bytes / timing_median(coder->seconds, rounds) * 1e-9, timing_median(ratios, rounds));
    }
    printf("\n");
    (void)fflush(stdout);
}

static void run_set(struct bench *bench, enum data_kind kind)
{
    struct data_random random = {.state = SEED};
    unsigned width = data_element_size(kind);

    data_fill(&random, kind, bench->raw, (size_t)SET_PLANE_SIZE * width);
    split(bench, width);
    for (unsigned k = 0; k < width; k++)
        measure(bench, data_kind_name(kind), k);
}

static unsigned long parse_number(const char *text, unsigned long min, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < min || value > max)
        die("a number is outside of its limits");
    return value;
}

static void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"passes", required_argument, NULL, 'n'},
        {"rounds", required_argument, NULL, 'r'},
        {"plane", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'n')
            options->passes = (unsigned)parse_number(optarg, 1, 10000);
        else if (option == 'r')
            options->rounds = (unsigned)parse_number(optarg, 1, ROUNDS_MAX);
        else if (option == 'p')
            options->plane_size = parse_number(optarg, 1, SET_PLANE_SIZE);
        else
            die("usage: bench_huffman [--passes N] [--rounds N] [--plane BYTES] [SET...]");
    }
}

static uint8_t *allocate(size_t size)
{
    uint8_t *memory = malloc(size);

    if (!memory)
        die("out of memory");
    return memory;
}

static void bench_prepare(struct bench *bench)
{
    const struct huffman_ops *implementations[HUFFMAN_IMPLEMENTATIONS_MAX];
    size_t count = huffman_implementations(implementations);

    bench->coder_count = 1 + (unsigned)count;
    for (size_t i = 0; i < count; i++)
        bench->coders[1 + i].ops = implementations[i];
    bench->raw = allocate((size_t)SET_PLANE_SIZE * PLANES_MAX);
    bench->encoded = allocate(ZSTD_COMPRESSBOUND(bench->options.plane_size));
    bench->cctx = ZSTD_createCCtx();
    if (!bench->cctx)
        die("out of memory");
    for (unsigned k = 0; k < PLANES_MAX; k++)
        bench->planes[k] = allocate(SET_PLANE_SIZE);
    (void)ZSTD_CCtx_setParameter(bench->cctx, ZSTD_c_compressionLevel, BASE_LEVEL);
    (void)ZSTD_CCtx_setParameter(bench->cctx, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
    (void)ZSTD_CCtx_setParameter(bench->cctx, ZSTD_c_hashLog, BASE_HASH_LOG);
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .options = {.plane_size = HUFFMAN_BLOCK_SIZE_MAX, .rounds = 9, .passes = 16},
    };

    options_parse(&bench.options, argc, argv);
    bench_prepare(&bench);
    printf("# planes of %zu bytes, median of %u rounds, thread CPU time\n"
           "# data, plane, entropy in bits; then for each coder: bits a byte, GB/s, times "
           "libzstd's speed\n#                       libzstd %s       ",
           bench.options.plane_size, bench.options.rounds, ZSTD_versionString());
    for (unsigned i = 1; i < bench.coder_count; i++)
        printf("   %-20s", bench.coders[i].ops->name);
    printf("\n");
    for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
        bool wanted = optind == argc;

        for (int i = optind; i < argc; i++)
            wanted |= strcmp(argv[i], data_kind_name((enum data_kind)kind)) == 0;
        if (wanted)
            run_set(&bench, (enum data_kind)kind);
    }
    ZSTD_freeCCtx(bench.cctx);
    for (unsigned k = 0; k < PLANES_MAX; k++)
        free(bench.planes[k]);
    free(bench.raw);
    free(bench.encoded);
    return 0;
}
