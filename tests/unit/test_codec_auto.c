/*
 * The codec `auto`: it finds each kind of data by itself, at any alignment and in mixtures, is
 * never worse than storing, and gives the same bytes every time. Data is made by
 * bench/codec/data.h.
 */
#include "store/codec/frame.h"
#include "tests/unit/frame_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct codec_spec spec_auto = {CODEC_AUTO, 0};
static const struct codec_spec spec_zstd = {CODEC_ZSTD, 3};

static struct codec_ctx *ctx;

static int set_up(void **state)
{
    (void)state;
    return codec_ctx_new(&ctx);
}

static int tear_down(void **state)
{
    (void)state;
    codec_ctx_free(ctx);
    return 0;
}

static void encode(struct data_frame *frame, const struct codec_spec *spec)
{
    frame->encoded_size = frame_encode(ctx, spec, &frame->source, frame->encoded, frame->capacity);
    assert_true(frame->encoded_size > 0);
}

static struct frame_stats stats_of(const struct data_frame *frame)
{
    struct frame_stats stats = {.frame_count = 0};
    struct frame_view view;

    assert_int_equal(frame_open(frame->encoded, (size_t)frame->encoded_size, &view), 0);
    frame_stats_add(&view, &stats);
    return stats;
}

static void assert_round_trip(struct data_frame *frame)
{
    uint8_t *raw = malloc(frame->source.raw_size);
    struct frame_view view;
    struct frame_block block;
    uint32_t done = 0;

    assert_non_null(raw);
    assert_int_equal(frame_open(frame->encoded, (size_t)frame->encoded_size, &view), 0);
    assert_int_equal(frame_block_locate(&view, 0, &block), 0);
    do {
        assert_int_equal(frame_block_decode(ctx, &block, frame->encoded + block.offset, raw + done),
                         0);
        done += block.raw_size;
    } while (frame_block_next(&view, &block));
    assert_int_equal(done, frame->source.raw_size);
    assert_memory_equal(raw, frame->raw, done);
    free(raw);
}

/* What each kind must be called, and its size in tenths of a percent at most. */
static const struct {
    enum data_kind data;
    enum codec_kind kind;
    unsigned permille_max;
} expectations[] = {
    {DATA_BF16, CODEC_KIND_BF16, 668},
    {DATA_FP32, CODEC_KIND_FP32, 837},
    {DATA_FP16, CODEC_KIND_FP16, 851},
    {DATA_FP32_BF16, CODEC_KIND_FP32_SHORT, 340},
    {DATA_ADAM_M, CODEC_KIND_FP32, 860},
    {DATA_ADAM_V, CODEC_KIND_FP32, 830},
    {DATA_FP64, CODEC_KIND_FP64, 885},
    {DATA_FP8, CODEC_KIND_BYTES, 830},
    {DATA_INT8, CODEC_KIND_BYTES, 910},
    {DATA_INT16, CODEC_KIND_INT16, 900},
    {DATA_INT32, CODEC_KIND_INT32, 760},
    {DATA_INT64, CODEC_KIND_INT64, 240},
    {DATA_SPARSE, CODEC_KIND_SPARSE, 144},
    {DATA_TEXT, CODEC_KIND_TEXT, 175},
    {DATA_ZERO, CODEC_KIND_ZERO, 1},
    {DATA_WORD, CODEC_KIND_CONSTANT, 1},
    {DATA_RANDOM, CODEC_KIND_INCOMPRESSIBLE, 1001},
};

static void every_kind_is_found_and_stored_small(void **state)
{
    struct data_random random = {.state = 11};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(expectations); i++) {
        struct data_frame frame;
        struct frame_stats stats;

        data_frame_init(&frame, 1 << 20, FRAME_BLOCK_SIZE_MAX);
        data_fill(&random, expectations[i].data, frame.raw, frame.source.raw_size);
        encode(&frame, &spec_auto);
        assert_round_trip(&frame);
        stats = stats_of(&frame);
        if (stats.raw_by_kind[expectations[i].kind] < frame.source.raw_size * 3u / 4)
            fail_msg("%s: only %lu of %u bytes found to be %s",
                     data_kind_name(expectations[i].data),
                     (unsigned long)stats.raw_by_kind[expectations[i].kind], frame.source.raw_size,
                     codec_kind_name(expectations[i].kind));
        if ((uint64_t)frame.encoded_size * 1000 >
            (uint64_t)frame.source.raw_size * expectations[i].permille_max)
            fail_msg("%s: %ld bytes of %u", data_kind_name(expectations[i].data),
                     (long)frame.encoded_size, frame.source.raw_size);
        data_frame_release(&frame);
    }
}

