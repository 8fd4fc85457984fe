/*
 * Rows as bytes: what is written is what is read, there is one way to write a row, and bytes from
 * disk are refused or make a row that keeps its promises.
 *
 * Method: rows of a few extents are encoded; each field is then set to something impossible, the
 * bytes are cut short, or bits are flipped. Rows from bytes are checked the way readers use them.
 */
#include "row_fixture.h"

#include "store/base/bytes.h"
#include "store/codec/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MUTATIONS = 200000 };

static const struct row_geometry geometry = {.block_size = BLOCK, .chunk_size = CHUNK};

static uint8_t *encode_for(const struct tfs_row *row, const struct row_geometry *of,
                           size_t *ret_size)
{
    uint8_t *bytes = malloc(row_encoded_size(row));

    assert_non_null(bytes);
    row_encode(row, of, bytes);
    *ret_size = row_encoded_size(row);
    return bytes;
}

static uint8_t *encode(const struct tfs_row *row, size_t *ret_size)
{
    return encode_for(row, &geometry, ret_size);
}

/* Three extents: of a frame, of another in the row, and of the first one again. */
static struct tfs_row *sample_row(void)
{
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    struct extent whole = stored(1, 0, CHUNK - 10);
    struct extent middle = inlined(0x77, 4, 3 * BLOCK, bytes);

    return replace(replace(NULL, &whole, BLOCKS), &middle, 3);
}

static void a_decoded_row_is_the_encoded_one(void **state)
{
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);

    assert_int_equal(row_decode(bytes, size, &geometry, &again), 0);
    memset(bytes, 0xff, size);
    free(bytes); /* the row has its own */
    assert_int_equal(again->extent_count, row->extent_count);
    for (uint32_t i = 0; i < row->extent_count; i++) {
        struct extent a = row->extents[i];
        struct extent b = again->extents[i];

        if (a.frame.segment == 0)
            assert_memory_equal(a.inline_bytes, b.inline_bytes, a.frame.stored_size);
        a.inline_bytes = NULL;
        b.inline_bytes = NULL;
        assert_memory_equal(&a, &b, sizeof(a));
    }
    row_unref(again);
    row_unref(row);
}

static void a_row_of_as_many_extents_as_blocks_is_decoded(void **state)
{
    struct row_geometry small = {.block_size = 256, .chunk_size = 256 * ROW_EXTENTS_MAX};
    struct tfs_row *row = NULL;
    struct tfs_row *again;
    uint8_t *bytes;
    size_t size;

    for (uint32_t i = 0; i < ROW_EXTENTS_MAX; i++) {
        struct extent extent = stored(i + 1, 0, 256);
        struct tfs_row *next;

        extent.start = i * 256;
        assert_int_equal(row_replace(row, &extent, (i + 1) * 256, &next), 0);
        row_unref(row);
        row = next;
    }
    bytes = encode_for(row, &small, &size);
    assert_int_equal(row_decode(bytes, size, &small, &again), 0);
    assert_int_equal(again->extent_count, ROW_EXTENTS_MAX);
    row_unref(again);

    tfs_put_le16(bytes + 2, ROW_EXTENTS_MAX + 1);
    assert_int_equal(row_decode(bytes, size, &small, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

/* Blocks of four pages, of which extents may show one. */
static const struct row_geometry coarse = {.block_size = 4 * BLOCK, .chunk_size = CHUNK};

/* A page of one frame amid blocks of another. */
static struct tfs_row *page_amid_blocks(void)
{
    struct extent whole = stored(1, 0, CHUNK);
    struct extent page = stored(2, 5, BLOCK);

    whole.frame.block_count = BLOCKS / 4;
    whole.frame.stored_size = (uint32_t)frame_header_size(BLOCKS / 4) + 1;
    return replace(replace(NULL, &whole, BLOCKS), &page, 1);
}

static void a_row_says_in_units_what_blocks_cannot_say(void **state)
{
    struct tfs_row *row = page_amid_blocks();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    assert_int_equal(bytes[0], 2);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), 0);
    assert_true(row_equal(row, again));
    assert_int_equal(again->extents[2].start, 6 * BLOCK);
    assert_int_equal(again->extents[2].frame_offset, 6 * BLOCK);
    assert_int_equal(row_unit(&coarse), 4096);
    row_unref(again);
    free(bytes);
    row_unref(row);
}

static void a_row_in_blocks_is_written_as_it_always_was(void **state)
{
    struct tfs_row *row = clip(page_amid_blocks(), 5 * BLOCK);
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    assert_int_equal(bytes[0], 1);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), 0);
    assert_true(row_equal(row, again));
    row_unref(again);
    bytes[0] = 2; /* there is one way to write a row */
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_in_units_is_refused_when_extents_overlap(void **state)
{
    struct tfs_row *row = page_amid_blocks();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    tfs_put_le16(bytes + 8 + 40, 4); /* the page, where the first extent still shows */
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    tfs_put_le16(bytes + 8 + 40, BLOCKS);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_that_is_cut_short_is_refused(void **state)
{
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);

    for (size_t short_size = 0; short_size < size; short_size++) {
        uint8_t *copy = malloc(short_size + 1); /* so that ASan sees a read behind the end */

        assert_non_null(copy);
        copy = realloc(copy, short_size ? short_size : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, short_size);
        assert_int_equal(row_decode(copy, short_size, &geometry, &again), -EUCLEAN);
        free(copy);
    }
    free(bytes);
    row_unref(row);
}

