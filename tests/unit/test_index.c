/*
 * Records, batches, guards and lookups of the index, from one thread.
 */
#include "test_index_fixture.h"

#include "memory_index.h"
#include "store/index/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void a_record_put_is_read_back_before_and_after_a_reopen(void **state)
{
    struct fixture *fixture = *state;

    assert_absent(fixture, 1, 1);
    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    assert_text(fixture, 1, 1, "one");
    fixture_close(fixture);
    fixture_open(fixture, false);
    assert_text(fixture, 1, 1, "one");
    assert_absent(fixture, 1, 2);
}

static void the_last_change_of_a_key_wins_within_a_batch_and_across(void **state)
{
    struct fixture *fixture = *state;

    put_text(fixture->batch, 1, 1, "old");
    put_text(fixture->batch, 1, 1, "new");
    put_text(fixture->batch, 1, 2, "gone");
    index_batch_delete(fixture->batch, INDEX_EXTENT, key_of(1, 2), KEY_SIZE);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_text(fixture, 1, 1, "new");
    assert_absent(fixture, 1, 2);
    assert_int_equal(commit_text(fixture, 1, 1, "newest", false), 0);
    assert_text(fixture, 1, 1, "newest");
}

static void the_same_key_in_two_tables_is_two_records(void **state)
{
    struct fixture *fixture = *state;
    struct index_value value;

    for (int table = 0; table < INDEX_TABLE_COUNT; table++) {
        char text = (char)('a' + table);

        index_batch_put(fixture->batch, (enum index_table)table, "key", 3, &text, 1);
    }
    assert_int_equal(index_commit(fixture->index, fixture->batch, true), 0);
    for (int table = 0; table < INDEX_TABLE_COUNT; table++) {
        assert_int_equal(index_get(fixture->index, (enum index_table)table, "key", 3, &value), 0);
        assert_int_equal(value.size, 1);
        assert_int_equal(value.data[0], 'a' + table);
        index_value_release(&value);
    }
}

static void keys_and_values_of_the_greatest_size_fit_and_empty_ones_too(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *bytes = malloc(INDEX_VALUE_SIZE_MAX);
    struct index_value value;

    assert_non_null(bytes);
    memset(bytes, 'x', INDEX_VALUE_SIZE_MAX);
    index_batch_put(fixture->batch, INDEX_XATTR, bytes, INDEX_KEY_SIZE_MAX, bytes,
                    INDEX_VALUE_SIZE_MAX);
    index_batch_put(fixture->batch, INDEX_XATTR, "empty", 5, NULL, 0);
    assert_int_equal(index_batch_count(fixture->batch), 2);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);

    assert_int_equal(index_get(fixture->index, INDEX_XATTR, bytes, INDEX_KEY_SIZE_MAX, &value), 0);
    assert_int_equal(value.size, INDEX_VALUE_SIZE_MAX);
    assert_memory_equal(value.data, bytes, value.size);
    index_value_release(&value);
    assert_int_equal(index_get(fixture->index, INDEX_XATTR, "empty", 5, &value), 0);
    assert_int_equal(value.size, 0);
    index_value_release(&value);
    free(bytes);
}

static void a_key_or_value_that_is_too_long_fails_the_commit_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *bytes = calloc(1, INDEX_VALUE_SIZE_MAX + 1);

    assert_non_null(bytes);
    put_text(fixture->batch, 1, 1, "one");
    index_batch_put(fixture->batch, INDEX_XATTR, bytes, INDEX_KEY_SIZE_MAX + 1, "v", 1);
    put_text(fixture->batch, 1, 2, "two");
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EOVERFLOW);
    index_batch_clear(fixture->batch);
    put_text(fixture->batch, 1, 1, "one");
    index_batch_put(fixture->batch, INDEX_XATTR, "k", 1, bytes, INDEX_VALUE_SIZE_MAX + 1);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EOVERFLOW);
    assert_absent(fixture, 1, 1);
    assert_absent(fixture, 1, 2);

    /* Clearing the batch forgets the error. */
    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    free(bytes);
}

static void a_batch_stops_growing_at_its_limit(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *bytes = calloc(1, INDEX_VALUE_SIZE_MAX);

    assert_non_null(bytes);
    for (uint32_t i = 0; i < 300; i++)
        index_batch_put(fixture->batch, INDEX_EXTENT, key_of(1, i), KEY_SIZE, bytes,
                        INDEX_VALUE_SIZE_MAX);
    assert_in_range(index_batch_bytes(fixture->batch), 250 * TFS_MIB, 256 * TFS_MIB);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EOVERFLOW);
    assert_absent(fixture, 1, 0);
    free(bytes);
}