/* Tensors behind a header of any length: as small as they are when aligned, but for a little. */
static void elements_are_found_at_every_odd_offset(void **state)
{
    static const enum data_kind kinds[] = {DATA_BF16, DATA_FP32, DATA_FP16, DATA_FP32_BF16};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(kinds); i++) {
        int64_t aligned_size = 0;

        for (uint32_t shift = 0; shift < 8; shift++) {
            struct data_random random = {.state = 12};
            struct data_frame frame;

            data_frame_init(&frame, 1 << 19, FRAME_BLOCK_SIZE_MAX);
            memset(frame.raw, ' ', shift);
            data_fill(&random, kinds[i], frame.raw + shift, frame.source.raw_size - shift);
            encode(&frame, &spec_auto);
            assert_round_trip(&frame);
            if (shift == 0)
                aligned_size = frame.encoded_size;
            assert_in_range(frame.encoded_size, aligned_size * 995 / 1000,
                            aligned_size * 1005 / 1000);
            data_frame_release(&frame);
        }
    }
}

/* Rows of two or four numbers of which the first is near 1, as a norm's weights are, and the others
 * are not: they repeat at a multiple of the numbers' width. */
static void rows_of_unlike_floats_are_called_what_they_are(void **state)
{
    static const struct {
        enum data_kind data;
        enum codec_kind kind;
        unsigned width;
        unsigned columns;
    } rows[] = {{DATA_BF16, CODEC_KIND_BF16, 2, 2},
                {DATA_BF16, CODEC_KIND_BF16, 2, 4},
                {DATA_FP32, CODEC_KIND_FP32, 4, 2}};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(rows); i++) {
        struct data_random random = {.state = 31};
        struct data_frame frame;
        unsigned row = rows[i].width * rows[i].columns;

        data_frame_init(&frame, 1 << 19, FRAME_BLOCK_SIZE_MAX);
        data_fill(&random, rows[i].data, frame.raw, frame.source.raw_size);
        for (uint32_t at = rows[i].width; at <= frame.source.raw_size; at += row) {
            frame.raw[at - 1] = 0x3f; /* 0.5 to 2 */
            frame.raw[at - 2] |= 0x80;
        }
        encode(&frame, &spec_auto);
        if (stats_of(&frame).raw_by_kind[rows[i].kind] != frame.source.raw_size)
            fail_msg("rows of %u times %s are not called so", rows[i].columns,
                     data_kind_name(rows[i].data));
        assert_round_trip(&frame);
        data_frame_release(&frame);
    }
}

/*
 * A checkpoint in small: header, then tensors of many kinds one after another, of odd lengths. It
 * may cost at most 2 % more than its pieces encoded each by itself.
 */
static void a_mixture_costs_little_more_than_its_pieces(void **state)
{
    static const struct {
        enum data_kind kind;
        uint32_t size;
    } pieces[] = {
        {DATA_TEXT, 30001}, {DATA_BF16, 200002}, {DATA_RANDOM, 50003},  {DATA_FP32, 180007},
        {DATA_ZERO, 70001}, {DATA_INT64, 90008}, {DATA_BF16, 120010},   {DATA_FP8, 100001},
        {DATA_TEXT, 44444}, {DATA_FP32, 161003}, {DATA_ADAM_V, 200004},
    };
    struct data_random random = {.state = 13};
    struct data_frame whole;
    int64_t sum = 0;
    uint32_t at = 0;

    (void)state;
    data_frame_init(&whole, 1245484, FRAME_BLOCK_SIZE_MAX);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(pieces); i++) {
        struct data_frame piece;

        data_frame_init(&piece, pieces[i].size, FRAME_BLOCK_SIZE_MAX);
        data_fill(&random, pieces[i].kind, piece.raw, pieces[i].size);
        memcpy(whole.raw + at, piece.raw, pieces[i].size);
        at += pieces[i].size;
        encode(&piece, &spec_auto);
        sum += piece.encoded_size;
        data_frame_release(&piece);
    }
    assert_int_equal(at, whole.source.raw_size);
    encode(&whole, &spec_auto);
    assert_round_trip(&whole);
    printf("mixture: %ld bytes, its pieces %ld\n", (long)whole.encoded_size, (long)sum);
    assert_true(whole.encoded_size * 100 <= sum * 102);
    data_frame_release(&whole);
}

static void whatever_the_data_growth_is_below_two_permille(void **state)
{
    struct data_random random = {.state = 14};

    (void)state;
    for (uint32_t block_size = 1 << 14; block_size <= FRAME_BLOCK_SIZE_MAX; block_size *= 2) {
        for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
            struct data_frame frame;

            data_frame_init(&frame, 1 << 20, block_size);
            data_fill(&random, kind, frame.raw, frame.source.raw_size);
            encode(&frame, &spec_auto);
            assert_true((uint64_t)frame.encoded_size * 1000 <=
                        (uint64_t)frame.source.raw_size * 1002);
            data_frame_release(&frame);
        }
    }
}

/* Random cuts of random kinds: nothing may be larger than header, table and raw bytes, or decode
 * wrongly. */
