/*
 * Commits: their order, what is shared by many, what a failure leaves, and what each strength
 * promises.
 *
 * Method: engines whose calls that make things durable note that they were made, fail when told
 * to, as engines do that cannot be reached, and one of which can be held until the test has seen
 * what it waits for.
 */
#include "store_crash.h"

#include "store/index/engine.h"
#include "store/index/index.h"
#include "store/inode/commit_list.h"
#include "store/segment/engine.h"
#include "store/volume.h"
#include "store/writeback/commit.h"
#include "store/writeback/commit_image.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LOG_SIZE = 4096, THREADS = 8 };

/* What the engines were asked for: S sync of the segments, C a batch, D sync of the index. */
static struct {
    pthread_mutex_t lock;
    char calls[LOG_SIZE];
    size_t count;
} note = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_int fail_segments_sync; /* calls that are still to fail, with the error */
static atomic_int fail_index_apply;
static atomic_int failure = -ETIMEDOUT;
static atomic_uint hold_until_flushed; /* index_sync() waits for so many chunks written back */

static struct fixture *volume_of_test; /* for its counters */
static struct index_db *index_of_test;

static void note_call(char call)
{
    pthread_mutex_lock(&note.lock);
    if (note.count < LOG_SIZE - 1)
        note.calls[note.count++] = call;
    note.calls[note.count] = '\0';
    pthread_mutex_unlock(&note.lock);
}

static void note_begin(void)
{
    pthread_mutex_lock(&note.lock);
    note.count = 0;
    note.calls[0] = '\0';
    pthread_mutex_unlock(&note.lock);
}

static void assert_calls(const char *wanted)
{
    char calls[LOG_SIZE];

    pthread_mutex_lock(&note.lock);
    memcpy(calls, note.calls, sizeof(calls));
    pthread_mutex_unlock(&note.lock);
    assert_string_equal(calls, wanted); /* without the lock: a failure leaves by longjmp */
}

static bool fires(atomic_int *count)
{
    if (atomic_load(count) == 0)
        return false;
    atomic_fetch_sub(count, 1);
    return true;
}

static int sync_segments(struct segment_store *store)
{
    note_call('S');
    return fires(&fail_segments_sync) ? atomic_load(&failure) : segment_local.sync(store);
}

static int apply(struct index_db *db, const struct index_batch *batch)
{
    note_call('C');
    return fires(&fail_index_apply) ? atomic_load(&failure) : index_rocksdb.apply(db, batch);
}

static uint64_t flushed_chunks(const struct fixture *fixture)
{
    return tfs_counter_get(&fixture->volume->stats.flushed_chunks);
}

static int sync_index(struct index_db *db)
{
    uint64_t hold = atomic_load(&hold_until_flushed);

    note_call('D');
    while (hold > 0 && flushed_chunks(volume_of_test) < hold)
        (void)sched_yield(); /* cannot fail */
    return index_rocksdb.sync(db);
}

static int open_index(const struct index_options *options, struct index_db **ret)
{
    int err = index_rocksdb.open(options, ret);

    if (!err)
        index_of_test = *ret;
    return err;
}

/* A volume's first append commits the number of its segment; the tests look at what comes after. */
static void begin_segment(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "first");

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
}

static int set_up(void **state)
{
    static struct index_engine index;
    static struct segment_engine segments;
    int err;

    index = index_rocksdb;
    index.open = open_index;
    index.apply = apply;
    index.sync = sync_index;
    segments = segment_local;
    segments.sync = sync_segments;
    atomic_store(&failure, -ETIMEDOUT);
    atomic_store(&hold_until_flushed, 0);
    err = fixture_set_up_with(state, &index, &segments);
    volume_of_test = *state;
    if (!err)
        begin_segment(*state);
    note_begin();
    return err;
}

static void data_is_durable_before_the_index_names_it(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    note_begin();
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_calls("SCD");
    tfs_file_close(file);
}

static void a_close_orders_and_a_sync_makes_durable(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    note_begin();
    assert_int_equal(tfs_file_flush(file), 0);
    assert_calls("SC");
    assert_int_equal(tfs_file_sync(file, true), 0);
    assert_calls("SCD");
    tfs_file_close(file);
}

