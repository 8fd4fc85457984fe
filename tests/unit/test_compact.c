/*
 * Where holes cannot be punched, space comes back by compaction: frames in use leave segments that
 * are mostly dead, no byte changes for anybody, at no moment of a crash, and the segments go.
 *
 * Method: punching is made to fail. Segments are sealed between files, so that small files are
 * enough. After each test the store is closed and checked.
 */
#include "store_crash.h"

#include "chosen_numbers.h"

#include "store/check/check.h"
#include "store/index/engine.h"
#include "store/segment/engine.h"
#include "store/space/compact.h"
#include "store/space/compactor.h"
#include "store/space/gc.h"
#include "store/space/reclaim.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_SIZE = 1 << 20, DEAD_SIZE = 8 << 20 };

static bool punch_works;

static int punch(struct segment_store *store, struct segment_position at, uint64_t size)
{
    return punch_works ? segment_local.punch(store, at, size) : -EOPNOTSUPP;
}

/* Called around each commit of the index, while it is set. */
static void (*at_commit)(void *context);
static void *at_commit_context;

static int apply(struct index_db *db, const struct index_batch *batch)
{
    int err;

    if (at_commit)
        at_commit(at_commit_context);
    err = index_rocksdb.apply(db, batch);
    if (at_commit)
        at_commit(at_commit_context);
    return err;
}

/* A sealed segment with a file `kept` in use, and much that is dead. */
static void make_mostly_dead_segment(struct fixture *fixture)
{
    fixture_make_file(fixture, "kept", KEPT_SIZE, 1);
    fixture_make_file(fixture, "dead", DEAD_SIZE, 2);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    fixture_remove_file(fixture, "dead");
}

static struct tfs_gc_result collect(struct fixture *fixture)
{
    struct tfs_gc_options options = {0};
    struct tfs_gc_result result;

    assert_int_equal(tfs_volume_gc(fixture->volume, &options, &result), 0);
    return result;
}

static void print_problem(void *context, const struct tfs_check_problem *problem)
{
    (void)context;
    print_error("  %s: %s\n", tfs_check_kind_name(problem->kind), problem->text);
}

static void close_and_check(struct fixture *fixture)
{
    struct tfs_check_options options = {.path = fixture->path, .report = print_problem};
    struct tfs_check_result result;

    fixture_close(fixture);
    assert_int_equal(tfs_check(&options, NULL, &result), 0);
    assert_int_equal(result.left + result.unreadable, 0);
}

/* ---- what is in use moves, and the space comes back ---- */

static void a_segment_that_is_mostly_dead_is_emptied_and_removed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_gc_result result;

    make_mostly_dead_segment(fixture);
    result = collect(fixture);
    assert_true(result.bytes_before >= DEAD_SIZE + KEPT_SIZE);
    assert_true(result.moved_bytes >= KEPT_SIZE && result.moved_bytes < 2 * KEPT_SIZE);
    assert_int_equal(result.kept_rows, 0);
    assert_true(result.bytes_after < 2 * KEPT_SIZE);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    close_and_check(fixture);
}

/* Of several that are appended to side by side, one may get little for a long time. */
static void a_segment_is_emptied_while_an_older_one_is_appended_to(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_gc_result result;

    chosen_numbers_set_next(99);
    make_mostly_dead_segment(fixture);
    chosen_numbers_set_next(1);
    fixture_make_file(fixture, "other", KEPT_SIZE, 3);
    assert_true(segments_is_active(fixture->volume->segments, 1));
    result = collect(fixture);
    assert_true(result.moved_bytes >= KEPT_SIZE);
    assert_true(segments_is_active(fixture->volume->segments, 1));
    assert_true(result.bytes_after < 3 * KEPT_SIZE);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    fixture_assert_file(fixture, "other", KEPT_SIZE, 3);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    fixture_make_file(fixture, "last", KEPT_SIZE, 4); /* the volume's counter is behind 99 again */
    close_and_check(fixture);
}

