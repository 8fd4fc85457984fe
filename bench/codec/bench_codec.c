/*
 * bench_codec: size and speed of every codec on the same data, in one run, on one core.
 *
 * A data set is encoded in chunks of one frame. Rounds alternate between the codecs, so that a slow
 * moment of the machine hits all of them; a figure is the median of the rounds. Time is the
 * thread's CPU time. Each chunk is decoded to the same buffer; the first, untimed round compares it
 * with the original.
 */
#include "bench/codec/bound.h"
#include "bench/codec/data.h"
#include "bench/codec/timing.h"
#include "store/codec/codec_ctx.h"
#include "store/codec/frame.h"
#include "store/codec/probe.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zstd.h>

enum {
    CODECS_MAX = 8,
    SETS_MAX = 32,
    SEED = 20240501,
    SET_TEXT_SIZE = 4096,
    /* gzip is so slow that it gets one chunk of so many. */
    GZIP_SHARE = 16,
    BASE_LEVEL = 3,
};

struct options {
    size_t size; /* bytes of a data set */
    uint32_t chunk_size, block_size;
    unsigned rounds;
    struct codec_spec codecs[CODECS_MAX];
    unsigned codec_count;
    const char *sets[SETS_MAX];
    unsigned set_count;
};

/* Seconds of the rounds of one codec on one data set. */
struct measurement {
    double encode[ROUNDS_MAX], decode[ROUNDS_MAX];
    uint64_t raw_bytes, stored_bytes;
};

struct bench {
    const struct options *options;
    struct codec_ctx *ctx;
    uint8_t *raw, *encoded, *decoded;
    size_t encoded_stride; /* of a chunk */
    struct measurement measurements[CODECS_MAX];
    struct measurement base; /* the library alone */
    ZSTD_CCtx *base_cctx;
    ZSTD_DCtx *base_dctx;
    size_t *base_sizes; /* of chunks */
    double probe[ROUNDS_MAX];
    struct frame_stats stats; /* of CODEC_AUTO */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_codec: %s\n", what);
    exit(1);
}

static void encode_chunk(struct bench *bench, const struct codec_spec *spec, size_t chunk)
{
    const struct options *options = bench->options;
    const void *buffers[FRAME_RAW_SIZE_MAX / FRAME_BUFFER_SIZE];
    struct frame_source source = {
        .buffers = buffers,
        .raw_size = options->chunk_size,
        .block_size = options->block_size,
    };
    const uint8_t *raw = bench->raw + chunk * options->chunk_size;

    for (uint32_t i = 0; i * FRAME_BUFFER_SIZE < options->chunk_size; i++)
        buffers[i] = raw + (size_t)i * FRAME_BUFFER_SIZE;
    if (frame_encode(bench->ctx, spec, &source, bench->encoded + chunk * bench->encoded_stride,
                     bench->encoded_stride) < 0)
        die("cannot encode");
}

/* Returns: the frame's size. */
static uint32_t decode_chunk(struct bench *bench, size_t chunk, struct frame_stats *stats)
{
    const uint8_t *frame = bench->encoded + chunk * bench->encoded_stride;
    uint8_t *dst = bench->decoded;
    struct frame_view view;
    struct frame_block block;

    if (frame_open(frame, bench->encoded_stride, &view) < 0 ||
        frame_block_locate(&view, 0, &block) < 0)
        die("cannot open a frame");
    do {
        if (frame_block_decode(bench->ctx, &block, frame + block.offset, dst) < 0)
            die("cannot decode a block");
        dst += block.raw_size;
    } while (frame_block_next(&view, &block));
    if (stats)
        frame_stats_add(&view, stats);
    return view.stored_size;
}

static size_t chunk_count(const struct options *options, const struct codec_spec *spec)
{
    size_t count = options->size / options->chunk_size;

    if (spec->codec == CODEC_GZIP && count > GZIP_SHARE)
        count /= GZIP_SHARE;
    return count;
}

