/*
 * Ordered walks, over records in memtables and over records in table files (after a reopen), where
 * the bloom filters of prefixes could wrongly hide some.
 */
#include "test_index_fixture.h"

#include <errno.h>
#include <string.h>

/* inode 1: 0..9, inode 2: 0..4, inode 3: 0; and one key that is all ones. */
static void fill_records(struct fixture *fixture)
{
    static const uint8_t ones[KEY_SIZE] = {255, 255, 255, 255, 255, 255,
                                           255, 255, 255, 255, 255, 255};

    index_batch_clear(fixture->batch);
    for (uint32_t i = 0; i < 10; i++)
        put_text(fixture->batch, 1, i, "x");
    for (uint32_t i = 0; i < 5; i++)
        put_text(fixture->batch, 2, i, "xx");
    put_text(fixture->batch, 3, 0, "xxx");
    index_batch_put(fixture->batch, INDEX_EXTENT, ones, sizeof(ones), "ones", 4);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
}

/* Walks the range, checks that the keys rise, and returns how many there were. */
static int count_range(struct fixture *fixture, const struct index_range *range)
{
    struct index_scan *scan;
    struct index_record record;
    uint8_t last[INDEX_KEY_SIZE_MAX] = {0};
    int count = 0;
    int more;

    assert_int_equal(index_scan_open(fixture->index, range, &scan), 0);
    while ((more = index_scan_next(scan, &record)) == 1) {
        assert_true(count == 0 || memcmp(record.key, last, record.key_size) > 0);
        memcpy(last, record.key, record.key_size);
        assert_memory_equal(record.key, range->prefix ? range->prefix : last, range->prefix_size);
        count++;
    }
    assert_int_equal(more, 0);
    assert_int_equal(index_scan_next(scan, &record), 0); /* stays at the end */
    index_scan_close(scan);
    return count;
}

static int count_prefix(struct fixture *fixture, const void *prefix, size_t size)
{
    return count_range(fixture, &(struct index_range){INDEX_EXTENT, prefix, size, NULL, 0});
}

static int count_from(struct fixture *fixture, uint64_t inode, const void *start, size_t size)
{
    uint8_t prefix[8];

    memcpy(prefix, key_of(inode, 0), sizeof(prefix));
    return count_range(fixture, &(struct index_range){INDEX_EXTENT, prefix, 8, start, size});
}

static void check_counts(struct fixture *fixture)
{
    uint8_t key[KEY_SIZE];

    /* By prefix: an inode, a part of a number, everything, nothing. */
    assert_int_equal(count_prefix(fixture, key_of(1, 0), 8), 10);
    assert_int_equal(count_prefix(fixture, key_of(2, 0), 8), 5);
    assert_int_equal(count_prefix(fixture, key_of(4, 0), 8), 0);
    assert_int_equal(count_prefix(fixture, key_of(1, 0), 3), 16);
    assert_int_equal(count_prefix(fixture, key_of(1, 5), KEY_SIZE), 1);
    assert_int_equal(count_prefix(fixture, key_of(1, 5), 11), 10);
    assert_int_equal(count_prefix(fixture, NULL, 0), 17);
    memset(key, 255, sizeof(key));
    assert_int_equal(count_prefix(fixture, key, 8), 1);
    assert_int_equal(count_prefix(fixture, key, 1), 1);

    /* From a start inside, before and behind the prefix. */
    memcpy(key, key_of(1, 7), KEY_SIZE);
    assert_int_equal(count_from(fixture, 1, key, KEY_SIZE), 3);
    assert_int_equal(count_from(fixture, 2, key, KEY_SIZE), 5);
    memcpy(key, key_of(1, 10), KEY_SIZE);
    assert_int_equal(count_from(fixture, 1, key, KEY_SIZE), 0);
    memcpy(key, key_of(2, 1), KEY_SIZE);
    assert_int_equal(count_from(fixture, 1, key, KEY_SIZE), 0);
    assert_int_equal(count_from(fixture, 1, key, 0), 10);
    assert_int_equal(
        count_range(fixture, &(struct index_range){INDEX_EXTENT, NULL, 0, key, KEY_SIZE}), 6);
}

