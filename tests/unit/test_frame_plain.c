/*
 * Plain frames: made of what does not compress and of nothing else, their blocks where the table's
 * end rounded up to a page says, and refused when they are not what frame_encode made.
 */
#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/codec/frame.h"
#include "tests/unit/frame_data.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = FRAME_PLAIN_ALIGNMENT };

static const struct codec_spec none = {CODEC_NONE, 0};

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

/* A plain frame of random bytes, as it is on disk. */
static void make_plain(struct data_frame *frame, uint32_t raw_size, uint32_t block_size,
                       const struct codec_spec *spec)
{
    struct data_random random = {.state = raw_size};

    data_frame_init(frame, raw_size, block_size);
    data_fill(&random, DATA_RANDOM, frame->raw, raw_size);
    assert_int_equal(data_frame_encode_plain(frame, ctx, spec),
                     frame_plain_size(raw_size, block_size));
}

/* Opens a frame and verifies every block of it, in place. Returns: the first error. */
static int verify(const uint8_t *encoded, size_t size)
{
    struct frame_view view;
    struct frame_block block;
    int err = frame_open(encoded, size, &view);

    if (!err)
        err = view.stored_size == size ? frame_block_locate(&view, 0, &block) : -EUCLEAN;
    if (err)
        return err;
    do {
        err = frame_block_verify_raw(&block, encoded + block.offset);
    } while (!err && frame_block_next(&view, &block));
    return err;
}

static void assert_is_plain(const struct data_frame *frame)
{
    const struct frame_source *source = &frame->source;
    uint32_t block_count = frame_block_count(source->raw_size, source->block_size);
    struct frame_view view;
    struct frame_block block;

    assert_int_equal(frame_open(frame->encoded, frame_header_size(block_count), &view), 0);
    assert_true(view.plain);
    assert_int_equal(view.payload_offset % PAGE, 0);
    assert_true(view.payload_offset - frame_header_size(block_count) < PAGE);
    assert_int_equal(view.stored_size, view.payload_offset + source->raw_size);
    for (uint32_t i = 0; i < block_count; i++) {
        assert_int_equal(frame_block_locate(&view, i, &block), 0);
        assert_int_equal(block.offset, view.payload_offset + i * source->block_size);
    }
    for (size_t at = frame_header_size(block_count); at < view.payload_offset; at++)
        assert_int_equal(frame->encoded[at], 0);
    assert_int_equal(verify(frame->encoded, (size_t)frame->encoded_size), 0);
}

static void every_size_around_pages_and_buffers_makes_a_plain_frame(void **state)
{
    static const uint32_t sizes[] = {
        PAGE, 2 * PAGE, 64 * TFS_KIB, FRAME_BUFFER_SIZE, 2 * FRAME_BUFFER_SIZE, FRAME_RAW_SIZE_MAX};
    static const int around[] = {-PAGE, -1, 0, 1, PAGE - 1, PAGE, PAGE + 1};
    static const uint32_t block_sizes[] = {PAGE, 32 * TFS_KIB, FRAME_BLOCK_SIZE_MAX};
    static const struct codec_spec specs[] = {{CODEC_NONE, 0}, {CODEC_ZSTD, 1}, {CODEC_AUTO, 0}};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes) * TFS_ARRAY_COUNT(around); i++) {
        int64_t size =
            (int64_t)sizes[i / TFS_ARRAY_COUNT(around)] + around[i % TFS_ARRAY_COUNT(around)];
        uint32_t block_size = block_sizes[i % TFS_ARRAY_COUNT(block_sizes)];
        struct data_frame frame;

        if (size <= PAGE / 2 || size > FRAME_RAW_SIZE_MAX)
            continue;
        make_plain(&frame, (uint32_t)size, block_size, &specs[i % TFS_ARRAY_COUNT(specs)]);
        assert_is_plain(&frame);
        data_frame_release(&frame);
    }
}

static void of_a_plain_frame_only_the_header_is_written(void **state)
{
    struct data_frame frame;
    size_t capacity;

    (void)state;
    make_plain(&frame, 300000, 64 * TFS_KIB, &none);
    capacity = frame_stored_size_max(300000, 64 * TFS_KIB);
    memset(frame.encoded, 0xA5, capacity);
    assert_int_equal(frame_encode(ctx, &none, &frame.source, frame.encoded, capacity),
                     PAGE + 300000);
    for (size_t at = PAGE; at < capacity; at++)
        assert_int_equal(frame.encoded[at], 0xA5);
    data_frame_release(&frame);
}