/* Once without the clock: everything touched, everything compared. */
static void verify(struct bench *bench, unsigned codec)
{
    const struct options *options = bench->options;
    const struct codec_spec *spec = &options->codecs[codec];
    struct measurement *measurement = &bench->measurements[codec];
    size_t count = chunk_count(options, spec);

    measurement->raw_bytes = (uint64_t)count * options->chunk_size;
    measurement->stored_bytes = 0;
    for (size_t chunk = 0; chunk < count; chunk++) {
        encode_chunk(bench, spec, chunk);
        measurement->stored_bytes +=
            decode_chunk(bench, chunk, spec->codec == CODEC_AUTO ? &bench->stats : NULL);
        if (memcmp(bench->decoded, bench->raw + chunk * options->chunk_size, options->chunk_size) !=
            0)
            die("decoded bytes differ");
    }
}

static void measure_round(struct bench *bench, unsigned codec, unsigned round)
{
    const struct codec_spec *spec = &bench->options->codecs[codec];
    size_t count = chunk_count(bench->options, spec);
    double start = timing_now();
    double encoded;

    for (size_t chunk = 0; chunk < count; chunk++)
        encode_chunk(bench, spec, chunk);
    encoded = timing_now();
    for (size_t chunk = 0; chunk < count; chunk++)
        (void)decode_chunk(bench, chunk, NULL); /* the size is known */
    bench->measurements[codec].encode[round] = encoded - start;
    bench->measurements[codec].decode[round] = timing_now() - encoded;
}

/* The probe alone, as frame_encode calls it: a fresh one for each frame, all its buffers. */
static void measure_probe(struct bench *bench, unsigned round)
{
    const struct options *options = bench->options;
    double start = timing_now();

    for (size_t chunk = 0; chunk < options->size / options->chunk_size; chunk++) {
        struct probe probe;

        probe_init(&probe);
        for (uint32_t at = 0; at < options->chunk_size; at += FRAME_BUFFER_SIZE) {
            uint32_t left = options->chunk_size - at;

            if (probe_buffer(bench->ctx, &probe, bench->raw + chunk * options->chunk_size + at,
                             left < FRAME_BUFFER_SIZE ? left : FRAME_BUFFER_SIZE) < 0)
                die("cannot probe");
            probe_buffer_done(&probe);
        }
    }
    bench->probe[round] = timing_now() - start;
}

static void base_encode(struct bench *bench)
{
    const struct options *options = bench->options;

    bench->base.raw_bytes = options->size;
    bench->base.stored_bytes = 0;
    for (size_t chunk = 0; chunk < options->size / options->chunk_size; chunk++) {
        size_t size = ZSTD_compressCCtx(
            bench->base_cctx, bench->encoded + chunk * bench->encoded_stride, bench->encoded_stride,
            bench->raw + chunk * options->chunk_size, options->chunk_size, BASE_LEVEL);

        if (ZSTD_isError(size))
            die("libzstd cannot encode");
        bench->base_sizes[chunk] = size;
        bench->base.stored_bytes += size;
    }
}

static void base_decode(struct bench *bench)
{
    const struct options *options = bench->options;

    for (size_t chunk = 0; chunk < options->size / options->chunk_size; chunk++) {
        size_t size = ZSTD_decompressDCtx(bench->base_dctx, bench->decoded, options->chunk_size,
                                          bench->encoded + chunk * bench->encoded_stride,
                                          bench->base_sizes[chunk]);

        if (size != options->chunk_size)
            die("libzstd cannot decode");
    }
}

static void measure_base_round(struct bench *bench, unsigned round)
{
    double start = timing_now();
    double encoded;

    base_encode(bench);
    encoded = timing_now();
    base_decode(bench);
    bench->base.encode[round] = encoded - start;
    bench->base.decode[round] = timing_now() - encoded;
}

static double speed(const struct measurement *measurement, const double *seconds, unsigned rounds)
{
    return (double)measurement->raw_bytes / timing_median(seconds, rounds) * 1e-9;
}

static void report_base(const struct bench *bench, const char *set)
{
    const struct measurement *base = &bench->base;
    unsigned rounds = bench->options->rounds;

    printf("%-12s libzstd:%d  %8.3f %8.3f %8.3f %7.2f %7.2f\n", set, BASE_LEVEL,
           100.0 * (double)base->stored_bytes / (double)base->raw_bytes,
           speed(base, base->encode, rounds), speed(base, base->decode, rounds), 1.0, 1.0);
}

