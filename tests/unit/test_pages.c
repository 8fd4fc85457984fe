/*
 * Small changes of a file with large blocks: that a page costs a page and not its block, that lines
 * which are synced one by one neither pile up frames nor space, and that what was written is what
 * is read, whatever the pieces.
 *
 * Method: how much write-back encodes and stores is read from the volume's counters, what a row has
 * become from the index, and bytes are compared with those written, also after a reopen.
 */
#include "store_fixture.h"

#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/tables/format.h"
#include "store/tables/meta.h"
#include "store/tables/row.h"
#include "store/volume.h"

#include <errno.h>

enum {
    PAGE = 4096,
    BLOCK = 256 * 1024,
    LINE = 100,
    LINES = 3000, /* more than one block of them */
};

static uint64_t encoded_bytes(const struct fixture *fixture)
{
    return tfs_counter_get(&fixture->volume->stats.flushed_bytes);
}

static void sync_file(struct tfs_file *file)
{
    assert_int_equal(tfs_file_sync(file, false), 0);
}

/* What the index has of the first chunk of the file; the caller's. */
static struct tfs_row *row_of(struct fixture *fixture, const char *name)
{
    struct row_geometry geometry = data_geometry(22);
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct index_value value;
    struct tfs_row *row;

    meta_extent_key(fixture_lookup(fixture, TFS_ROOT_INODE, name), 0, key);
    assert_int_equal(index_get(fixture->volume->index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    assert_int_equal(row_decode(value.data, value.size, &geometry, &row), 0);
    index_value_release(&value);
    return row;
}

static uint32_t extent_count_of(struct fixture *fixture, const char *name)
{
    struct tfs_row *row = row_of(fixture, name);
    uint32_t count = row->extent_count;

    row_unref(row);
    return count;
}

static void a_page_in_a_block_costs_a_page(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t before;

    fixture_write_random(file, 0, 4 * BLOCK, 1);
    sync_file(file);
    before = encoded_bytes(fixture);
    fixture_write_random(file, BLOCK + 7 * PAGE, PAGE, 2);
    sync_file(file);
    assert_int_equal(encoded_bytes(fixture) - before, PAGE);
    fixture_write_random(file, 2 * BLOCK + 7 * PAGE + 10, 20, 3); /* inside of a page */
    sync_file(file);
    assert_int_equal(encoded_bytes(fixture) - before, 2 * PAGE);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, BLOCK + 7 * PAGE, PAGE, 2);
    fixture_assert_random(file, 2 * BLOCK + 7 * PAGE + 10, 20, 3);
    tfs_file_close(file);
    assert_int_equal(fixture_features(fixture) & FORMAT_FEATURE_PAGES, FORMAT_FEATURE_PAGES);
}

static void a_store_that_was_written_in_blocks_stays_one_that_older_programs_read(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, 3 * BLOCK + 1000, 1);
    sync_file(file);
    fixture_write_random(file, BLOCK, BLOCK, 2);
    sync_file(file);
    fixture_make_file(fixture, "small", 10, 3);
    tfs_file_close(file);
    assert_int_equal(fixture_features(fixture) & FORMAT_FEATURE_PAGES, 0);
}

static void lines_that_are_synced_one_by_one_are_encoded_a_few_times_each(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "log");
    uint64_t most = 0;

    for (uint64_t i = 0; i < LINES; i++) {
        fixture_write_random(file, i * LINE, LINE, i);
        sync_file(file);
        most = tfs_max_u64(most, fixture_allocated(fixture));
    }
    /* The log, what is dead of it and not punched yet, and what is allocated ahead. */
    assert_in_range(most, LINES * LINE, LINES * LINE + 4 * TFS_MIB);
    /* A page takes 41 lines, so half of it is encoded anew with each; and what merges adds. */
    assert_in_range(encoded_bytes(fixture), (uint64_t)LINES * LINE, (uint64_t)LINES * 3 * PAGE / 2);
    assert_in_range(extent_count_of(fixture, "log"), 1, ROW_EXTENTS_COMFORTABLE + 2);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "log");
    for (uint64_t i = 0; i < LINES; i++)
        fixture_assert_random(file, i * LINE, LINE, i);
    tfs_file_close(file);
}

