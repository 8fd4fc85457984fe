/*
 * Looking chunks up while a commit moves them from memory to the index: nothing is hidden by it.
 *
 * Method: a commit has taken what it writes, and waits before it writes it. Then the test looks for
 * chunks; the commit is let go on and ends when the test has come to the index, just before it
 * looks there or just behind it. What is looked for is in memory only before the commit, and in the
 * index only afterwards.
 *
 * A resize waits for a commit that has begun: there the commit is let go on when the
 * change waits at the gate.
 */
#include "store_fixture.h"

#include "store/base/lock.h"
#include "store/check/check.h"
#include "store/index/engine.h"
#include "store/inode/data.h"
#include "store/segment/engine.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { FILE_SIZE = 5 * TFS_MIB };

/* Where the look at the index is when the commit comes. */
enum moment {
    BEFORE_THE_LOOK,
    BEHIND_THE_LOOK,
    MOMENT_COUNT,
    AT_THE_GATE = MOMENT_COUNT,
    NO_LOOKER
};

enum stage { IDLE, ARMED, TAKEN, LOOKING, COMMITTED };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum stage stage;
} play = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Of the test's own thread, which looks; no other is at any moment of it. */
static _Thread_local enum moment looker_moment = NO_LOOKER;

static void wait_for_locked(enum stage stage)
{
    while (play.stage < stage)
        (void)pthread_cond_wait(&play.changed, &play.lock);
}

static void wait_for(enum stage stage)
{
    (void)pthread_mutex_lock(&play.lock);
    wait_for_locked(stage);
    (void)pthread_mutex_unlock(&play.lock);
}

/* From one stage on to the next, then waits for another; only when it is the turn of that. */
static void step(enum stage from, enum stage to, enum stage then)
{
    (void)pthread_mutex_lock(&play.lock);
    if (play.stage == from) {
        play.stage = to;
        (void)pthread_cond_broadcast(&play.changed);
        wait_for_locked(then);
    }
    (void)pthread_mutex_unlock(&play.lock);
}

/* Returns the stage before. */
static enum stage set_stage(enum stage stage)
{
    enum stage before;

    (void)pthread_mutex_lock(&play.lock);
    before = play.stage;
    play.stage = stage;
    (void)pthread_cond_broadcast(&play.changed);
    (void)pthread_mutex_unlock(&play.lock);
    return before;
}

/* Unless it has gone already. */
static void let_commit_go(void)
{
    step(TAKEN, LOOKING, COMMITTED);
}

static void looks_at(enum moment moment)
{
    if (looker_moment == moment)
        let_commit_go();
}

/* A commit comes here when it has taken what it writes, and before it writes it. */
static int segments_sync_it(struct segment_store *store)
{
    step(ARMED, TAKEN, LOOKING);
    return segment_local.sync(store);
}

static int scan_open(struct index_db *db, const struct index_range *range, struct index_scan **ret)
{
    looks_at(BEFORE_THE_LOOK);
    return index_rocksdb.scan_open(db, range, ret);
}

static void scan_close(struct index_scan *scan)
{
    index_rocksdb.scan_close(scan);
    looks_at(BEHIND_THE_LOOK);
}

static int set_up(void **state)
{
    static struct index_engine index;
    static struct segment_engine segments;

    index = index_rocksdb;
    index.scan_open = scan_open;
    index.scan_close = scan_close;
    segments = segment_local;
    segments.sync = segments_sync_it;
    return fixture_set_up_with(state, &index, &segments);
}

static void *close_file(void *file)
{
    int err = tfs_file_flush(file);

    step(LOOKING, COMMITTED, COMMITTED);
    return (void *)(intptr_t)err;
}

/* A new file, written, that is being committed. */
static struct tfs_file *begin(struct fixture *fixture, enum moment moment, pthread_t *ret)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, FILE_SIZE, 7);
    looker_moment = moment;
    (void)set_stage(ARMED);
    assert_int_equal(pthread_create(ret, NULL, close_file, file), 0);
    wait_for(TAKEN);
    return file;
}