static void report_codec(const struct bench *bench, const char *set, unsigned codec, double bound)
{
    const struct options *options = bench->options;
    const struct measurement *measurement = &bench->measurements[codec];
    const struct measurement *base = &bench->base;
    double encode = speed(measurement, measurement->encode, options->rounds);
    double decode = speed(measurement, measurement->decode, options->rounds);
    char name[CODEC_SPEC_TEXT_SIZE];

    codec_spec_format(&options->codecs[codec], name, sizeof(name));
    printf("%-12s %-10s %8.3f %8.3f %8.3f %7.2f %7.2f", set, name,
           100.0 * (double)measurement->stored_bytes / (double)measurement->raw_bytes, encode,
           decode, encode / speed(base, base->encode, options->rounds),
           decode / speed(base, base->decode, options->rounds));
    if (options->codecs[codec].codec == CODEC_AUTO) {
        double share = timing_median(bench->probe, options->rounds) /
                       timing_median(measurement->encode, options->rounds);

        printf(" %7.2f %7.2f ", 100.0 * bound, 100.0 * share);
        for (int kind = 0; kind < CODEC_KIND_COUNT; kind++)
            if (bench->stats.raw_by_kind[kind] > 0)
                printf(" %s:%.0f%%", codec_kind_name(kind),
                       100.0 * (double)bench->stats.raw_by_kind[kind] /
                           (double)measurement->raw_bytes);
    }
    printf("\n");
    (void)fflush(stdout);
}

static void run_set(struct bench *bench, const char *set, unsigned element_size)
{
    const struct options *options = bench->options;
    double bound = bound_of_planes(bench->raw, options->size, element_size);

    memset(&bench->stats, 0, sizeof(bench->stats));
    for (unsigned codec = 0; codec < options->codec_count; codec++)
        verify(bench, codec);
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned codec = 0; codec < options->codec_count; codec++)
            measure_round(bench, codec, round);
        measure_base_round(bench, round);
        measure_probe(bench, round);
    }
    report_base(bench, set);
    for (unsigned codec = 0; codec < options->codec_count; codec++)
        report_codec(bench, set, codec, bound);
}

/* Fill the data set from a file, again and again until it is full. */
static void load_file(struct bench *bench, const char *path)
{
    size_t filled = 0;
    FILE *file = fopen(path, "rb");

    if (!file)
        die("cannot open a data file");
    while (filled < bench->options->size) {
        size_t count = fread(bench->raw + filled, 1, bench->options->size - filled, file);

        if (count == 0 && (filled == 0 || ferror(file)))
            die("cannot read a data file");
        filled += count;
        rewind(file);
    }
    (void)fclose(file); /* read only, nothing to lose */
}

static unsigned long parse_number(const char *text, unsigned long min, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < min || value > max)
        die("a number is outside of its limits");
    return value;
}

/* A set is the name of a data_kind, or NAME=ELEMENT_SIZE=PATH. */
static void prepare_and_run(struct bench *bench, const char *set)
{
    struct data_random random = {.state = SEED};
    enum data_kind kind;
    char text[SET_TEXT_SIZE];
    char *size_text, *path;
    unsigned element_size;

    if (data_kind_parse(set, &kind) == 0) {
        data_fill(&random, kind, bench->raw, bench->options->size);
        run_set(bench, set, data_element_size(kind));
        return;
    }
    (void)snprintf(text, sizeof(text), "%s", set); /* a longer path is not found then */
    size_text = strchr(text, '=');
    path = size_text ? strchr(size_text + 1, '=') : NULL;
    if (!path)
        die("a data set is a kind, or NAME=ELEMENT_SIZE=PATH");
    *size_text++ = '\0';
    *path++ = '\0';
    element_size = (unsigned)parse_number(size_text, 1, PLANES_MAX);
    if (!tfs_is_power_of_two(element_size))
        die("elements are of 1, 2, 4 or 8 bytes");
    load_file(bench, path);
    run_set(bench, text, element_size);
}

static void options_parse_codecs(struct options *options, char *list)
{
    options->codec_count = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (options->codec_count == CODECS_MAX ||
            codec_spec_parse(name, &options->codecs[options->codec_count++]) < 0)
            die("unknown codec, or too many");
    }
}