static void a_small_file_needs_no_segment(void **state)
{
    struct tfs_file *file = fixture_create(*state, "file");

    fixture_write(file, 0, "small", 5);
    note_begin();
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_calls("CD");
    tfs_file_close(file);
}

static void what_is_committed_is_not_committed_again(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write(file, 0, "small", 5);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(commit_list_count(fixture->volume->commit_list), 0);
    note_begin();
    assert_int_equal(tfs_file_flush(file), 0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_calls("");
    tfs_file_close(file);
}

static void a_new_name_waits_for_the_data(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "a");
    struct tfs_place from = {TFS_ROOT_INODE, "a"};
    struct tfs_place to = {TFS_ROOT_INODE, "b"};
    struct tfs_attr attr;

    fixture_write_random(file, 0, TFS_MIB, 1);
    note_begin();
    assert_int_equal(tfs_rename(fixture->volume, &from, &to, 0), 0);
    assert_calls("SCC");
    fixture_write_random(file, TFS_MIB, TFS_MIB, 2);
    note_begin();
    assert_int_equal(tfs_link(fixture->volume, tfs_file_inode(file), TFS_ROOT_INODE, "c", &attr),
                     0);
    assert_calls("SCC");
    tfs_file_close(file);
}

static void many_files_share_a_batch(void **state)
{
    enum { FILES = 300, FILES_IN_A_BATCH = 128 };
    struct fixture *fixture = *state;
    uint64_t commits;

    for (int i = 0; i < FILES; i++) {
        struct tfs_file *file;
        char name[16];

        (void)snprintf(name, sizeof(name), "%d", i);
        file = fixture_create(fixture, name);
        fixture_write(file, 0, name, strlen(name));
        tfs_file_close(file);
    }
    assert_int_equal(commit_list_count(fixture->volume->commit_list), FILES);
    commits = tfs_counter_get(&fixture->volume->stats.commits);
    note_begin();
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    assert_calls("CCCD");
    assert_int_equal(tfs_counter_get(&fixture->volume->stats.commits) - commits,
                     (FILES + FILES_IN_A_BATCH - 1) / FILES_IN_A_BATCH);
    assert_int_equal(commit_list_count(fixture->volume->commit_list), 0);
}

struct syncer {
    struct tfs_file *file;
    int err;
};

static void *sync_file(void *argument)
{
    struct syncer *syncer = argument;

    syncer->err = tfs_file_sync(syncer->file, false);
    return NULL;
}

static void concurrent_syncs_share_the_work(void **state)
{
    struct fixture *fixture = *state;
    struct syncer syncers[THREADS];
    pthread_t threads[THREADS];
    uint64_t commits;
    uint64_t flushed = flushed_chunks(fixture);

    for (int i = 0; i < THREADS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%d", i);
        syncers[i] = (struct syncer){.file = fixture_create(fixture, name)};
        fixture_write_random(syncers[i].file, 0, TFS_MIB, (uint64_t)i);
    }
    commits = tfs_counter_get(&fixture->volume->stats.commits);
    /* The first one's sync of the index takes until all are about to ask for theirs. */
    atomic_store(&hold_until_flushed, (unsigned)flushed + THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sync_file, &syncers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(syncers[i].err, 0);
        tfs_file_close(syncers[i].file);
    }
    assert_in_range(tfs_counter_get(&fixture->volume->stats.commits) - commits, 1, THREADS - 1);
}

static void a_failed_sync_of_the_segments_commits_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct fixture *copy;

    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    fixture_write_random(file, 0, TFS_MIB, 1);
    note_begin();
    atomic_store(&fail_segments_sync, 1);
    assert_int_equal(tfs_file_sync(file, false), -ETIMEDOUT);
    assert_calls("S");
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 0);
    crash_end(copy);
    fixture_assert_random(file, 0, TFS_MIB, 1); /* it is still there */
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    copy = crash_copy(fixture);
    file = fixture_open_file(copy, "file");
    fixture_assert_random(file, 0, TFS_MIB, 1);
    tfs_file_close(file);
    crash_end(copy);
}

