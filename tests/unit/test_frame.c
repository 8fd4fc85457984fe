/*
 * Frames: whatever is encoded decodes to itself, with every codec and at the limits of every size;
 * and a frame that is not what frame_encode made is refused. Outputs are exactly as large as
 * promised, so that the sanitizer builds see any access beyond.
 */
#include "store/codec/frame.h"

#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "tests/unit/frame_data.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct codec_spec specs[] = {
    {CODEC_NONE, 0}, {CODEC_GZIP, 1}, {CODEC_GZIP, 6}, {CODEC_ZSTD, 1},
    {CODEC_ZSTD, 3}, {CODEC_ZSTD, 9}, {CODEC_AUTO, 0},
};

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
    assert_true((size_t)frame->encoded_size <= frame->capacity);
}

/* Decode every block from memory of exactly its size, to memory of exactly its size. */
static void assert_decodes(const struct data_frame *frame)
{
    uint32_t header_size = (uint32_t)frame_header_size(
        frame_block_count(frame->source.raw_size, frame->source.block_size));
    struct frame_view view;
    uint32_t raw_offset = 0;
    uint32_t offset = header_size;

    assert_int_equal(frame_open(frame->encoded, header_size, &view), 0);
    assert_int_equal(view.stored_size, frame->encoded_size);
    assert_int_equal(view.raw_size, frame->source.raw_size);
    for (uint32_t i = 0; i < view.block_count; i++) {
        struct frame_block block;
        uint8_t *stored, *raw;

        assert_int_equal(frame_block_locate(&view, i, &block), 0);
        assert_int_equal(block.offset, offset);
        stored = malloc(block.stored_size);
        raw = malloc(block.raw_size);
        assert_non_null(raw);
        if (block.stored_size > 0)
            memcpy(stored, frame->encoded + block.offset, block.stored_size);
        assert_int_equal(frame_block_decode(ctx, &block, stored, raw), 0);
        assert_memory_equal(raw, frame->raw + raw_offset, block.raw_size);
        assert_int_equal(block.raw_crc, tfs_crc32c(0, raw, block.raw_size));
        raw_offset += block.raw_size;
        offset += block.stored_size;
        free(stored);
        free(raw);
    }
    assert_int_equal(raw_offset, view.raw_size);
}

static void every_kind_of_data_round_trips_with_every_codec(void **state)
{
    static const uint32_t sizes[] = {1, 255, 4096, 65537, FRAME_BUFFER_SIZE, FRAME_BUFFER_SIZE + 3};
    struct data_random random = {.state = 1};

    (void)state;
    for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
        for (size_t s = 0; s < TFS_ARRAY_COUNT(sizes); s++) {
            struct data_frame frame;

            data_frame_init(&frame, sizes[s], FRAME_BLOCK_SIZE_MAX);
            data_fill(&random, kind, frame.raw, sizes[s]);
            for (size_t i = 0; i < TFS_ARRAY_COUNT(specs); i++) {
                encode(&frame, &specs[i]);
                assert_decodes(&frame);
            }
            data_frame_release(&frame);
        }
    }
}

static void blocks_of_every_size_round_trip(void **state)
{
    struct data_random random = {.state = 2};

    (void)state;
    for (uint32_t size = FRAME_BLOCK_SIZE_MIN; size <= FRAME_BLOCK_SIZE_MAX; size *= 2) {
        for (int kind = 0; kind < DATA_KIND_COUNT; kind++) {
            struct data_frame frame;

            data_frame_init(&frame, size * 3 + size / 2 + 1, size);
            data_fill(&random, kind, frame.raw, frame.source.raw_size);
            for (size_t i = 0; i < TFS_ARRAY_COUNT(specs); i++) {
                encode(&frame, &specs[i]);
                assert_decodes(&frame);
            }
            data_frame_release(&frame);
        }
    }
}