static void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"size", required_argument, NULL, 's'},   {"rounds", required_argument, NULL, 'r'},
        {"chunk", required_argument, NULL, 'c'},  {"block", required_argument, NULL, 'b'},
        {"codecs", required_argument, NULL, 'C'}, {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options->size = parse_number(optarg, 1, 65536) * TFS_MIB;
            break;
        case 'r':
            options->rounds = (unsigned)parse_number(optarg, 1, ROUNDS_MAX);
            break;
        case 'c':
            options->chunk_size = (uint32_t)(parse_number(optarg, 1, 4096) * TFS_KIB);
            break;
        case 'b':
            options->block_size =
                (uint32_t)parse_number(optarg, FRAME_BLOCK_SIZE_MIN, FRAME_BLOCK_SIZE_MAX);
            break;
        case 'C':
            options_parse_codecs(options, optarg);
            break;
        default:
            die("usage: bench_codec [--size MIB] [--rounds N] [--chunk KIB] [--block BYTES] "
                "[--codecs LIST] [SET...]");
        }
    }
    for (; optind < argc && options->set_count < SETS_MAX; optind++)
        options->sets[options->set_count++] = argv[optind];
    if (options->size < options->chunk_size)
        die("a data set is at least one chunk");
}

/* Memory as the store has it: aligned, in huge pages where there are some, touched by the first
 * use. */
static uint8_t *allocate(size_t size)
{
    enum { HUGE_PAGE = 2 << 20 };
    size_t whole = tfs_align_up(size, HUGE_PAGE);
    uint8_t *memory = aligned_alloc(HUGE_PAGE, whole);

    if (!memory)
        die("out of memory");
    (void)madvise(memory, whole, MADV_HUGEPAGE); /* slower without, not wrong */
    return memory;
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"bf16",   "fp32", "fp16",  "fp32_bf16", "adam_m",
                                       "adam_v", "fp64", "fp8",   "int8",      "int64",
                                       "sparse", "text", "random"};
    static char codecs[] = "auto,zstd:3,zstd:1,gzip:1,none";
    struct options options = {
        .size = 256 * TFS_MIB,
        .chunk_size = TFS_MIB,
        .block_size = FRAME_BLOCK_SIZE_MAX,
        .rounds = 7,
    };
    struct bench bench = {.options = &options};
    size_t chunks;

    options_parse_codecs(&options, codecs);
    options_parse(&options, argc, argv);
    for (size_t i = 0; options.set_count == 0 && i < TFS_ARRAY_COUNT(sets); i++)
        options.sets[i] = sets[i];
    if (options.set_count == 0)
        options.set_count = TFS_ARRAY_COUNT(sets);

    chunks = options.size / options.chunk_size;
    options.size = chunks * options.chunk_size;
    bench.encoded_stride =
        tfs_align_up(tfs_max_u64(frame_stored_size_max(options.chunk_size, options.block_size),
                                 ZSTD_compressBound(options.chunk_size)),
                     4096);
    bench.raw = allocate(options.size);
    bench.encoded = allocate(chunks * bench.encoded_stride);
    bench.decoded = allocate(options.chunk_size);
    bench.base_cctx = ZSTD_createCCtx();
    bench.base_dctx = ZSTD_createDCtx();
    bench.base_sizes = calloc(chunks, sizeof(*bench.base_sizes));
    if (!bench.base_cctx || !bench.base_dctx || !bench.base_sizes || codec_ctx_new(&bench.ctx) < 0)
        die("out of memory");

    printf("# %zu MiB a set, chunks of %u KiB, blocks of %u bytes, median of %u rounds, one core\n",
           options.size >> 20, options.chunk_size >> 10, options.block_size, options.rounds);
    printf("%-12s %-10s %8s %8s %8s %7s %7s %7s %7s  kinds\n", "data", "codec", "size %", "in GB/s",
           "out GB/s", "in x", "out x", "bound %", "probe %");
    for (unsigned i = 0; i < options.set_count; i++)
        prepare_and_run(&bench, options.sets[i]);

    codec_ctx_free(bench.ctx);
    ZSTD_freeCCtx(bench.base_cctx);
    ZSTD_freeDCtx(bench.base_dctx);
    free(bench.base_sizes);
    free(bench.raw);
    free(bench.encoded);
    free(bench.decoded);
    return 0;
}