static void a_block_in_too_many_pieces_becomes_one_again(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint32_t most = 0;

    fixture_write_random(file, 0, BLOCK, 1000);
    for (uint64_t page = 0; page < BLOCK / PAGE; page++) {
        fixture_write_random(file, page * 13 % (BLOCK / PAGE) * PAGE, PAGE, page);
        sync_file(file);
        most = (uint32_t)tfs_max_u64(most, extent_count_of(fixture, "file"));
    }
    assert_in_range(most, ROW_EXTENTS_COMFORTABLE / 2, ROW_EXTENTS_COMFORTABLE + 2);
    for (uint64_t page = 0; page < BLOCK / PAGE; page++)
        fixture_assert_random(file, page * 13 % (BLOCK / PAGE) * PAGE, PAGE, page);
    tfs_file_close(file);
}

static void a_damaged_frame_before_it_does_not_keep_an_append_from_being_stored(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_row *row;
    struct tfs_read read;

    fixture_write_random(file, 0, BLOCK, 1);
    sync_file(file);
    fixture_write_random(file, BLOCK, 2 * PAGE, 2); /* a frame of two pages */
    sync_file(file);
    row = row_of(fixture, "file");
    tfs_file_close(file);
    fixture_reopen(fixture);
    fixture_flip(fixture, row->extents[1].frame.segment, row->extents[1].frame.offset + 200);
    row_unref(row);
    file = fixture_open_file(fixture, "file");
    fixture_write_random(file, BLOCK + 2 * PAGE, PAGE, 3);
    sync_file(file);
    fixture_assert_random(file, BLOCK + 2 * PAGE, PAGE, 3);
    fixture_assert_random(file, 0, BLOCK, 1);
    assert_int_equal(tfs_file_read(file, BLOCK, 1, &read), -EIO);
    tfs_file_close(file);
}

static void checksums_of_blocks_are_those_of_their_bytes_whatever_the_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint8_t *bytes = malloc(3 * BLOCK);
    uint32_t before[3];
    uint32_t after[3];
    uint32_t block_size;

    assert_non_null(bytes);
    fixture_write_random(file, 0, 3 * BLOCK, 1);
    sync_file(file);
    assert_int_equal(tfs_file_block_checksums(file, 0, before, 3, &block_size), 3);
    assert_int_equal(block_size, BLOCK);
    /* The middle block in pieces, and then with its old bytes, still in pieces. */
    fixture_write_random(file, BLOCK + 5 * PAGE, PAGE, 2);
    sync_file(file);
    assert_int_equal(tfs_file_block_checksums(file, 0, after, 3, &block_size), 3);
    assert_int_equal(after[0], before[0]);
    assert_int_not_equal(after[1], before[1]);
    assert_int_equal(after[2], before[2]);
    fixture_fill(bytes, 3 * BLOCK, 1);
    fixture_write(file, BLOCK + 5 * PAGE, bytes + BLOCK + 5 * PAGE, PAGE);
    sync_file(file);
    assert_in_range(extent_count_of(fixture, "file"), 3, 5);
    assert_int_equal(tfs_file_block_checksums(file, 0, after, 3, &block_size), 3);
    assert_memory_equal(after, before, sizeof(before));
    free(bytes);
    tfs_file_close(file);
}

#define PAGES_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGES_TEST(a_page_in_a_block_costs_a_page),
        PAGES_TEST(a_store_that_was_written_in_blocks_stays_one_that_older_programs_read),
        PAGES_TEST(lines_that_are_synced_one_by_one_are_encoded_a_few_times_each),
        PAGES_TEST(a_block_in_too_many_pieces_becomes_one_again),
        PAGES_TEST(a_damaged_frame_before_it_does_not_keep_an_append_from_being_stored),
        PAGES_TEST(checksums_of_blocks_are_those_of_their_bytes_whatever_the_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