static void a_batch_counts_changes_and_bytes_until_it_is_cleared(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(index_batch_count(fixture->batch), 0);
    assert_int_equal(index_batch_bytes(fixture->batch), 0);
    put_text(fixture->batch, 1, 1, "one");
    index_batch_delete(fixture->batch, INDEX_EXTENT, key_of(1, 2), KEY_SIZE);
    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 3), KEY_SIZE);
    assert_int_equal(index_batch_count(fixture->batch), 2);
    assert_true(index_batch_bytes(fixture->batch) >= 3 * KEY_SIZE + 3);
    index_batch_clear(fixture->batch);
    assert_int_equal(index_batch_count(fixture->batch), 0);
    assert_int_equal(index_batch_bytes(fixture->batch), 0);
}

static void a_guard_of_absence_lets_only_the_first_commit_pass(void **state)
{
    struct fixture *fixture = *state;

    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE);
    put_text(fixture->batch, 1, 1, "one");
    put_text(fixture->batch, 1, 2, "two");
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);

    index_batch_clear(fixture->batch);
    put_text(fixture->batch, 1, 1, "other");
    put_text(fixture->batch, 1, 3, "three");
    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EEXIST);
    assert_text(fixture, 1, 1, "one");
    assert_absent(fixture, 1, 3);
}

static int commit_guarded(struct fixture *fixture, const char *prefix)
{
    index_batch_clear(fixture->batch);
    index_batch_guard_prefix(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE, prefix,
                             strlen(prefix));
    put_text(fixture->batch, 2, 2, prefix);
    return index_commit(fixture->index, fixture->batch, false);
}

static void a_guard_of_a_prefix_passes_only_when_the_value_starts_so(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(commit_guarded(fixture, "ver"), -ESTALE); /* no such key */
    assert_int_equal(commit_guarded(fixture, ""), -ESTALE);
    assert_int_equal(commit_text(fixture, 1, 1, "version 1", false), 0);
    assert_int_equal(commit_guarded(fixture, "version 2"), -ESTALE);
    assert_int_equal(commit_guarded(fixture, "version 1 "), -ESTALE); /* longer than the value */
    assert_absent(fixture, 2, 2);
    assert_int_equal(commit_guarded(fixture, "version"), 0);
    assert_text(fixture, 2, 2, "version");
    assert_int_equal(commit_guarded(fixture, "version 1"), 0);
    assert_int_equal(commit_guarded(fixture, ""), 0);
    assert_text(fixture, 2, 2, "");
}

static void a_batch_of_guards_alone_is_checked_and_is_no_commit(void **state)
{
    struct fixture *fixture = *state;
    uint64_t number = index_commit_number(fixture->index);

    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE);
    assert_int_equal(index_commit(fixture->index, fixture->batch, true), 0);
    index_batch_clear(fixture->batch);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0); /* nothing at all */
    assert_int_equal(index_commit_number(fixture->index), number);
}

static void the_durable_number_follows_the_commit_number_at_a_sync(void **state)
{
    struct fixture *fixture = *state;
    uint64_t first = index_commit_number(fixture->index);

    assert_int_equal(index_durable_number(fixture->index), first);
    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    assert_int_equal(commit_text(fixture, 1, 2, "two", false), 0);
    assert_int_equal(index_commit_number(fixture->index), first + 2);
    assert_int_equal(index_durable_number(fixture->index), first);
    assert_int_equal(index_sync(fixture->index), 0);
    assert_int_equal(index_durable_number(fixture->index), first + 2);
    assert_int_equal(commit_text(fixture, 1, 3, "three", true), 0);
    assert_int_equal(index_durable_number(fixture->index), first + 3);
    assert_int_equal(index_sync(fixture->index), 0);
}

static void many_keys_are_looked_up_at_once_and_missing_ones_are_null(void **state)
{
    enum { COUNT = 150 }; /* more than one group of the adapter, and not a multiple of it */
    struct fixture *fixture = *state;
    uint8_t keys[COUNT][KEY_SIZE];
    const void *key_pointers[COUNT];
    size_t key_sizes[COUNT];
    struct index_value values[COUNT];

    for (uint32_t i = 0; i < COUNT; i++) {
        char text[16];

        memcpy(keys[i], key_of(7, COUNT - i), KEY_SIZE); /* not in order */
        key_pointers[i] = keys[i];
        key_sizes[i] = KEY_SIZE;
        (void)snprintf(text, sizeof(text), "%u", COUNT - i);
        if (i % 3 != 0)
            put_text(fixture->batch, 7, COUNT - i, text);
    }
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_int_equal(
        index_get_many(fixture->index, INDEX_EXTENT, COUNT, key_pointers, key_sizes, values), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%u", COUNT - i);
        if (i % 3 == 0) {
            assert_null(values[i].data);
        } else {
            assert_int_equal(values[i].size, strlen(text));
            assert_memory_equal(values[i].data, text, values[i].size);
        }
        index_value_release(&values[i]);
    }
    assert_int_equal(index_get_many(fixture->index, INDEX_EXTENT, 0, NULL, NULL, NULL), 0);
}