static void random_mixtures_round_trip_within_their_limit(void **state)
{
    struct data_random random = {.state = 15};

    (void)state;
    for (int round = 0; round < 150; round++) {
        uint32_t block_size = FRAME_BLOCK_SIZE_MIN << data_random_below(&random, 11);
        uint32_t size_max = block_size < 4096 ? block_size * FRAME_BLOCKS_MAX : 600000;
        uint32_t size = 1 + data_random_below(&random, size_max);
        struct data_frame frame;

        data_frame_init(&frame, size, block_size);
        for (uint32_t at = 0; at < size;) {
            uint32_t length = 1 + data_random_below(&random, 1u << (4 + round % 15));

            if (length > size - at)
                length = size - at;
            data_fill(&random, (int)data_random_below(&random, DATA_KIND_COUNT), frame.raw + at,
                      length);
            at += length;
        }
        encode(&frame, &spec_auto);
        assert_true((size_t)frame.encoded_size <= frame_stored_size_max(size, block_size));
        assert_round_trip(&frame);
        data_frame_release(&frame);
    }
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    struct data_random random = {.state = 16};
    struct data_frame frame;
    struct codec_ctx *fresh;
    uint8_t *first;

    (void)state;
    data_frame_init(&frame, 700001, 1 << 16);
    data_fill(&random, DATA_BF16, frame.raw, 300000);
    data_fill(&random, DATA_INT64, frame.raw + 300000, 400001);
    encode(&frame, &spec_auto);
    first = malloc((size_t)frame.encoded_size);
    assert_non_null(first);
    memcpy(first, frame.encoded, (size_t)frame.encoded_size);
    memset(frame.encoded, 0, frame.capacity);
    assert_int_equal(codec_ctx_new(&fresh), 0);
    assert_int_equal(frame_encode(fresh, &spec_auto, &frame.source, frame.encoded, frame.capacity),
                     frame.encoded_size);
    assert_memory_equal(first, frame.encoded, (size_t)frame.encoded_size);
    codec_ctx_free(fresh);
    free(first);
    data_frame_release(&frame);
}

static double seconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The fastest of several times: what the work costs when nothing disturbs it. */
static double encode_seconds(struct data_frame *frame, const struct codec_spec *spec)
{
    double best = 1e9;

    for (int round = 0; round < 9; round++) {
        double start = seconds();
        double took;

        encode(frame, spec);
        took = seconds() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Sanitizers slow our code down and not the libraries': a ratio of the two says nothing there. */
static void skip_ratios_under_a_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
}

/*
 * Incompressible data costs, beyond storing it, at most a tenth of what compressing it would: what
 * zstd takes for as many bytes that do get smaller.
 */
static void incompressible_data_is_found_at_a_tenth_of_the_cost_of_compressing(void **state)
{
    const struct codec_spec spec_none = {CODEC_NONE, 0};
    struct data_random random = {.state = 17};
    struct data_frame frame;
    double found, stored, compressed;

    (void)state;
    skip_ratios_under_a_sanitizer();
    data_frame_init(&frame, 1 << 20, FRAME_BLOCK_SIZE_MAX);
    data_fill(&random, DATA_RANDOM, frame.raw, frame.source.raw_size);
    found = encode_seconds(&frame, &spec_auto);
    stored = encode_seconds(&frame, &spec_none);
    data_fill(&random, DATA_BF16, frame.raw, frame.source.raw_size);
    compressed = encode_seconds(&frame, &spec_zstd);
    printf("1 MiB: stored in %.0f us, found incompressible in %.0f us, compressed in %.0f us\n",
           stored * 1e6, found * 1e6, compressed * 1e6);
    assert_true(found - stored <= compressed / 10);
    data_frame_release(&frame);
}

/* 1024 blocks of 256 bytes take no more than twelve times as long as zstd for one block of as many.
 */
static void small_blocks_do_not_pay_for_setting_up_each(void **state)
{
    struct data_random random = {.state = 18};
    struct data_frame small, large;
    double small_seconds, large_seconds;

    (void)state;
    skip_ratios_under_a_sanitizer();
    data_frame_init(&small, 1 << 18, FRAME_BLOCK_SIZE_MIN);
    data_frame_init(&large, 1 << 18, FRAME_BLOCK_SIZE_MAX);
    data_fill(&random, DATA_BF16, small.raw, 1 << 18);
    memcpy(large.raw, small.raw, 1 << 18);
    small_seconds = encode_seconds(&small, &spec_auto);
    large_seconds = encode_seconds(&large, &spec_zstd);
    printf(
        "256 KiB in blocks of 256 bytes: %ld bytes in %.0f us; in one with zstd: %ld in %.0f us\n",
        (long)small.encoded_size, small_seconds * 1e6, (long)large.encoded_size,
        large_seconds * 1e6);
    assert_true(small_seconds <= 12 * large_seconds);
    assert_true(small.encoded_size < 1 << 18);
    data_frame_release(&small);
    data_frame_release(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_found_and_stored_small),
        cmocka_unit_test(rows_of_unlike_floats_are_called_what_they_are),
        cmocka_unit_test(elements_are_found_at_every_odd_offset),
        cmocka_unit_test(a_mixture_costs_little_more_than_its_pieces),
        cmocka_unit_test(whatever_the_data_growth_is_below_two_permille),
        cmocka_unit_test(random_mixtures_round_trip_within_their_limit),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(incompressible_data_is_found_at_a_tenth_of_the_cost_of_compressing),
        cmocka_unit_test(small_blocks_do_not_pay_for_setting_up_each),
    };

    return cmocka_run_group_tests_name("codec_auto", tests, set_up, tear_down);
}