static void end(pthread_t committer)
{
    void *err;

    assert_int_equal(pthread_join(committer, &err), 0);
    assert_int_equal((intptr_t)err, 0);
    assert_int_equal(set_stage(IDLE), COMMITTED); /* else the test has looked nowhere */
}

/* Until a change of the file's geometry waits at the gate. */
static void *watch_gate(void *argument)
{
    struct tfs_inode *inode = argument;
    bool waits = false;

    while (!waits) {
        (void)sched_yield(); /* cannot fail */
        tfs_mutex_lock(&inode->lock);
        waits = inode->data->exclusive_wait > 0;
        tfs_mutex_unlock(&inode->lock);
    }
    (void)set_stage(LOOKING);
    return NULL;
}

/* A new file that is being committed, and its geometry then changed. */
static struct tfs_file *change_shape(struct fixture *fixture,
                                     void (*change)(struct fixture *fixture, struct tfs_file *file))
{
    pthread_t committer;
    pthread_t watcher;
    struct tfs_file *file = begin(fixture, AT_THE_GATE, &committer);
    struct tfs_inode *inode;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &inode), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch_gate, inode), 0);
    change(fixture, file);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    end(committer);
    inode_put(fixture->volume, inode);
    return file;
}

static void finish(struct fixture *fixture, struct tfs_file *file)
{
    tfs_file_close(file);
    fixture_remove_file(fixture, "file");
}

static void truncate_to_1000(struct fixture *fixture, struct tfs_file *file)
{
    fixture_truncate(fixture, tfs_file_inode(file), 1000);
}

static void what_truncate_cuts_off_stays_away(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = change_shape(fixture, truncate_to_1000);

    fixture_truncate(fixture, tfs_file_inode(file), FILE_SIZE);
    fixture_assert_random(file, 0, 1000, 7);
    fixture_assert_zeros(file, 1000, FILE_SIZE - 1000);
    finish(fixture, file);
}

static void punch(struct fixture *fixture, struct tfs_file *file)
{
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    (void)fixture;
    assert_int_equal(tfs_file_fallocate(file, mode, 0, 4 * TFS_MIB), 0);
}

static void what_is_punched_reads_as_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = change_shape(fixture, punch);

    fixture_assert_zeros(file, 0, 4 * TFS_MIB);
    finish(fixture, file);
}

static void data_is_no_hole(void **state)
{
    struct fixture *fixture = *state;

    for (int whence = SEEK_DATA; whence <= SEEK_HOLE; whence++) {
        for (enum moment moment = 0; moment < MOMENT_COUNT; moment++) {
            pthread_t committer;
            struct tfs_file *file = begin(fixture, moment, &committer);
            int64_t found = tfs_file_seek(file, 0, whence);

            let_commit_go(); /* where memory was enough nobody came to the index */
            end(committer);
            assert_int_equal(found, whence == SEEK_DATA ? 0 : FILE_SIZE);
            finish(fixture, file);
        }
    }
}

static void truncate_to_0(struct fixture *fixture, struct tfs_file *file)
{
    fixture_truncate(fixture, tfs_file_inode(file), 0);
}

static void a_removed_file_leaves_no_row_behind(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_check_options options = {.path = fixture->path};
    struct tfs_check_result result;
    struct tfs_file *file = change_shape(fixture, truncate_to_0);

    assert_int_equal(tfs_file_sync(file, false), 0);
    finish(fixture, file);
    fixture_close(fixture);
    assert_int_equal(tfs_check(&options, &fixture->message, &result), 0);
    assert_int_equal(result.live_bytes, 0);
    fixture_open(fixture);
}

#define MAP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAP_TEST(what_truncate_cuts_off_stays_away),
        MAP_TEST(what_is_punched_reads_as_zeros),
        MAP_TEST(data_is_no_hole),
        MAP_TEST(a_removed_file_leaves_no_row_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