static void a_frame_at_each_limit_round_trips(void **state)
{
    static const struct {
        uint32_t raw_size, block_size;
    } limits[] = {
        {FRAME_RAW_SIZE_MAX, FRAME_BLOCK_SIZE_MAX},
        {FRAME_RAW_SIZE_MAX, FRAME_RAW_SIZE_MAX / FRAME_BLOCKS_MAX},
        {FRAME_BLOCKS_MAX * FRAME_BLOCK_SIZE_MIN, FRAME_BLOCK_SIZE_MIN},
        {1, FRAME_BLOCK_SIZE_MIN},
    };
    struct data_random random = {.state = 3};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(limits); i++) {
        struct data_frame frame;

        data_frame_init(&frame, limits[i].raw_size, limits[i].block_size);
        data_fill(&random, DATA_BF16, frame.raw, limits[i].raw_size);
        for (size_t s = 0; s < TFS_ARRAY_COUNT(specs); s++) {
            encode(&frame, &specs[s]);
            assert_decodes(&frame);
        }
        data_frame_release(&frame);
    }
}

static void requests_outside_of_the_limits_are_refused(void **state)
{
    static const struct {
        uint32_t raw_size, block_size;
    } wrong[] = {
        {0, 4096},
        {FRAME_RAW_SIZE_MAX + 1, FRAME_BLOCK_SIZE_MAX},
        {FRAME_BLOCKS_MAX * 256 + 1, 256},
        {4096, 128},
        {4096, 0},
        {4096, 3000},
        {4096, FRAME_BLOCK_SIZE_MAX * 2},
    };
    const struct codec_spec none = {CODEC_NONE, 0};
    const struct codec_spec wrong_spec = {CODEC_ZSTD, 20};
    struct data_frame frame;

    (void)state;
    data_frame_init(&frame, FRAME_RAW_SIZE_MAX + 1, FRAME_BLOCK_SIZE_MIN);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(wrong); i++) {
        frame.source.raw_size = wrong[i].raw_size;
        frame.source.block_size = wrong[i].block_size;
        assert_int_equal(frame_encode(ctx, &none, &frame.source, frame.encoded, frame.capacity),
                         -EINVAL);
    }
    frame.source.raw_size = 4096;
    frame.source.block_size = 4096;
    assert_int_equal(frame_encode(ctx, &wrong_spec, &frame.source, frame.encoded, frame.capacity),
                     -EINVAL);
    assert_int_equal(frame_encode(ctx, &none, &frame.source, frame.encoded,
                                  frame_stored_size_max(4096, 4096) - 1),
                     -ENOSPC);
    data_frame_release(&frame);
}

/* A frame of three blocks for the tests that damage it. */
static void make_small_frame(struct data_frame *frame, enum codec_id codec)
{
    const struct codec_spec spec = {codec, codec == CODEC_GZIP || codec == CODEC_ZSTD};
    struct data_random random = {.state = 4};

    data_frame_init(frame, 4096 * 2 + 100, 4096);
    data_fill(&random, DATA_BF16, frame->raw, frame->source.raw_size);
    encode(frame, &spec);
}

/* Give a changed header a right checksum, as an attacker would. */
static void sign_header(uint8_t *encoded, uint32_t block_count)
{
    uint32_t crc = tfs_crc32c(0, encoded, FRAME_FIXED_HEADER_SIZE - 4);

    crc = tfs_crc32c(crc, encoded + FRAME_FIXED_HEADER_SIZE,
                     (size_t)block_count * FRAME_TABLE_ENTRY_SIZE);
    tfs_put_le32(encoded + FRAME_FIXED_HEADER_SIZE - 4, crc);
}

static void the_header_tells_what_the_frame_was_made_from(void **state)
{
    struct data_frame frame;
    struct frame_view view;

    (void)state;
    make_small_frame(&frame, CODEC_GZIP);
    assert_int_equal(frame_peek(frame.encoded, FRAME_FIXED_HEADER_SIZE, &view), 0);
    assert_null(view.table);
    assert_int_equal(frame_open(frame.encoded, frame_header_size(3), &view), 0);
    assert_int_equal(view.spec.codec, CODEC_GZIP);
    assert_int_equal(view.spec.level, 1);
    assert_int_equal(view.block_size, 4096);
    assert_int_equal(view.block_count, 3);
    assert_int_equal(view.tag.inode, 42);
    assert_int_equal(view.tag.offset, 1 << 20);
    data_frame_release(&frame);
}