static void bytes_that_have_no_meaning_are_refused(void **state)
{
    static const size_t reserved[] = {1, 4, 5, 6, 7};
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);
    uint8_t *longer = calloc(1, size + 1);

    assert_non_null(longer);
    memcpy(longer, bytes, size);
    assert_int_equal(row_decode(longer, size + 1, &geometry, &again), -EUCLEAN);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(reserved); i++) {
        longer[reserved[i]] ^= 0x80;
        assert_int_equal(row_decode(longer, size, &geometry, &again), -EUCLEAN);
        longer[reserved[i]] ^= 0x80;
    }
    assert_int_equal(row_decode(longer, size, &geometry, &again), 0);
    row_unref(again);
    free(longer);
    free(bytes);
    row_unref(row);
}

/* One field of the first entry is set to something impossible. */
struct bad_field {
    const char *name;
    size_t at; /* in the entry; see docs/FORMAT.md */
    size_t size;
    uint64_t value;
};

static void impossible_values_are_refused(void **state)
{
    static const struct bad_field fields[] = {
        {"an extent overlaps the next one", 0, 2, 1},
        {"it begins behind the chunk", 0, 2, 0xffff},
        {"it shows bytes behind the frame", 2, 2, 1},
        {"block_count of another size", 4, 4, 2},
        {"block_count 0", 4, 4, 0},
        {"visible_size 0", 8, 4, 0},
        {"visible_size of more than the frame", 8, 4, 4 * BLOCK + 1},
        {"visible_size beyond 32 bits with the start", 8, 4, UINT32_MAX},
        {"raw_size 0", 12, 4, 0},
        {"raw_size of more than a frame", 12, 4, FRAME_RAW_SIZE_MAX + 1},
        {"stored_size of less than a header", 16, 4, 47},
        {"stored_size between a packed and a plain frame", 16, 4, 4096 + 4 * BLOCK - 1},
        {"stored_size of more than a plain frame", 16, 4, 4096 + 4 * BLOCK + 1},
        {"stored_size of more than a frame", 16, 4, UINT32_MAX},
        {"an offset that is not aligned", 32, 8, 4097},
        {"an offset at the end of numbers", 32, 8, ~0ull & ~4095ull},
        {"an offset in an inline frame", 24, 8, 0},
    };
    struct extent first = stored(1, 0, 4 * BLOCK);
    struct extent second = stored(2, 4, 4 * BLOCK);
    struct tfs_row *row = replace(replace(NULL, &first, 4), &second, 4);
    size_t size;
    uint8_t *bytes = encode(row, &size);

    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields); i++) {
        uint8_t bad[200];
        uint8_t raw[8];
        struct tfs_row *again = NULL;

        assert_true(size <= sizeof(bad));
        memcpy(bad, bytes, size);
        tfs_put_le64(raw, fields[i].value);
        memcpy(bad + 8 + fields[i].at, raw, fields[i].size);
        if (row_decode(bad, size, &geometry, &again) != -EUCLEAN)
            fail_msg("accepted: %s", fields[i].name);
        assert_null(again);
    }
    bytes[0] = 3;
    assert_int_equal(row_decode(bytes, size, &geometry, &row), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_with_a_plain_frame_is_decoded(void **state)
{
    struct extent extent = stored(1, 0, 4 * BLOCK - 7);
    struct tfs_row *row, *again = NULL;
    uint8_t *bytes;
    size_t size;

    extent.frame.stored_size = (uint32_t)frame_plain_size(extent.frame.raw_size, BLOCK);
    row = replace(NULL, &extent, 4);
    bytes = encode(row, &size);
    assert_int_equal(row_decode(bytes, size, &geometry, &again), 0);
    assert_true(frame_ref_equal(&again->extents[0].frame, &extent.frame));
    assert_int_equal(again->extents[0].frame.stored_size, 4096 + 4 * BLOCK - 7);
    assert_int_equal(frame_ref_disk_size(&extent.frame), 5 * 4096);
    free(bytes);
    row_unref(again);
    row_unref(row);
}

static void an_inline_frame_larger_than_the_limit_is_refused(void **state)
{
    const size_t size = 8 + 40 + ROW_INLINE_SIZE_MAX;
    uint8_t *bytes = calloc(1, size + 1);
    struct tfs_row *row;

    assert_non_null(bytes);
    bytes[0] = 1;
    bytes[2] = 1;
    tfs_put_le32(bytes + 8 + 4, 1);
    tfs_put_le32(bytes + 8 + 8, BLOCK);
    tfs_put_le32(bytes + 8 + 12, BLOCK);
    tfs_put_le32(bytes + 8 + 16, ROW_INLINE_SIZE_MAX);
    assert_int_equal(row_decode(bytes, size, &geometry, &row), 0);
    row_unref(row);
    tfs_put_le32(bytes + 8 + 16, ROW_INLINE_SIZE_MAX + 1);
    assert_int_equal(row_decode(bytes, size + 1, &geometry, &row), -EUCLEAN);
    free(bytes);
}

/* Touches all that a reader would. */
static void assert_is_sane(const struct tfs_row *row)
{
    uint32_t free_from = 0;
    unsigned sum = 0;

    assert_true(row->extent_count > 0 && row->extent_count <= ROW_EXTENTS_MAX);
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];

        assert_true(extent->start >= free_from);
        assert_true(extent->visible_size > 0);
        free_from = extent_end(extent);
        assert_true((uint64_t)extent->frame_offset + extent->visible_size <=
                    extent->frame.raw_size);
        for (uint32_t at = 0; !extent->frame.segment && at < extent->frame.stored_size; at++)
            sum += extent->inline_bytes[at];
    }
    assert_true(free_from <= CHUNK);
    assert_true(sum < UINT32_MAX);
}

