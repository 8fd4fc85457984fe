/*
 * What is between index.h and an engine: which errors stay, what an engine's limits mean, who
 * checks guards, and what a crash may take.
 *
 * Method: the engine in memory, and copies of its table with a function of the test in it.
 */
#include "memory_index.h"
#include "test_index_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct index_engine engine; /* of the test: index_memory, with functions replaced */
static int apply_error;            /* of all calls from now on; 0: they are the engine's */
static int sync_error;             /* likewise */
static unsigned applied, synced;   /* calls */
static unsigned guards_seen;       /* by apply() */
static unsigned gets;              /* calls */
static bool closed_as_durable;

static int apply(struct index_db *db, const struct index_batch *batch)
{
    applied++;
    guards_seen += (unsigned)index_batch_guard_count(batch);
    return apply_error ? apply_error : index_memory.apply(db, batch);
}

static int sync_it(struct index_db *db)
{
    synced++;
    return sync_error ? sync_error : index_memory.sync(db);
}

static int get(struct index_db *db, enum index_table table, const void *key, size_t key_size,
               struct index_value *ret)
{
    gets++;
    return index_memory.get(db, table, key, key_size, ret);
}

static void note_close(struct index_db *db, bool all_durable)
{
    closed_as_durable = all_durable;
    index_memory.close(db, all_durable);
}

static struct tfs_index *open_at(const char *path)
{
    struct index_options options = {.engine = &engine, .path = path, .create = true};
    struct tfs_index *index;

    assert_int_equal(index_open(&options, &index), 0);
    return index;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    engine = index_memory;
    engine.apply = apply;
    engine.sync = sync_it;
    engine.get = get;
    engine.close = note_close;
    apply_error = sync_error = 0;
    applied = synced = guards_seen = gets = 0;
    closed_as_durable = false;
    assert_int_equal(index_batch_new(&fixture->batch), 0);
    fixture->index = open_at("living");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    (void)index_close(fixture->index); /* tests make it fail */
    index_batch_free(fixture->batch);
    free(fixture);
    memory_index_forget_all();
    return 0;
}

static void a_commit_that_timed_out_was_not_made_and_can_be_made_again(void **state)
{
    struct fixture *fixture = *state;

    apply_error = -ETIMEDOUT;
    assert_int_equal(commit_text(fixture, 1, 1, "one", true), -ETIMEDOUT);
    assert_int_equal(index_health(fixture->index), 0);
    assert_int_equal(index_commit_number(fixture->index), 0);
    apply_error = 0;
    assert_int_equal(commit_text(fixture, 1, 1, "one", true), 0);
    assert_text(fixture, 1, 1, "one");
    assert_int_equal(index_durable_number(fixture->index), 1);
}

static void a_sync_that_timed_out_can_be_made_again(void **state)
{
    struct fixture *fixture = *state;

    sync_error = -ETIMEDOUT;
    assert_int_equal(commit_text(fixture, 1, 1, "one", true), -ETIMEDOUT);
    assert_int_equal(index_sync(fixture->index), -ETIMEDOUT);
    assert_int_equal(synced, 2);
    assert_int_equal(index_durable_number(fixture->index), 0);
    sync_error = 0;
    assert_int_equal(index_sync(fixture->index), 0);
    assert_int_equal(index_durable_number(fixture->index), 1);
    assert_int_equal(index_health(fixture->index), 0);
}

static void after_any_other_error_of_a_write_the_engine_is_only_read(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    apply_error = -ESHUTDOWN; /* fenced off */
    assert_int_equal(commit_text(fixture, 1, 2, "two", false), -ESHUTDOWN);
    apply_error = 0;
    applied = 0;
    assert_int_equal(commit_text(fixture, 1, 2, "two", false), -ESHUTDOWN);
    assert_int_equal(index_sync(fixture->index), -ESHUTDOWN);
    assert_int_equal(applied + synced, 0);
    assert_int_equal(index_health(fixture->index), -ESHUTDOWN);
    assert_text(fixture, 1, 1, "one");
    assert_int_equal(index_close(TAKE_PTR(fixture->index)), -ESHUTDOWN);
    assert_false(closed_as_durable);
}