static void a_header_cut_short_is_refused_at_every_length(void **state)
{
    struct data_frame frame;
    struct frame_view view;

    (void)state;
    make_small_frame(&frame, CODEC_NONE);
    for (size_t size = 0; size < frame_header_size(3); size++) {
        uint8_t *cut = malloc(size ? size : 1);

        assert_non_null(cut);
        memcpy(cut, frame.encoded, size);
        assert_int_equal(frame_open(cut, size, &view), -EUCLEAN);
        free(cut);
    }
    data_frame_release(&frame);
}

static void a_header_that_lies_is_refused_even_when_its_checksum_is_right(void **state)
{
    static const struct {
        const char *what;
        uint32_t at;
        uint8_t value;
    } lies[] = {
        {"magic", 0, 'X'},
        {"version", 4, 3},
        {"version of a plain frame", 4, 2},
        {"codec", 5, CODEC_ID_COUNT},
        {"level", 6, 1},
        {"block size, less blocks", 7, 13},
        {"block size below the limit", 7, 7},
        {"block size above the limit", 7, 19},
        {"block size that would overflow a shift", 7, 255},
        {"raw size of nothing", 9, 0},
        {"raw size beyond the limit", 11, 0xFF},
        {"stored size", 12, 1},
        {"stored size beyond the limit", 15, 0xFF},
        {"reserved", 40, 1},
        {"stored size of a block", FRAME_FIXED_HEADER_SIZE, 1},
        {"method", FRAME_FIXED_HEADER_SIZE + 2, 0xF0},
        {"kind", FRAME_FIXED_HEADER_SIZE + 3, CODEC_KIND_COUNT},
    };
    struct data_frame frame;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(lies); i++) {
        struct frame_view view;
        int err;

        make_small_frame(&frame, CODEC_NONE);
        assert_int_not_equal(frame.encoded[lies[i].at], lies[i].value);
        frame.encoded[lies[i].at] = lies[i].value;
        if (lies[i].at == 9)
            frame.encoded[8] = 0; /* both bytes of the size */
        sign_header(frame.encoded, 3);
        err = frame_open(frame.encoded, (size_t)frame.encoded_size, &view);
        if (err == 0)
            fail_msg("accepted: %s", lies[i].what);
        data_frame_release(&frame);
    }
}

static void every_flipped_bit_of_a_frame_is_found(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_ID_COUNT; codec++) {
        struct data_frame frame;

        make_small_frame(&frame, codec);
        for (uint32_t bit = 0; bit < frame.encoded_size * 8; bit++) {
            uint8_t raw[4096];
            struct frame_view view;
            struct frame_block block;
            int err;

            frame.encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
            err = frame_open(frame.encoded, (size_t)frame.encoded_size, &view);
            for (uint32_t i = 0; err == 0 && i < view.block_count; i++) {
                assert_int_equal(frame_block_locate(&view, i, &block), 0);
                err = frame_block_decode(ctx, &block, frame.encoded + block.offset, raw);
            }
            if (err != -EUCLEAN && err != -EBADMSG)
                fail_msg("codec %d, bit %u: %d", codec, bit, err);
            frame.encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        data_frame_release(&frame);
    }
}

static void a_wrong_checksum_of_the_raw_bytes_alone_is_found(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_ID_COUNT; codec++) {
        uint8_t raw[4096];
        struct data_frame frame;
        struct frame_view view;
        struct frame_block block;

        make_small_frame(&frame, codec);
        assert_int_equal(frame_open(frame.encoded, (size_t)frame.encoded_size, &view), 0);
        assert_int_equal(frame_block_locate(&view, 1, &block), 0);
        block.raw_crc ^= 1;
        assert_int_equal(frame_block_decode(ctx, &block, frame.encoded + block.offset, raw),
                         -EBADMSG);
        data_frame_release(&frame);
    }
}