static void a_failed_batch_is_told_and_tried_again(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct fixture *copy;

    fixture_write_random(file, 0, 100, 1);
    atomic_store(&fail_index_apply, 1);
    assert_int_equal(tfs_file_flush(file), -ETIMEDOUT);
    assert_int_equal(commit_list_count(fixture->volume->commit_list), 1);
    fixture_assert_random(file, 0, 100, 1);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 100);
    crash_end(copy);
}

static void a_batch_that_is_too_large_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    size_t limit = index_of_test->batch_bytes_max;

    fixture_write_random(file, 0, 100, 1);
    index_of_test->batch_bytes_max = 10;
    assert_int_equal(tfs_file_sync(file, false), -EOVERFLOW);
    index_of_test->batch_bytes_max = limit;
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, 100, 1);
    tfs_file_close(file);
}

static void a_file_that_is_refused_does_not_hold_up_the_others(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *refused = fixture_create(fixture, "refused");
    struct tfs_file *other = fixture_create(fixture, "other");
    struct fixture *copy;

    fixture_write_random(refused, 0, 100, 1);
    fixture_write_random(other, 0, 100, 2);
    atomic_store(&fail_index_apply, 2); /* the batch of both, and that of the first alone */
    assert_int_equal(tfs_volume_sync(fixture->volume), -ETIMEDOUT);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "refused"), 0);
    assert_int_equal(crash_size(copy, "other"), 100);
    crash_end(copy);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "refused"), 100);
    crash_end(copy);
    fixture_assert_random(refused, 0, 100, 1);
    fixture_assert_random(other, 0, 100, 2);
    tfs_file_close(refused);
    tfs_file_close(other);
}

static bool nothing_is_pending(void *context)
{
    struct fixture *fixture = context;

    return commit_list_count(fixture->volume->commit_list) == 0;
}

static void what_nobody_syncs_is_committed_after_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    struct fixture *copy;

    fixture->options.commit_interval_s = 1;
    fixture_reopen(fixture);
    file = fixture_create(fixture, "file");
    fixture_write_random(file, 0, 100, 1);
    fixture_wait(nothing_is_pending, fixture);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 100);
    crash_end(copy);
    tfs_file_close(file);
}

/* Nothing of it could ever be committed: it would fill the disk with garbage until the unmount. */
static void nothing_is_written_where_nothing_can_be_committed(void **state)
{
    atomic_int *const failures[] = {&fail_index_apply, &fail_segments_sync};
    struct fixture *fixture = *state;

    atomic_store(&failure, -EIO);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(failures); i++) {
        struct tfs_file *file = fixture_create(fixture, i ? "second" : "first one");

        fixture_write_random(file, 0, 4 * TFS_MIB, i);
        atomic_store(failures[i], 1);
        assert_int_equal(tfs_file_flush(file), -EIO);
        assert_int_equal(atomic_load(failures[i]), 0);
        assert_int_equal(tfs_file_write(file, 4 * TFS_MIB, "more", 4, 0), -EIO);
        fixture_assert_random(file, 0, 4 * TFS_MIB, i); /* what is there can be read */
        assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 4 * TFS_MIB);
        tfs_file_close(file);
        assert_int_equal(tfs_volume_close(TAKE_PTR(fixture->volume)), -EIO);
        fixture_open(fixture); /* where it can be again */
    }
}

#define COMMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMIT_TEST(data_is_durable_before_the_index_names_it),
        COMMIT_TEST(a_close_orders_and_a_sync_makes_durable),
        COMMIT_TEST(a_small_file_needs_no_segment),
        COMMIT_TEST(what_is_committed_is_not_committed_again),
        COMMIT_TEST(a_new_name_waits_for_the_data),
        COMMIT_TEST(many_files_share_a_batch),
        COMMIT_TEST(concurrent_syncs_share_the_work),
        COMMIT_TEST(a_failed_sync_of_the_segments_commits_nothing),
        COMMIT_TEST(a_failed_batch_is_told_and_tried_again),
        COMMIT_TEST(a_batch_that_is_too_large_is_told),
        COMMIT_TEST(a_file_that_is_refused_does_not_hold_up_the_others),
        COMMIT_TEST(what_nobody_syncs_is_committed_after_a_while),
        COMMIT_TEST(nothing_is_written_where_nothing_can_be_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