static void after_any_other_error_of_a_sync_the_engine_is_only_read(void **state)
{
    struct fixture *fixture = *state;

    sync_error = -EIO;
    assert_int_equal(commit_text(fixture, 1, 1, "one", true), -EIO);
    sync_error = 0;
    assert_int_equal(commit_text(fixture, 1, 2, "two", false), -EIO);
    assert_int_equal(index_sync(fixture->index), -EIO);
    assert_int_equal(applied, 1);
    assert_int_equal(synced, 1);
}

static void a_guard_that_fails_is_no_error_of_the_engine(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    index_batch_clear(fixture->batch);
    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE);
    put_text(fixture->batch, 1, 2, "two");
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EEXIST);
    assert_absent(fixture, 1, 2);
    assert_int_equal(index_health(fixture->index), 0);
    assert_int_equal(commit_text(fixture, 1, 2, "two", true), 0);
    assert_int_equal(index_close(TAKE_PTR(fixture->index)), 0);
    assert_true(closed_as_durable);
}

static void an_engine_that_checks_guards_is_given_them_and_asked_nothing(void **state)
{
    struct fixture *fixture = *state;

    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 1), KEY_SIZE);
    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(1, 2), KEY_SIZE);
    put_text(fixture->batch, 1, 1, "one");
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    assert_int_equal(guards_seen, 2);
    assert_int_equal(gets, 0);
}

static void a_batch_beyond_the_limit_of_the_engine_never_gets_there(void **state)
{
    static uint8_t value[INDEX_VALUE_SIZE_MAX];
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < 7; i++)
        index_batch_put(fixture->batch, INDEX_EXTENT, key_of(1, i), KEY_SIZE, value, sizeof(value));
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), 0);
    index_batch_put(fixture->batch, INDEX_EXTENT, key_of(1, 7), KEY_SIZE, value, sizeof(value));
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EOVERFLOW);
    assert_int_equal(applied, 1);
    assert_int_equal(index_health(fixture->index), 0);
}

/* What fixture->index shows, as it was before number `first_absent` was put. */
static void assert_crashed(const struct fixture *fixture, const char *path, uint32_t first_absent)
{
    struct fixture after = {.batch = fixture->batch, .index = open_at(path)};

    for (uint32_t i = 0; i < 10; i++) {
        if (i < first_absent)
            assert_text(&after, 1, i, "value");
        else
            assert_absent(&after, 1, i);
    }
    assert_int_equal(index_close(after.index), 0);
}

static void a_crash_leaves_what_was_synced_and_a_prefix_of_the_rest(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(commit_text(fixture, 1, i, "value", false), 0);
        if (i == 3)
            assert_int_equal(index_sync(fixture->index), 0);
    }
    for (uint32_t kept = 0; kept <= 6; kept++) {
        char path[16];

        (void)snprintf(path, sizeof(path), "crash %u", kept);
        memory_index_crash("living", path, kept);
        assert_crashed(fixture, path, 4 + kept);
    }
    assert_text(fixture, 1, 9, "value"); /* it lives on */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_that_timed_out_was_not_made_and_can_be_made_again),
        TEST(a_sync_that_timed_out_can_be_made_again),
        TEST(after_any_other_error_of_a_write_the_engine_is_only_read),
        TEST(after_any_other_error_of_a_sync_the_engine_is_only_read),
        TEST(a_guard_that_fails_is_no_error_of_the_engine),
        TEST(an_engine_that_checks_guards_is_given_them_and_asked_nothing),
        TEST(a_batch_beyond_the_limit_of_the_engine_never_gets_there),
        TEST(a_crash_leaves_what_was_synced_and_a_prefix_of_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