/* Stored bytes changed and all checksums made right: the decoders themselves must hold. */
static void rightly_signed_garbage_is_decoded_to_an_error_or_refused(void **state)
{
    struct data_random random = {.state = 5};
    uint32_t accepted = 0;

    (void)state;
    for (int codec = 0; codec < CODEC_ID_COUNT; codec++) {
        struct data_frame frame;
        struct frame_view view;
        struct frame_block block;

        make_small_frame(&frame, codec);
        assert_int_equal(frame_open(frame.encoded, (size_t)frame.encoded_size, &view), 0);
        assert_int_equal(frame_block_locate(&view, 0, &block), 0);
        for (int round = 0; round < 3000; round++) {
            uint8_t *stored = malloc(block.stored_size);
            uint8_t *raw = malloc(block.raw_size);

            assert_non_null(stored);
            assert_non_null(raw);
            memcpy(stored, frame.encoded + block.offset, block.stored_size);
            for (uint32_t hits = 1 + data_random_below(&random, 4); hits > 0; hits--)
                stored[data_random_below(&random, round % 2 ? 64 : block.stored_size)] =
                    (uint8_t)data_random_next(&random);
            block.stored_crc = tfs_crc32c(0, stored, block.stored_size);
            /* The raw checksum does not match, so that nothing is accepted. */
            accepted += frame_block_decode(ctx, &block, stored, raw) == 0;
            free(stored);
            free(raw);
        }
        data_frame_release(&frame);
    }
    assert_true(accepted < 20); /* a byte may be replaced by itself */
}

static void statistics_add_up_to_the_frames_sizes(void **state)
{
    struct frame_stats stats = {.frame_count = 0};
    uint64_t raw = 0, stored = 0, by_method = 0;

    (void)state;
    for (int codec = 0; codec < CODEC_ID_COUNT; codec++) {
        struct data_frame frame;
        struct frame_view view;

        make_small_frame(&frame, codec);
        assert_int_equal(frame_open(frame.encoded, (size_t)frame.encoded_size, &view), 0);
        frame_stats_add(&view, &stats);
        assert_int_equal(stats.raw_by_codec[codec], frame.source.raw_size);
        assert_int_equal(stats.stored_by_codec[codec], frame.encoded_size);
        raw += frame.source.raw_size;
        stored += (uint64_t)frame.encoded_size;
        data_frame_release(&frame);
    }
    assert_int_equal(stats.frame_count, CODEC_ID_COUNT);
    assert_int_equal(stats.block_count, 3 * CODEC_ID_COUNT);
    for (int kind = 0; kind < CODEC_KIND_COUNT; kind++) {
        raw -= stats.raw_by_kind[kind];
        stored -= stats.stored_by_kind[kind];
    }
    assert_int_equal(raw, 0);
    assert_int_equal(stored, stats.header_bytes);
    for (int method = 0; method < CODEC_METHOD_COUNT; method++)
        by_method += stats.raw_by_method[method];
    assert_int_equal(by_method, CODEC_ID_COUNT * (4096 * 2 + 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_data_round_trips_with_every_codec),
        cmocka_unit_test(blocks_of_every_size_round_trip),
        cmocka_unit_test(a_frame_at_each_limit_round_trips),
        cmocka_unit_test(requests_outside_of_the_limits_are_refused),
        cmocka_unit_test(the_header_tells_what_the_frame_was_made_from),
        cmocka_unit_test(a_header_cut_short_is_refused_at_every_length),
        cmocka_unit_test(a_header_that_lies_is_refused_even_when_its_checksum_is_right),
        cmocka_unit_test(every_flipped_bit_of_a_frame_is_found),
        cmocka_unit_test(a_wrong_checksum_of_the_raw_bytes_alone_is_found),
        cmocka_unit_test(rightly_signed_garbage_is_decoded_to_an_error_or_refused),
        cmocka_unit_test(statistics_add_up_to_the_frames_sizes),
    };

    return cmocka_run_group_tests_name("frame", tests, set_up, tear_down);
}