/* What is remembered of a run is bounded: it goes on with another look at the rows. */
static void more_frames_than_are_remembered_move_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct compact_options options = {.dead_percent_min = 50, .frames_max = 3};
    struct compact_result result;
    char name[24];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "small%d", i);
        fixture_make_file(fixture, name, 20000, (uint64_t)i);
    }
    make_mostly_dead_segment(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    assert_int_equal(compact_run(fixture->volume, &options, &result), 0);
    assert_true(result.moved_frames >= 21);
    assert_int_equal(result.kept_rows, 0);
    reclaim_hurry(fixture->volume->reclaim);
    assert_int_equal(refcounts_live_of(fixture->volume->refcounts, 1), 0);
    fixture_assert_file(fixture, "small0", 20000, 0);
    fixture_assert_file(fixture, "small19", 20000, 19);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    close_and_check(fixture);
}

static void what_is_not_dead_enough_stays(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_gc_result result;

    fixture_make_file(fixture, "kept", DEAD_SIZE, 1);
    fixture_make_file(fixture, "dead", KEPT_SIZE, 2);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    fixture_remove_file(fixture, "dead");
    result = collect(fixture);
    assert_int_equal(result.moved_frames, 0);
    fixture_assert_file(fixture, "kept", DEAD_SIZE, 1);
    close_and_check(fixture);
}

static void a_shared_frame_is_copied_once_for_all_its_users(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_copy copy = {.size = KEPT_SIZE};
    struct tfs_gc_result result;

    fixture_make_file(fixture, "shared", KEPT_SIZE, 1);
    copy.source = fixture_open_file(fixture, "shared");
    for (int i = 0; i < 3; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "copy%d", i);
        copy.target = fixture_create(fixture, name);
        assert_int_equal(tfs_file_copy(&copy), KEPT_SIZE);
        tfs_file_close(copy.target);
    }
    tfs_file_close(copy.source);
    make_mostly_dead_segment(fixture);
    result = collect(fixture);
    assert_true(result.moved_bytes < 3 * KEPT_SIZE); /* `kept` and the shared one */
    fixture_remove_file(fixture, "copy1");
    (void)collect(fixture);
    for (int i = 0; i < 3; i += 2) {
        char name[16];

        (void)snprintf(name, sizeof(name), "copy%d", i);
        fixture_assert_file(fixture, name, KEPT_SIZE, 1);
    }
    close_and_check(fixture);
}

static void dirty_data_over_a_row_that_moves_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    make_mostly_dead_segment(fixture);
    file = fixture_open_file(fixture, "kept");
    fixture_write_random(file, 4096, 4096, 7);
    /* Not through gc, which commits first. */
    reclaim_hurry(fixture->volume->reclaim);
    {
        struct compact_options options = {.dead_percent_min = 25};
        struct compact_result result;

        assert_int_equal(compact_run(fixture->volume, &options, &result), 0);
        assert_true(result.moved_frames > 0);
    }
    fixture_assert_random(file, 4096, 4096, 7);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "kept");
    fixture_assert_random(file, 4096, 4096, 7);
    tfs_file_close(file);
    close_and_check(fixture);
}

static uint64_t damage_first_segment(struct fixture *fixture)
{
    char path[600];
    uint8_t byte;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/segments/%016x.seg", fixture->path, 1);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    assert_int_equal(close(fd), 0);
    return 5000;
}

static void a_damaged_frame_stays_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_gc_result result;
    struct tfs_file *file;
    struct tfs_read read;

    make_mostly_dead_segment(fixture);
    fixture_close(fixture);
    (void)damage_first_segment(fixture);
    fixture_open(fixture);
    fixture_make_file(fixture, "other", KEPT_SIZE, 3);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    result = collect(fixture);
    assert_int_equal(result.kept_rows, 1);
    assert_int_equal(result.moved_frames, 0);
    file = fixture_open_file(fixture, "kept");
    assert_int_equal(tfs_file_read(file, 0, 4096, &read), -EIO);
    tfs_file_close(file);
    fixture_assert_file(fixture, "other", KEPT_SIZE, 3);
}