static void a_scan_finds_exactly_the_keys_of_its_range_in_memory_and_on_disk(void **state)
{
    struct fixture *fixture = *state;

    fill_records(fixture);
    check_counts(fixture);
    fixture_close(fixture);
    fixture_open(fixture, false); /* replays the log into table files */
    check_counts(fixture);
}

static void a_scan_of_a_table_without_inode_prefix_takes_short_keys(void **state)
{
    struct fixture *fixture = *state;

    index_batch_put(fixture->batch, INDEX_SUPER, "a", 1, "1", 1);
    index_batch_put(fixture->batch, INDEX_SUPER, "ab", 2, "2", 1);
    index_batch_put(fixture->batch, INDEX_SUPER, "b", 1, "3", 1);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_int_equal(count_range(fixture, &(struct index_range){INDEX_SUPER, "a", 1, NULL, 0}), 2);
    assert_int_equal(count_range(fixture, &(struct index_range){INDEX_SUPER, NULL, 0, NULL, 0}), 3);
}

static void a_scan_sees_the_index_as_it_was_when_it_was_opened(void **state)
{
    struct fixture *fixture = *state;
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_scan *scan;
    struct index_record record;
    int count = 0;

    fill_records(fixture);
    assert_int_equal(index_scan_open(fixture->index, &range, &scan), 0);
    assert_int_equal(commit_text(fixture, 1, 100, "later", false), 0);
    index_batch_clear(fixture->batch);
    index_batch_delete(fixture->batch, INDEX_EXTENT, key_of(1, 3), KEY_SIZE);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    while (index_scan_next(scan, &record) == 1)
        count++;
    index_scan_close(scan);
    assert_int_equal(count, 17);
    assert_int_equal(count_range(fixture, &range), 17); /* one less, one more */
}

static void a_record_of_a_scan_carries_its_value(void **state)
{
    struct fixture *fixture = *state;
    struct index_range range = {INDEX_EXTENT, key_of(3, 0), 8, NULL, 0};
    struct index_scan *scan;
    struct index_record record;

    fill_records(fixture);
    assert_int_equal(index_scan_open(fixture->index, &range, &scan), 0);
    assert_int_equal(index_scan_next(scan, &record), 1);
    assert_int_equal(record.key_size, KEY_SIZE);
    assert_memory_equal(record.key, key_of(3, 0), KEY_SIZE);
    assert_int_equal(record.value_size, 3);
    assert_memory_equal(record.value, "xxx", 3);
    index_scan_close(scan);
    index_scan_close(NULL);
}

static void a_scan_with_a_prefix_or_start_beyond_the_limit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[INDEX_KEY_SIZE_MAX + 1] = {1};
    struct index_range range = {INDEX_EXTENT, bytes, INDEX_KEY_SIZE_MAX + 1, NULL, 0};
    struct index_scan *scan;

    assert_int_equal(index_scan_open(fixture->index, &range, &scan), -EINVAL);
    range = (struct index_range){INDEX_EXTENT, NULL, 0, bytes, INDEX_KEY_SIZE_MAX + 1};
    assert_int_equal(index_scan_open(fixture->index, &range, &scan), -EINVAL);
    range =
        (struct index_range){INDEX_EXTENT, bytes, INDEX_KEY_SIZE_MAX, bytes, INDEX_KEY_SIZE_MAX};
    assert_int_equal(count_range(fixture, &range), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_scan_finds_exactly_the_keys_of_its_range_in_memory_and_on_disk),
        TEST(a_scan_of_a_table_without_inode_prefix_takes_short_keys),
        TEST(a_scan_sees_the_index_as_it_was_when_it_was_opened),
        TEST(a_record_of_a_scan_carries_its_value),
        TEST(a_scan_with_a_prefix_or_start_beyond_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
