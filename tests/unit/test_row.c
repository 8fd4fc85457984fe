/*
 * Rows: what shows where after a replacement, a cut or a split.
 *
 * Method: rows are built block by block and compared with a plain map "which frame, which of its
 * bytes" of the chunk; random changes do the same many times over.
 */
#include "row_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Which byte of which frame shows at a byte of the chunk: 0 for a hole. */
static uint64_t shown_at(const struct tfs_row *row, uint32_t at)
{
    const struct extent *extent = row_find(row, at);

    if (!extent || at < extent->start)
        return 0;
    return ((uint64_t)(extent->frame.header_crc + 1) << 32) + extent_in_frame(extent, at);
}

static void assert_shows(const struct tfs_row *row, const uint64_t *map)
{
    uint32_t end = 0;

    for (uint32_t at = 0; at < CHUNK; at += BLOCK / 4) {
        assert_int_equal(shown_at(row, at), map[at / (BLOCK / 4)]);
        if (map[at / (BLOCK / 4)])
            end = at + 1;
    }
    assert_true(row_end(row) >= end);
}

static void an_empty_row_shows_nothing(void **state)
{
    assert_int_equal(row_end(NULL), 0);
    assert_null(row_find(NULL, 0));
    assert_int_equal(row_stored_size(NULL), 0);
    assert_null(row_ref(NULL));
    row_unref(NULL);
    assert_null(punch(NULL, 0, BLOCKS));
    assert_null(clip(NULL, 0));
}

static void a_row_that_loses_its_last_extent_is_the_empty_row(void **state)
{
    struct extent extent = stored(1, 3, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &extent, 2);

    assert_int_equal(row->extent_count, 1);
    assert_null(punch(row_ref(row), 3, 2));
    assert_null(clip(row, 3 * BLOCK));
}

static void an_overwrite_in_the_middle_splits_an_extent(void **state)
{
    struct extent whole = stored(1, 0, CHUNK);
    struct extent middle = stored(2, 10, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &whole, BLOCKS);

    row = replace(row, &middle, 2);
    assert_int_equal(row->extent_count, 3);
    assert_int_equal(row->extents[0].visible_size, 10 * BLOCK);
    assert_int_equal(row->extents[2].start, 12 * BLOCK);
    assert_int_equal(row->extents[2].frame_offset, 12 * BLOCK);
    assert_int_equal(row->extents[2].visible_size, CHUNK - 12 * BLOCK);
    assert_true(row_has_frame(row, &whole.frame));
    assert_true(row_shows_first(row, 0));
    assert_false(row_shows_first(row, 2));
    assert_int_equal(row_stored_size(row), whole.frame.stored_size + middle.frame.stored_size);
    row_unref(row);
}

static void a_full_overwrite_forgets_the_old_frames(void **state)
{
    struct extent one = stored(1, 0, 10 * BLOCK);
    struct extent two = stored(2, 20, 10 * BLOCK);
    struct extent all = stored(3, 0, CHUNK);
    struct tfs_row *row = replace(replace(replace(NULL, &one, 10), &two, 10), &all, BLOCKS);

    assert_int_equal(row->extent_count, 1);
    assert_false(row_has_frame(row, &one.frame));
    assert_false(row_has_frame(row, &two.frame));
    row_unref(row);
}

static void bytes_behind_a_short_last_block_are_a_hole(void **state)
{
    struct extent extent = stored(1, 0, BLOCK + 100);
    struct tfs_row *row = replace(NULL, &extent, 2);

    assert_int_equal(row_end(row), BLOCK + 100);
    assert_int_equal(extent_end(&row->extents[0]), BLOCK + 100);
    assert_non_null(row_find(row, BLOCK + 99));
    assert_null(row_find(row, BLOCK + 100));
    row_unref(row);
}

static void a_cut_inside_of_a_block_keeps_the_bytes_before_it(void **state)
{
    struct extent one = stored(1, 0, 2 * BLOCK);
    struct extent two = stored(2, 2, 2 * BLOCK);
    struct tfs_row *row = replace(replace(NULL, &one, 2), &two, 2);

    row = clip(row, 2 * BLOCK + 1);
    assert_int_equal(row->extent_count, 2);
    assert_int_equal(row_end(row), 2 * BLOCK + 1);
    row = clip(row, 2 * BLOCK);
    assert_int_equal(row->extent_count, 1);
    row = clip(row, 1);
    assert_int_equal(row_end(row), 1);
    assert_null(clip(row, 0));
}

static void a_cut_at_or_behind_the_end_changes_nothing(void **state)
{
    struct extent extent = stored(1, 1, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &extent, 2);

    row = clip(clip(row, 3 * BLOCK), UINT32_MAX);
    assert_int_equal(row->extent_count, 1);
    assert_int_equal(row_end(row), 3 * BLOCK);
    row_unref(row);
}

static void both_parts_of_a_split_inline_frame_have_its_bytes(void **state)
{
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    struct extent extent = inlined(0x5a, 0, 8 * BLOCK, bytes);
    size_t size = extent.frame.stored_size;
    struct tfs_row *row = replace(NULL, &extent, 8);

    memset(bytes, 0, sizeof(bytes)); /* the row has a copy */
    row = punch(row, 3, 1);
    assert_int_equal(row->extent_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_ptr_not_equal(row->extents[i].inline_bytes, bytes);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(row->extents[i].inline_bytes[at], 0x5a);
    }
    assert_ptr_not_equal(row->extents[0].inline_bytes, row->extents[1].inline_bytes);
    assert_false(frame_ref_equal(&row->extents[0].frame, &row->extents[1].frame));
    assert_int_equal(frame_ref_disk_size(&row->extents[0].frame), 0);
    row_unref(row);
}

