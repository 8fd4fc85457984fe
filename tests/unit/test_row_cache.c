/*
 * Goal: what is found is what was learnt last, or a moment ago from an index that has not changed
 * since; the memory is bounded. Method: rows with a number in them, and in threads a table of
 * numbers that stands for the index.
 */
#include "store/tables/row_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    BYTES_MAX = 1 << 20,
    ROWS_MORE_THAN_FIT = 50000,
    KEYS = 4,
    READERS = 3,
    ROUNDS = 20000,
};

static struct tfs_row_cache *cache;

static int set_up(void **state)
{
    (void)state;
    return row_cache_new(BYTES_MAX, &cache);
}

static int tear_down(void **state)
{
    (void)state;
    row_cache_free(TAKE_PTR(cache));
    return 0;
}

static struct row_cache_key key_of(uint64_t index)
{
    return (struct row_cache_key){.inode = 7, .index = index};
}

static struct tfs_row *row_of(uint32_t number, uint32_t extent_count)
{
    struct tfs_row *row = calloc(1, sizeof(*row) + extent_count * sizeof(row->extents[0]));

    assert_non_null(row);
    atomic_init(&row->references, 1);
    row->extent_count = extent_count;
    row->extents[0].frame.segment = 1;
    row->extents[0].frame.stored_size = number;
    return row;
}

static bool knows(uint64_t index)
{
    const struct row_cache_key key = key_of(index);
    struct tfs_row *row = NULL;
    uint64_t changes;
    bool found = row_cache_find(cache, &key, &row, &changes);

    row_unref(row);
    return found;
}

static void learn(uint64_t index, struct tfs_row *row)
{
    const struct row_cache_key key = key_of(index);
    struct tfs_row *found;
    uint64_t changes;

    if (row_cache_find(cache, &key, &found, &changes))
        row_unref(found);
    else
        row_cache_learn(cache, &key, row, changes);
    row_unref(row);
}

static void what_was_learnt_is_found(void **state)
{
    const struct row_cache_key key = key_of(5);
    const struct row_cache_key other = {.inode = 8, .index = 5};
    struct row_cache_status status;
    struct tfs_row *row = row_of(1, 1);
    struct tfs_row *found = NULL;
    uint64_t changes;

    (void)state;
    assert_false(row_cache_find(cache, &key, &found, &changes));
    row_cache_learn(cache, &key, row, changes);
    assert_true(row_cache_find(cache, &key, &found, &changes));
    assert_ptr_equal(found, row);
    assert_false(row_cache_find(cache, &other, &found, &changes));
    row_cache_get_status(cache, &status);
    assert_int_equal(status.hits, 1);
    assert_int_equal(status.misses, 2);
    row_unref(found);
    row_unref(row);
}

static void that_there_is_no_row_is_known_too(void **state)
{
    const struct row_cache_key key = key_of(5);
    struct tfs_row *found = NULL;
    uint64_t changes;

    (void)state;
    learn(5, NULL);
    assert_true(row_cache_find(cache, &key, &found, &changes));
    assert_null(found);
}

static void a_row_that_was_changed_is_forgotten(void **state)
{
    const struct row_cache_key key = key_of(5);

    (void)state;
    learn(5, row_of(1, 1));
    learn(6, row_of(1, 1));
    row_cache_forget(cache, &key);
    row_cache_forget(cache, &key); /* one that is not known */
    assert_false(knows(5));
    assert_true(knows(6));
}

static void nothing_is_learnt_across_a_change(void **state)
{
    const struct row_cache_key key = key_of(5);
    struct tfs_row *row = row_of(1, 1);
    struct tfs_row *found;
    uint64_t changes;

    (void)state;
    assert_false(row_cache_find(cache, &key, &found, &changes));
    row_cache_forget(cache, &key);
    row_cache_learn(cache, &key, row, changes);
    assert_false(knows(5));
    row_unref(row);
}

static void a_row_outlives_its_place_in_the_cache(void **state)
{
    const struct row_cache_key key = key_of(5);
    struct tfs_row *found = NULL;
    uint64_t changes;

    (void)state;
    learn(5, row_of(77, 1));
    assert_true(row_cache_find(cache, &key, &found, &changes));
    row_cache_forget(cache, &key);
    assert_int_equal(found->extents[0].frame.stored_size, 77);
    row_unref(found);
}

static void memory_is_bounded_and_what_is_used_stays(void **state)
{
    struct row_cache_status status;

    (void)state;
    learn(0, row_of(1, 1));
    learn(1, row_of(1, 1));
    for (uint64_t i = 2; i < ROWS_MORE_THAN_FIT; i++) {
        learn(i, row_of(1, 1));
        assert_true(knows(0));
    }
    row_cache_get_status(cache, &status);
    assert_true(status.bytes <= BYTES_MAX);
    assert_true(status.bytes > BYTES_MAX / 2);
    assert_false(knows(1));
    assert_true(knows(ROWS_MORE_THAN_FIT - 1));
}

static void a_row_that_is_too_large_drives_nothing_out(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        learn(i, row_of(1, 1));
    learn(1000, row_of(1, BYTES_MAX / sizeof(struct extent)));
    assert_false(knows(1000));
    for (uint64_t i = 0; i < 100; i++)
        assert_true(knows(i));
}

/* ---- in threads ---- */

/* What the index has, and what of it every reader has to see: a commit changes the one, has the row
 * forgotten, and returns. */
static struct {
    atomic_uint committed[KEYS];
    atomic_uint returned[KEYS];
    atomic_bool is_over;
    atomic_uint stale_count;
} fake_index;

static void look(uint64_t index)
{
    const struct row_cache_key key = key_of(index);
    unsigned least = atomic_load(&fake_index.returned[index]);
    struct tfs_row *row = NULL;
    uint64_t changes;

    if (!row_cache_find(cache, &key, &row, &changes)) {
        row = row_of(atomic_load(&fake_index.committed[index]), 1);
        row_cache_learn(cache, &key, row, changes);
    }
    if (row->extents[0].frame.stored_size < least)
        atomic_fetch_add(&fake_index.stale_count, 1);
    row_unref(row);
}

static void *read_rows(void *context)
{
    uint64_t index = (uint64_t)(uintptr_t)context;

    while (!atomic_load(&fake_index.is_over))
        look(index++ % KEYS);
    return NULL;
}

static void what_is_found_is_never_older_than_a_commit_that_has_returned(void **state)
{
    pthread_t threads[READERS];

    (void)state;
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_rows, (void *)i), 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (uint64_t index = 0; index < KEYS; index++) {
            const struct row_cache_key key = key_of(index);

            atomic_store(&fake_index.committed[index], round);
            row_cache_forget(cache, &key);
            atomic_store(&fake_index.returned[index], round);
        }
    }
    atomic_store(&fake_index.is_over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&fake_index.stale_count), 0);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(what_was_learnt_is_found),
        CACHE_TEST(that_there_is_no_row_is_known_too),
        CACHE_TEST(a_row_that_was_changed_is_forgotten),
        CACHE_TEST(nothing_is_learnt_across_a_change),
        CACHE_TEST(a_row_outlives_its_place_in_the_cache),
        CACHE_TEST(memory_is_bounded_and_what_is_used_stays),
        CACHE_TEST(a_row_that_is_too_large_drives_nothing_out),
        CACHE_TEST(what_is_found_is_never_older_than_a_commit_that_has_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