static void mutated_rows_are_refused_or_sane(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct tfs_row *row = sample_row();
    unsigned refused = 0;
    size_t size;
    uint8_t *bytes = encode(row, &size);
    uint8_t *copy = malloc(size);

    print_message("seed %llu\n", (unsigned long long)seed);
    assert_non_null(copy);
    for (int i = 0; i < MUTATIONS; i++) {
        struct tfs_row *again;
        int err;

        memcpy(copy, bytes, size);
        for (uint64_t count = 1 + dice(&seed) % 3; count > 0; count--)
            copy[dice(&seed) % 128] ^= (uint8_t)(1u << (dice(&seed) % 8));
        err =
            row_decode(copy, size - (dice(&seed) % 4 ? 0 : dice(&seed) % size), &geometry, &again);
        if (err) {
            assert_int_equal(err, -EUCLEAN);
            refused++;
            continue;
        }
        assert_is_sane(again);
        row_unref(again);
    }
    assert_true(refused > MUTATIONS / 10 && refused < MUTATIONS); /* the loop does both */
    free(copy);
    free(bytes);
    row_unref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decoded_row_is_the_encoded_one),
        cmocka_unit_test(a_row_of_as_many_extents_as_blocks_is_decoded),
        cmocka_unit_test(a_row_says_in_units_what_blocks_cannot_say),
        cmocka_unit_test(a_row_in_blocks_is_written_as_it_always_was),
        cmocka_unit_test(a_row_in_units_is_refused_when_extents_overlap),
        cmocka_unit_test(a_row_that_is_cut_short_is_refused),
        cmocka_unit_test(bytes_that_have_no_meaning_are_refused),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(a_row_with_a_plain_frame_is_decoded),
        cmocka_unit_test(an_inline_frame_larger_than_the_limit_is_refused),
        cmocka_unit_test(mutated_rows_are_refused_or_sane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