static void a_frame_on_disk_takes_whole_units(void **state)
{
    struct frame_ref frame = {.segment = 1, .stored_size = 1};

    assert_int_equal(frame_ref_disk_size(&frame), 4096);
    frame.stored_size = 4096;
    assert_int_equal(frame_ref_disk_size(&frame), 4096);
    frame.stored_size = 4097;
    assert_int_equal(frame_ref_disk_size(&frame), 8192);
}

/* One random change of row and map alike. */
static struct tfs_row *change(struct tfs_row *row, uint64_t *map, uint64_t number, uint64_t *seed)
{
    uint32_t first = (uint32_t)(dice(seed) % BLOCKS);
    uint32_t blocks = 1 + (uint32_t)(dice(seed) % (BLOCKS - first));
    uint32_t visible = blocks * BLOCK - (uint32_t)(dice(seed) % 4) * (BLOCK / 4);
    struct extent extent = stored(number, first, visible);
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    uint32_t size = (uint32_t)(dice(seed) % CHUNK);
    int what = (int)(dice(seed) % 8);

    if (what == 0) {
        for (uint32_t at = 0; at < CHUNK; at += BLOCK / 4)
            map[at / (BLOCK / 4)] = at < size ? map[at / (BLOCK / 4)] : 0;
        return clip(row, size);
    }
    if (what == 1)
        extent.visible_size = 0;
    if (what == 2) {
        extent = inlined((uint8_t)number, first, visible, bytes);
        extent.frame.header_crc = (uint32_t)number;
    }
    for (uint32_t at = first * BLOCK; at < (first + blocks) * BLOCK; at += BLOCK / 4)
        map[at / (BLOCK / 4)] =
            at - first * BLOCK < extent.visible_size
                ? ((uint64_t)(extent.frame.header_crc + 1) << 32) + (at - first * BLOCK)
                : 0;
    return replace(row, &extent, blocks);
}

static void a_row_shows_what_random_changes_left(void **state)
{
    uint64_t map[CHUNK / (BLOCK / 4)] = {0};
    uint64_t seed = (uint64_t)time(NULL);
    struct tfs_row *row = NULL;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 1; number <= 5000; number++) {
        row = change(row, map, number, &seed);
        assert_shows(row, map);
    }
    row_unref(row);
}

/* A frame inside of its row, of so many bytes, that shows one block. */
static struct extent inside(uint32_t block, const uint8_t *bytes, uint32_t size)
{
    return (struct extent){.start = block * BLOCK,
                           .visible_size = BLOCK,
                           .frame = {.stored_size = size, .raw_size = BLOCK, .block_count = 1},
                           .inline_bytes = bytes};
}

static void inline_bytes_of_a_row_are_counted_but_for_those_that_go(void **state)
{
    static const uint8_t bytes[ROW_INLINE_SIZE_MAX] = {1, 2, 3};
    struct tfs_row *row = NULL;

    (void)state;
    assert_int_equal(row_inline_size(NULL, 0, 0), 0);
    assert_int_equal(row_memory_size(NULL), 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct extent extent = inside(2 * i, bytes, ROW_INLINE_SIZE_MAX);
        struct tfs_row *next;

        assert_int_equal(row_is_fragmented(row, 0, CHUNK), i > 4);
        assert_int_equal(row_replace(row, &extent, (2 * i + 1) * BLOCK, &next), 0);
        row_unref(row);
        row = next;
        assert_int_equal(row_inline_size(row, 0, 0), (i + 1) * ROW_INLINE_SIZE_MAX);
        assert_int_equal(row_inline_size(row, 2 * i * BLOCK, (2 * i + 1) * BLOCK),
                         i * ROW_INLINE_SIZE_MAX);
    }
    assert_true(row_is_fragmented(row, 0, CHUNK));
    assert_in_range(row_memory_size(row), 6 * ROW_INLINE_SIZE_MAX, 7 * ROW_INLINE_SIZE_MAX);
    row_unref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_row_shows_nothing),
        cmocka_unit_test(a_row_that_loses_its_last_extent_is_the_empty_row),
        cmocka_unit_test(an_overwrite_in_the_middle_splits_an_extent),
        cmocka_unit_test(a_full_overwrite_forgets_the_old_frames),
        cmocka_unit_test(bytes_behind_a_short_last_block_are_a_hole),
        cmocka_unit_test(a_cut_inside_of_a_block_keeps_the_bytes_before_it),
        cmocka_unit_test(a_cut_at_or_behind_the_end_changes_nothing),
        cmocka_unit_test(both_parts_of_a_split_inline_frame_have_its_bytes),
        cmocka_unit_test(a_frame_on_disk_takes_whole_units),
        cmocka_unit_test(a_row_shows_what_random_changes_left),
        cmocka_unit_test(inline_bytes_of_a_row_are_counted_but_for_those_that_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