static bool only_one_segment_is_left(void *context)
{
    struct fixture *fixture = context;

    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    dead_list_kick(fixture->volume->dead);
    return fixture_allocated(fixture) < 2 * KEPT_SIZE;
}

static void the_thread_compacts_by_itself_when_the_disk_is_full(void **state)
{
    struct fixture *fixture = *state;

    make_mostly_dead_segment(fixture);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    reclaim_hurry(fixture->volume->reclaim); /* the frames are dead, and nothing comes back */
    compactor_hurry(fixture->volume->compactor);
    fixture_wait(only_one_segment_is_left, fixture);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    close_and_check(fixture);
}

static bool stop_at_once(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    (void)done;
    assert_true(total > 0);
    return false;
}

static void a_run_that_is_stopped_leaves_a_whole_store(void **state)
{
    struct fixture *fixture = *state;
    struct compact_options options = {.dead_percent_min = 1, .progress = stop_at_once};
    struct compact_result result;

    for (int i = 0; i < 70; i++) { /* more than a group */
        char name[16];

        (void)snprintf(name, sizeof(name), "small%d", i % 100);
        fixture_make_file(fixture, name, 20000, (uint64_t)i);
    }
    make_mostly_dead_segment(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    assert_int_equal(compact_run(fixture->volume, &options, &result), -ECANCELED);
    assert_true(result.moved_frames >= 64 && result.moved_frames < 71);
    fixture_assert_file(fixture, "small69", 20000, 69);
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    close_and_check(fixture);
}

/* ---- a crash at every commit of a run ---- */

enum { CRASHES_MAX = 64 };

struct crashes {
    struct fixture *fixture;
    unsigned count;
};

static void copy_store(void *context)
{
    struct crashes *crashes = context;
    char command[1000];

    if (crashes->count == CRASHES_MAX)
        return;
    (void)snprintf(command, sizeof(command), "cp -a --sparse=always '%s' '%s/crash%u'",
                   crashes->fixture->path, crashes->fixture->directory, crashes->count++);
    assert_int_equal(system(command), 0);
}

static void a_crash_at_any_commit_of_a_run_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct crashes crashes = {.fixture = fixture};
    struct compact_options options = {.dead_percent_min = 25};
    struct compact_result result;
    struct tfs_copy copy = {.size = KEPT_SIZE};

    make_mostly_dead_segment(fixture);
    copy.source = fixture_open_file(fixture, "kept");
    copy.target = fixture_create(fixture, "copy");
    assert_int_equal(tfs_file_copy(&copy), KEPT_SIZE);
    tfs_file_close(copy.source);
    tfs_file_close(copy.target);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    reclaim_hurry(fixture->volume->reclaim);
    reclaim_stop(fixture->volume->reclaim); /* it would commit too */
    at_commit_context = &crashes;
    at_commit = copy_store;
    assert_int_equal(compact_run(fixture->volume, &options, &result), 0);
    at_commit = NULL;
    assert_true(result.moved_frames > 0 && crashes.count >= 4 && crashes.count < CRASHES_MAX);
    fixture_close(fixture);
    for (unsigned i = 0; i < crashes.count; i++) {
        struct fixture crashed = *fixture;

        (void)snprintf(crashed.path, sizeof(crashed.path), "%s/crash%u", fixture->directory, i);
        crashed.options.path = crashed.path;
        fixture_open(&crashed);
        fixture_assert_file(&crashed, "kept", KEPT_SIZE, 1);
        fixture_assert_file(&crashed, "copy", KEPT_SIZE, 1);
        close_and_check(&crashed);
    }
}

/* ---- beside readers and writers ---- */

struct worker {
    struct fixture *fixture;
    atomic_bool *stop;
    unsigned number;
    bool wrong;
};