/* Wherever the one block is that compresses: those before it, at first left alone, are there. */
static void
a_frame_with_a_block_that_is_not_raw_is_none_and_the_same_as_without_asking(void **state)
{
    enum { BLOCK = 64 << 10, COUNT = 6, SIZE = COUNT * BLOCK - 100 };
    static const struct codec_spec specs[] = {{CODEC_GZIP, 1}, {CODEC_ZSTD, 1}, {CODEC_AUTO, 0}};

    (void)state;
    for (uint32_t i = 0; i < COUNT * TFS_ARRAY_COUNT(specs); i++) {
        const struct codec_spec *spec = &specs[i / COUNT];
        struct data_random random = {.state = i};
        struct data_frame asked, packed;
        struct frame_view view;

        data_frame_init(&packed, SIZE, BLOCK);
        data_fill(&random, DATA_RANDOM, packed.raw, SIZE);
        memset(packed.raw + i % COUNT * BLOCK, 7, BLOCK - 100);
        data_frame_init(&asked, SIZE, BLOCK);
        memcpy(asked.raw, packed.raw, SIZE);
        packed.encoded_size =
            frame_encode(ctx, spec, &packed.source, packed.encoded, packed.capacity);
        assert_int_equal(data_frame_encode_plain(&asked, ctx, spec), packed.encoded_size);
        assert_memory_equal(asked.encoded, packed.encoded, (size_t)packed.encoded_size);
        assert_int_equal(frame_open(asked.encoded, (size_t)asked.encoded_size, &view), 0);
        assert_false(view.plain);
        data_frame_release(&asked);
        data_frame_release(&packed);
    }
}

static void requests_that_cannot_become_a_plain_frame_are_refused(void **state)
{
    struct data_frame frame;

    (void)state;
    data_frame_init(&frame, PAGE, PAGE / 2);
    assert_int_equal(data_frame_encode_plain(&frame, ctx, &none), -EINVAL);
    data_frame_release(&frame);

    data_frame_init(&frame, 100, PAGE);
    frame.source.plain = true;
    assert_int_equal(
        frame_encode(ctx, &none, &frame.source, frame.encoded, frame_stored_size_max(100, PAGE)),
        -ENOSPC); /* no room for the zeros behind the table */
    data_frame_release(&frame);
}

/* Give a changed header a right checksum, as an attacker would. */
static void sign_header(uint8_t *encoded)
{
    uint32_t crc = tfs_crc32c(0, encoded, FRAME_FIXED_HEADER_SIZE - 4);
    uint32_t block_count = 0;
    struct frame_view view;

    if (frame_peek(encoded, FRAME_FIXED_HEADER_SIZE, &view) == 0)
        block_count = view.block_count; /* else it is refused anyway */
    crc = tfs_crc32c(crc, encoded + FRAME_FIXED_HEADER_SIZE,
                     (size_t)block_count * FRAME_TABLE_ENTRY_SIZE);
    tfs_put_le32(encoded + FRAME_FIXED_HEADER_SIZE - 4, crc);
}

static void a_header_that_lies_is_refused_even_when_its_checksum_is_right(void **state)
{
    enum { RAW_SIZE = 2 * PAGE + 8 };
    static const uint32_t last_word = FRAME_FIXED_HEADER_SIZE + 2 * FRAME_TABLE_ENTRY_SIZE;
    static const struct {
        const char *what;
        uint32_t at;
        uint32_t value; /* 4 bytes */
    } lies[] = {
        {"a version to come", 4, 0x0C000003},
        {"packed", 4, 0x0C000001},
        {"blocks of 2 KiB", 4, 0x0B000002},
        {"blocks of 8 KiB", 4, 0x0D000002},
        {"stored size of a packed frame", 12, FRAME_FIXED_HEADER_SIZE + 3 * 12 + RAW_SIZE},
        {"stored size, one less", 12, PAGE + RAW_SIZE - 1},
        {"stored size, one more", 12, PAGE + RAW_SIZE + 1},
        {"stored size, a page more", 12, 2 * PAGE + RAW_SIZE},
        {"raw size, one less", 8, RAW_SIZE - 1},
        {"raw size, beyond the limit", 8, FRAME_RAW_SIZE_MAX + 1},
        {"reserved", 40, 1},
        {"a block that compresses", FRAME_FIXED_HEADER_SIZE, 3u << 20 | (PAGE - 1)},
        {"a constant that is as long as its block", last_word, 1u << 20 | 8},
        {"a block of another size", FRAME_FIXED_HEADER_SIZE, PAGE - 1},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(lies); i++) {
        struct data_frame frame;

        make_plain(&frame, RAW_SIZE, PAGE, &none);
        assert_int_not_equal(tfs_get_le32(frame.encoded + lies[i].at), lies[i].value);
        tfs_put_le32(frame.encoded + lies[i].at, lies[i].value);
        sign_header(frame.encoded);
        if (verify(frame.encoded, (size_t)frame.encoded_size) != -EUCLEAN)
            fail_msg("accepted: %s", lies[i].what);
        data_frame_release(&frame);
    }
}