static void a_value_stays_valid_while_its_record_changes(void **state)
{
    struct fixture *fixture = *state;
    struct index_value value;

    assert_int_equal(commit_text(fixture, 1, 1, "kept", false), 0);
    assert_int_equal(index_get(fixture->index, INDEX_EXTENT, key_of(1, 1), KEY_SIZE, &value), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(commit_text(fixture, 1, 1, "changed", false), 0);
    assert_int_equal(value.size, 4);
    assert_memory_equal(value.data, "kept", 4);
    index_value_release(&value);
    index_value_release(&value); /* a second time does no harm */
}

struct watched {
    unsigned count;
    uint8_t key[KEY_SIZE]; /* the last one */
};

static void note_watched(void *context, const uint8_t *key, size_t key_size)
{
    struct watched *watched = context;

    assert_int_equal(key_size, KEY_SIZE);
    memcpy(watched->key, key, key_size);
    watched->count++;
}

/* Each put and delete of its table, when the commit returns; nothing else. */
static void who_watches_a_table_is_told_of_its_changes(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched = {.count = 0};
    struct index_options options = {.engine = fixture_is_in_memory() ? &index_memory : NULL,
                                    .path = fixture->path,
                                    .memory_size_max = 16 * TFS_MIB,
                                    .watch = {INDEX_EXTENT, note_watched, &watched}};

    fixture_close(fixture);
    assert_int_equal(index_open(&options, &fixture->index), 0);
    put_text(fixture->batch, 1, 1, "one");
    index_batch_put(fixture->batch, INDEX_XATTR, key_of(1, 7), KEY_SIZE, "x", 1);
    put_text(fixture->batch, 1, 2, "two");
    assert_int_equal(watched.count, 0);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_int_equal(watched.count, 2);
    assert_memory_equal(watched.key, key_of(1, 2), KEY_SIZE);

    index_batch_clear(fixture->batch);
    index_batch_guard_prefix(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE, "one", 3);
    index_batch_delete(fixture->batch, INDEX_EXTENT, key_of(1, 2), KEY_SIZE);
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_int_equal(watched.count, 3);
    assert_memory_equal(watched.key, key_of(1, 2), KEY_SIZE);
}

static void memory_stays_near_the_budget_whatever_is_written(void **state)
{
    enum { VALUE_SIZE = 16 * 1024, COUNT = 6000 };
    struct fixture *fixture = *state;
    uint8_t *bytes = malloc(VALUE_SIZE);
    uint64_t most = 0;

    if (fixture_is_in_memory()) {
        free(bytes);
        skip();
    }
    assert_non_null(bytes);
    for (size_t i = 0; i < VALUE_SIZE; i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    for (uint32_t i = 0; i < COUNT; i++) {
        index_batch_clear(fixture->batch);
        index_batch_put(fixture->batch, (enum index_table)(i % INDEX_TABLE_COUNT), key_of(i, i),
                        KEY_SIZE, bytes, VALUE_SIZE);
        assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
        if (i % 64 == 0)
            most = tfs_max_u64(most, index_memory_used(fixture->index));
    }
    free(bytes);
    print_message("most memory in use: %.1f of 16 MiB\n", (double)most / (double)TFS_MIB);
    assert_in_range(most, TFS_MIB, 16 * TFS_MIB);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_put_is_read_back_before_and_after_a_reopen),
        TEST(the_last_change_of_a_key_wins_within_a_batch_and_across),
        TEST(the_same_key_in_two_tables_is_two_records),
        TEST(keys_and_values_of_the_greatest_size_fit_and_empty_ones_too),
        TEST(a_key_or_value_that_is_too_long_fails_the_commit_and_changes_nothing),
        TEST(a_batch_stops_growing_at_its_limit),
        TEST(a_batch_counts_changes_and_bytes_until_it_is_cleared),
        TEST(a_guard_of_absence_lets_only_the_first_commit_pass),
        TEST(a_guard_of_a_prefix_passes_only_when_the_value_starts_so),
        TEST(a_batch_of_guards_alone_is_checked_and_is_no_commit),
        TEST(the_durable_number_follows_the_commit_number_at_a_sync),
        TEST(many_keys_are_looked_up_at_once_and_missing_ones_are_null),
        TEST(a_value_stays_valid_while_its_record_changes),
        TEST(who_watches_a_table_is_told_of_its_changes),
        TEST(memory_stays_near_the_budget_whatever_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