static bool reads_as_written(struct tfs_file *file, const uint8_t *wanted, uint8_t *bytes)
{
    size_t done = 0;

    while (done < KEPT_SIZE) {
        struct tfs_read read;

        if (tfs_file_read(file, done, KEPT_SIZE - done, &read) != 0)
            return false;
        for (int i = 0; i < read.piece_count; i++) {
            memcpy(bytes + done, read.pieces[i].iov_base, read.pieces[i].iov_len);
            done += read.pieces[i].iov_len;
        }
        tfs_read_release(&read);
    }
    return memcmp(bytes, wanted, KEPT_SIZE) == 0;
}

/* Reads one file, and overwrites another one again and again. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct tfs_volume *volume = worker->fixture->volume;
    uint8_t *wanted = malloc(KEPT_SIZE);
    uint8_t *bytes = malloc(KEPT_SIZE);
    struct tfs_make make = {.mode = S_IFREG | 0644};
    struct tfs_file *kept = NULL;
    struct tfs_file *own = NULL;
    struct tfs_attr attr;
    char name[16];

    (void)snprintf(name, sizeof(name), "own%u", worker->number);
    worker->wrong = !wanted || !bytes || tfs_lookup(volume, TFS_ROOT_INODE, "kept", &attr) ||
                    tfs_file_open(volume, attr.inode, O_RDONLY, &kept) ||
                    tfs_make(volume, TFS_ROOT_INODE, name, &make, &attr) ||
                    tfs_file_open(volume, attr.inode, O_RDWR, &own);
    for (uint64_t round = 0; !worker->wrong && !atomic_load(worker->stop); round++) {
        fixture_fill(wanted, KEPT_SIZE, 1);
        worker->wrong = !reads_as_written(kept, wanted, bytes);
        fixture_fill(wanted, KEPT_SIZE, round);
        worker->wrong |= tfs_file_write(own, 0, wanted, KEPT_SIZE, 0) != KEPT_SIZE;
        worker->wrong |= tfs_file_sync(own, false) != 0;
        worker->wrong |= !reads_as_written(own, wanted, bytes);
    }
    tfs_file_close(kept);
    tfs_file_close(own);
    free(wanted);
    free(bytes);
    return NULL;
}

static void readers_and_writers_notice_nothing(void **state)
{
    struct fixture *fixture = *state;
    atomic_bool stop = false;
    struct worker workers[3];
    pthread_t threads[3];

    fixture_make_file(fixture, "kept", KEPT_SIZE, 1);
    for (unsigned i = 0; i < TFS_ARRAY_COUNT(workers); i++) {
        workers[i] = (struct worker){.fixture = fixture, .stop = &stop, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(segments_seal(fixture->volume->segments), 0);
        (void)collect(fixture);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < TFS_ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(workers[i].wrong);
    }
    fixture_assert_file(fixture, "kept", KEPT_SIZE, 1);
    close_and_check(fixture);
}

static int set_up(void **state)
{
    static struct index_engine index;
    static struct segment_engine segments;

    index = index_rocksdb;
    index.apply = apply;
    segments = segment_local;
    segments.open = chosen_numbers_open;
    segments.punch = punch;
    punch_works = false;
    return fixture_set_up_with(state, &index, &segments);
}

#define COMPACT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMPACT_TEST(a_segment_that_is_mostly_dead_is_emptied_and_removed),
        COMPACT_TEST(a_segment_is_emptied_while_an_older_one_is_appended_to),
        COMPACT_TEST(more_frames_than_are_remembered_move_all_the_same),
        COMPACT_TEST(what_is_not_dead_enough_stays),
        COMPACT_TEST(a_shared_frame_is_copied_once_for_all_its_users),
        COMPACT_TEST(dirty_data_over_a_row_that_moves_is_kept),
        COMPACT_TEST(a_damaged_frame_stays_where_it_is),
        COMPACT_TEST(the_thread_compacts_by_itself_when_the_disk_is_full),
        COMPACT_TEST(a_run_that_is_stopped_leaves_a_whole_store),
        COMPACT_TEST(a_crash_at_any_commit_of_a_run_loses_nothing),
        COMPACT_TEST(readers_and_writers_notice_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