static void every_flipped_bit_is_found_but_for_zeros_that_mean_nothing(void **state)
{
    struct data_frame frame;
    size_t header_size = frame_header_size(2);

    (void)state;
    make_plain(&frame, PAGE + 1000, PAGE, &none);
    for (size_t bit = 0; bit < (size_t)frame.encoded_size * 8; bit++) {
        bool means_nothing = bit / 8 >= header_size && bit / 8 < PAGE;
        int err;

        frame.encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
        err = verify(frame.encoded, (size_t)frame.encoded_size);
        if (means_nothing ? err != 0 : err != -EUCLEAN && err != -EBADMSG)
            fail_msg("bit %zu: %d", bit, err);
        frame.encoded[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    data_frame_release(&frame);
}

static void a_block_verified_in_place_has_to_be_raw_and_to_have_both_checksums(void **state)
{
    struct data_frame frame;
    struct frame_view view;
    struct frame_block right, block;

    (void)state;
    make_plain(&frame, 2 * PAGE, PAGE, &none);
    assert_int_equal(frame_open(frame.encoded, PAGE, &view), 0);
    assert_int_equal(frame_block_locate(&view, 1, &right), 0);
    assert_int_equal(frame_block_verify_raw(&right, frame.raw + PAGE), 0);
    block = right;
    block.raw_crc ^= 1;
    assert_int_equal(frame_block_verify_raw(&block, frame.raw + PAGE), -EBADMSG);
    block = right;
    block.stored_crc ^= 1;
    assert_int_equal(frame_block_verify_raw(&block, frame.raw + PAGE), -EBADMSG);
    block = right;
    block.method = CODEC_METHOD_ZSTD;
    assert_int_equal(frame_block_verify_raw(&block, frame.raw + PAGE), -EINVAL);
    data_frame_release(&frame);
}

/* Header and table of 1020 blocks fill pages: the size alone does not tell the layouts apart. */
static void a_packed_frame_of_the_size_of_a_plain_one_is_told_by_its_header(void **state)
{
    enum { COUNT = 1020, SIZE = COUNT * PAGE };
    struct data_random random = {.state = 8};
    struct data_frame frame;
    struct frame_view view;

    (void)state;
    data_frame_init(&frame, SIZE, PAGE);
    data_fill(&random, DATA_RANDOM, frame.raw, SIZE);
    frame.encoded_size = frame_encode(ctx, &none, &frame.source, frame.encoded, frame.capacity);
    assert_true(frame_size_is_plain(SIZE, PAGE, (uint32_t)frame.encoded_size));
    assert_int_equal(frame_open(frame.encoded, (size_t)frame.encoded_size, &view), 0);
    assert_false(view.plain);
    assert_int_equal(verify(frame.encoded, (size_t)frame.encoded_size), 0);
    data_frame_release(&frame);
}

static void sizes_that_no_frame_has_are_known(void **state)
{
    enum { SIZE = 3 * PAGE };
    const uint32_t packed = (uint32_t)frame_stored_size_max(SIZE, PAGE);

    (void)state;
    assert_true(frame_stored_size_is_possible(SIZE, PAGE, packed));
    assert_false(frame_stored_size_is_possible(SIZE, PAGE, packed + 1));
    assert_true(frame_stored_size_is_possible(SIZE, PAGE, PAGE + SIZE));
    assert_false(frame_stored_size_is_possible(SIZE, PAGE, PAGE + SIZE + 1));
    assert_true(frame_stored_size_is_possible(SIZE, PAGE, (uint32_t)frame_header_size(3)));
    assert_false(frame_stored_size_is_possible(SIZE, PAGE, (uint32_t)frame_header_size(3) - 1));
    assert_false(frame_stored_size_is_possible(SIZE, PAGE / 2, PAGE + SIZE));
    assert_false(frame_size_is_plain(SIZE, PAGE, packed));
}

static void statistics_add_up_to_the_size_of_a_plain_frame(void **state)
{
    struct frame_stats stats = {.frame_count = 0};
    struct data_frame frame;
    struct frame_view view;

    (void)state;
    make_plain(&frame, 300000, 64 * TFS_KIB, &none);
    assert_int_equal(frame_open(frame.encoded, PAGE, &view), 0);
    frame_stats_add(&view, &stats);
    assert_int_equal(stats.raw_by_method[CODEC_METHOD_RAW], 300000);
    assert_int_equal(stats.stored_by_method[CODEC_METHOD_RAW], 300000);
    assert_int_equal(stats.stored_by_codec[CODEC_NONE], frame.encoded_size);
    assert_int_equal(stats.header_bytes, frame.encoded_size - 300000);
    data_frame_release(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_around_pages_and_buffers_makes_a_plain_frame),
        cmocka_unit_test(of_a_plain_frame_only_the_header_is_written),
        cmocka_unit_test(
            a_frame_with_a_block_that_is_not_raw_is_none_and_the_same_as_without_asking),
        cmocka_unit_test(requests_that_cannot_become_a_plain_frame_are_refused),
        cmocka_unit_test(a_header_that_lies_is_refused_even_when_its_checksum_is_right),
        cmocka_unit_test(every_flipped_bit_is_found_but_for_zeros_that_mean_nothing),
        cmocka_unit_test(a_block_verified_in_place_has_to_be_raw_and_to_have_both_checksums),
        cmocka_unit_test(a_packed_frame_of_the_size_of_a_plain_one_is_told_by_its_header),
        cmocka_unit_test(sizes_that_no_frame_has_are_known),
        cmocka_unit_test(statistics_add_up_to_the_size_of_a_plain_frame),
    };

    return cmocka_run_group_tests_name("frame_plain", tests, set_up, tear_down);
}
