/*
 * Space that is not needed any more comes back: of removed files, of dead frames, and of what a
 * crash left behind; and never earlier than nothing can need it.
 *
 * Method: a crash is a copy of the store as it is on the disk, opened beside it. The punch of the
 * segments' engine looks at what is durable when it happens.
 */
#include "store_crash.h"

#include "chosen_numbers.h"

#include "store/index/index.h"
#include "store/segment/engine.h"
#include "store/space/gc.h"
#include "store/space/reclaim.h"
#include "store/space/sweep.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"
#include "store/writeback/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tfs_volume *watched; /* NULL: punches are not looked at */
static atomic_uint early_punches;  /* before the last commit was durable */
static atomic_uint punches;
static atomic_bool refuse_punches; /* as a disk that fails, or one that is not asked in time */

static int punch(struct segment_store *store, struct segment_position at, uint64_t size)
{
    if (watched && index_durable_number(watched->index) < index_commit_number(watched->index))
        atomic_fetch_add(&early_punches, 1);
    atomic_fetch_add(&punches, 1);
    if (atomic_load(&refuse_punches))
        return -EIO;
    return segment_local.punch(store, at, size);
}

static atomic_bool stop_appends;
static int set_up(void **state)
{
    static struct segment_engine segments;

    segments = segment_local;
    segments.open = chosen_numbers_open;
    segments.punch = punch;
    return fixture_set_up_with(state, NULL, &segments);
}

/* Waits until the segments take no more than this. */
struct wanted {
    struct fixture *fixture;
    uint64_t allocated;
};

static bool is_small_enough(void *context)
{
    struct wanted *wanted = context;

    /* What dies with a commit is given back when that is durable. */
    assert_int_equal(tfs_volume_sync(wanted->fixture->volume), 0);
    return fixture_allocated(wanted->fixture) <= wanted->allocated;
}

static void wait_for_space(struct fixture *fixture, uint64_t allocated)
{
    struct wanted wanted = {fixture, allocated};

    fixture_wait(is_small_enough, &wanted);
}

/* The active segment is allocated ahead of what is written; sealed, it takes what it holds. */
static uint64_t allocated_now(struct fixture *fixture)
{
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    return fixture_allocated(fixture);
}

static void a_removed_file_gives_its_space_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;

    fixture_make_file(fixture, "keep", 8 * TFS_MIB, 1);
    before = allocated_now(fixture);
    fixture_make_file(fixture, "file", 24 * TFS_MIB, 2);
    assert_true(allocated_now(fixture) >= before + 24 * TFS_MIB);
    fixture_remove_file(fixture, "file");
    wait_for_space(fixture, before + TFS_MIB);
    fixture_assert_file(fixture, "keep", 8 * TFS_MIB, 1);
    assert_int_equal(refcounts_live_bytes(fixture->volume->refcounts) / TFS_MIB, 8);
}

static void many_attributes_are_removed_in_several_changes(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);
    uint64_t before;
    char name[32];

    for (int i = 0; i < 300; i++) {
        struct tfs_xattr xattr = {.name = name, .value = "value", .size = 5};

        (void)snprintf(name, sizeof(name), "user.%d", i);
        assert_int_equal(tfs_setxattr(fixture->volume, inode, &xattr), 0);
    }
    before = index_commit_number(fixture->volume->index);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    tfs_forget(fixture->volume, inode, 1);
    reclaim_hurry(fixture->volume->reclaim);
    assert_true(index_commit_number(fixture->volume->index) >= before + 1 + 300 / 64);
    assert_int_equal(tfs_listxattr(fixture->volume, inode, NULL, 0), -ESTALE);
}

static void a_removed_file_that_is_open_keeps_its_space(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture_make_file(fixture, "file", 8 * TFS_MIB, 1);
    file = fixture_open_file(fixture, "file");
    fixture_remove_file(fixture, "file");
    for (int i = 0; i < 3; i++)
        assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_assert_random(file, 0, 8 * TFS_MIB, 1);
    tfs_file_close(file);
    (void)allocated_now(fixture);
    wait_for_space(fixture, TFS_MIB);
}

static void overwritten_and_cut_data_gives_its_space_back(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    uint64_t before;

    fixture_make_file(fixture, "file", 16 * TFS_MIB, 1);
    before = allocated_now(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_write_random(file, 0, 16 * TFS_MIB, 2);
    assert_int_equal(tfs_file_sync(file, false), 0);
    (void)allocated_now(fixture);
    wait_for_space(fixture, before + TFS_MIB);
    fixture_assert_random(file, 0, 16 * TFS_MIB, 2);
    fixture_truncate(fixture, tfs_file_inode(file), 4 * TFS_MIB);
    wait_for_space(fixture, 5 * TFS_MIB);
    assert_int_equal(
        tfs_file_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * TFS_MIB), 0);
    wait_for_space(fixture, TFS_MIB);
    tfs_file_close(file);
}

static void a_shared_frame_stays_until_its_last_user_goes(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_copy copy = {.size = 8 * TFS_MIB};

    fixture_make_file(fixture, "a", 8 * TFS_MIB, 1);
    copy.source = fixture_open_file(fixture, "a");
    copy.target = fixture_create(fixture, "b");
    assert_int_equal(tfs_file_copy(&copy), 8 * TFS_MIB);
    tfs_file_close(copy.source);
    tfs_file_close(copy.target);
    (void)allocated_now(fixture);
    fixture_remove_file(fixture, "a");
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_assert_file(fixture, "b", 8 * TFS_MIB, 1);
    fixture_remove_file(fixture, "b");
    wait_for_space(fixture, TFS_MIB);
}

static bool segment_is_gone(void *context)
{
    struct fixture *fixture = context;
    char path[600];

    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    (void)snprintf(path, sizeof(path), "%s/segments/%016x.seg", fixture->path, 99);
    return access(path, F_OK) != 0;
}

/* Of several that are appended to side by side, one may get little for a long time. */
static void a_segment_goes_while_an_older_one_is_appended_to(void **state)
{
    struct fixture *fixture = *state;

    chosen_numbers_set_next(99);
    fixture_make_file(fixture, "file", 4 * TFS_MIB, 1);
    assert_false(segment_is_gone(fixture));
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    chosen_numbers_set_next(1);
    fixture_make_file(fixture, "keep", TFS_MIB, 2);
    assert_true(segments_is_active(fixture->volume->segments, 1));
    fixture_remove_file(fixture, "file");
    fixture_wait(segment_is_gone, fixture);
    fixture_assert_file(fixture, "keep", TFS_MIB, 2);
}

static void nothing_is_punched_before_its_end_is_durable(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture_make_file(fixture, "file", 8 * TFS_MIB, 1);
    file = fixture_open_file(fixture, "file");
    watched = fixture->volume;
    atomic_store(&early_punches, 0);
    atomic_store(&punches, 0);
    for (uint64_t i = 2; i < 8; i++) {
        fixture_write_random(file, 0, 8 * TFS_MIB, i);
        assert_int_equal(tfs_file_flush(file), 0); /* in order, and not durable */
        dead_list_kick(fixture->volume->dead);
    }
    assert_int_equal(tfs_file_sync(file, false), 0);
    reclaim_hurry(fixture->volume->reclaim);
    assert_true(atomic_load(&punches) > 0);
    assert_int_equal(atomic_load(&early_punches), 0);
    watched = NULL;
    tfs_file_close(file);
}

/* ---- after a crash ---- */

static bool nothing_is_in_flight(void *context)
{
    struct fixture *fixture = context;

    return flush_in_flight(fixture->volume->flush) == 0;
}

/* A file whose chunks are all written back and not committed. */
static struct tfs_file *write_uncommitted(struct fixture *fixture, uint64_t size, uint64_t seed)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, size, seed);
    fixture_wait(nothing_is_in_flight, fixture);
    return file;
}

static void what_was_never_committed_is_given_back_after_a_crash(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *copy;
    struct tfs_file *file;

    fixture_make_file(fixture, "keep", 6 * TFS_MIB, 1);
    file = write_uncommitted(fixture, 32 * TFS_MIB, 2);
    fixture_make_file(fixture, "keep2", 6 * TFS_MIB, 3);
    copy = crash_copy(fixture);
    wait_for_space(copy, 14 * TFS_MIB);
    fixture_assert_file(copy, "keep", 6 * TFS_MIB, 1);
    fixture_assert_file(copy, "keep2", 6 * TFS_MIB, 3);
    fixture_reopen(copy);
    fixture_assert_file(copy, "keep", 6 * TFS_MIB, 1);
    fixture_assert_file(copy, "keep2", 6 * TFS_MIB, 3);
    crash_end(copy);
    tfs_file_close(file);
}

static void a_removal_that_a_crash_interrupted_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *copy;
    struct tfs_file *file;
    struct tfs_attr attr;
    uint64_t inode;

    fixture_make_file(fixture, "file", 16 * TFS_MIB, 1);
    file = fixture_open_file(fixture, "file");
    inode = tfs_file_inode(file);
    fixture_remove_file(fixture, "file"); /* still open */
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    copy = crash_copy(fixture);
    wait_for_space(copy, TFS_MIB);
    assert_int_equal(tfs_getattr(copy->volume, inode, &attr), -ESTALE);
    crash_end(copy);
    tfs_file_close(file);
}

static void crash_after_crash_loses_no_space_and_no_data(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *copy;
    struct fixture *again;
    struct tfs_file *file;

    fixture_make_file(fixture, "keep", 4 * TFS_MIB, 1);
    file = write_uncommitted(fixture, 16 * TFS_MIB, 2);
    copy = crash_copy(fixture);
    fixture_make_file(copy, "second", 4 * TFS_MIB, 3);
    again = crash_copy(copy); /* its sweep may be over or not */
    wait_for_space(again, 9 * TFS_MIB);
    fixture_assert_file(again, "keep", 4 * TFS_MIB, 1);
    fixture_assert_file(again, "second", 4 * TFS_MIB, 3);
    crash_end(again);
    crash_end(copy);
    tfs_file_close(file);
}

/* More segments than a sweep looks at together; and so little is dead that nothing is compacted. */
static bool first_segment_is_gone(void *context)
{
    struct fixture *fixture = context;
    char path[600];

    assert_int_equal(tfs_volume_sync(fixture->volume), 0); /* what emptied it is durable */
    (void)snprintf(path, sizeof(path), "%s/segments/%016x.seg", fixture->path, 1);
    return access(path, F_OK) < 0;
}

/* Appends that follow each other without a moment between: one is always on its way. */
static void *append_always(void *argument)
{
    struct fixture *fixture = argument;
    struct tfs_refcounts *refcounts = fixture->volume->refcounts;
    unsigned epoch = refcounts_append_begin(refcounts);

    while (!atomic_load(&stop_appends)) {
        unsigned next = refcounts_append_begin(refcounts);

        refcounts_append_end(refcounts, epoch);
        epoch = next;
    }
    refcounts_append_end(refcounts, epoch);
    return NULL;
}

static void segments_are_removed_beside_constant_appends(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;

    fixture_make_file(fixture, "file", 8 * TFS_MIB, 1);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    atomic_store(&stop_appends, false);
    assert_int_equal(pthread_create(&thread, NULL, append_always, fixture), 0);
    fixture_remove_file(fixture, "file");
    fixture_wait(first_segment_is_gone, fixture);
    atomic_store(&stop_appends, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static bool all_is_durable(void *context)
{
    struct fixture *fixture = context;

    return index_durable_number(fixture->volume->index) ==
           index_commit_number(fixture->volume->index);
}

/* The list of what waits for a sync is bounded: nobody else asks for one here. */
static void many_dead_frames_are_made_durable_to_be_given_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t number;

    (void)fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);
    number = index_commit_number(fixture->volume->index);
    assert_false(all_is_durable(fixture));
    for (uint64_t i = 0; i < 1 << 16; i++) {
        struct frame_ref frame = {.segment = 99, .offset = 2 * i * 4096, .stored_size = 100};

        dead_list_add_frame(fixture->volume->dead, &frame, number);
    }
    fixture_wait(all_is_durable, fixture);
}

static void frames_that_lie_together_are_given_back_together(void **state)
{
    struct fixture *fixture = *state;
    unsigned before;

    fixture_make_file(fixture, "keep", TFS_MIB, 1);
    fixture_make_file(fixture, "file", 40 * TFS_MIB, 2);
    assert_true(allocated_now(fixture) > 40 * TFS_MIB);
    before = atomic_load(&punches);
    fixture_remove_file(fixture, "file");
    wait_for_space(fixture, 2 * TFS_MIB);
    assert_in_range(atomic_load(&punches) - before, 1, 5);
}

enum { PAIRS = 140, KEPT_SIZE = 100000, KEPT_ON_DISK = 102400, DEAD_SIZE = 20000 };

/* Frames that stay and frames that die side by side in many segments, all of an earlier mount. */
static void make_pairs(struct fixture *fixture)
{
    for (int i = 0; i < PAIRS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "keep%d", i);
        fixture_make_file(fixture, name, KEPT_SIZE, (uint64_t)i);
        (void)snprintf(name, sizeof(name), "die%d", i);
        fixture_make_file(fixture, name, DEAD_SIZE, (uint64_t)i);
        assert_int_equal(segments_seal(fixture->volume->segments), 0);
    }
    fixture_reopen(fixture);
}

static void remove_dying(struct fixture *fixture)
{
    for (int i = 0; i < PAIRS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "die%d", i);
        fixture_remove_file(fixture, name);
    }
}

static void assert_kept(struct fixture *fixture)
{
    for (int i = 0; i < PAIRS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "keep%d", i);
        fixture_assert_file(fixture, name, KEPT_SIZE, (uint64_t)i);
    }
}

static bool nothing_of_the_dead_is_live(void *context)
{
    struct fixture *fixture = context;

    return refcounts_live_bytes(fixture->volume->refcounts) <= PAIRS * (uint64_t)KEPT_ON_DISK;
}

/* The removal was durable, the crash came before the space was given back. */
static void what_died_in_old_segments_before_a_crash_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *copy;

    make_pairs(fixture);
    atomic_store(&refuse_punches, true);
    remove_dying(fixture);
    fixture_wait(nothing_of_the_dead_is_live, fixture);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    copy = crash_copy(fixture);
    assert_true(fixture_allocated(copy) > PAIRS * (uint64_t)(KEPT_ON_DISK + DEAD_SIZE));
    atomic_store(&refuse_punches, false);
    fixture_reopen(copy); /* stops the first one's sweep, which could not punch */
    wait_for_space(copy, PAIRS * (uint64_t)KEPT_ON_DISK + TFS_MIB);
    assert_kept(copy);
    crash_end(copy);
}

static void gc_gives_back_what_nobody_remembers(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_gc_options options = {0};
    struct tfs_gc_result result;

    make_pairs(fixture);
    atomic_store(&refuse_punches, true);
    remove_dying(fixture);
    fixture_wait(nothing_of_the_dead_is_live, fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    atomic_store(&refuse_punches, false);
    assert_true(fixture_allocated(fixture) > PAIRS * (uint64_t)(KEPT_ON_DISK + DEAD_SIZE));
    assert_int_equal(tfs_volume_gc(fixture->volume, &options, &result), 0);
    assert_true(fixture_allocated(fixture) <= PAIRS * (uint64_t)KEPT_ON_DISK + TFS_MIB);
    assert_kept(fixture);
}

static void a_sweep_that_did_not_come_to_its_end_is_made_by_a_later_mount(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *copy;
    struct tfs_file *file;

    fixture_make_file(fixture, "keep", 4 * TFS_MIB, 1);
    file = write_uncommitted(fixture, 16 * TFS_MIB, 2);
    atomic_store(&refuse_punches, true); /* which ends a sweep */
    copy = crash_copy(fixture);
    fixture_reopen(copy); /* nothing was appended between */
    fixture_make_file(copy, "second", 4 * TFS_MIB, 3);
    fixture_reopen(copy);
    atomic_store(&refuse_punches, false);
    fixture_reopen(copy);
    wait_for_space(copy, 9 * TFS_MIB);
    fixture_assert_file(copy, "keep", 4 * TFS_MIB, 1);
    fixture_assert_file(copy, "second", 4 * TFS_MIB, 3);
    crash_end(copy);
    tfs_file_close(file);
}

static void a_sweep_that_is_stopped_says_so(void **state)
{
    struct fixture *fixture = *state;
    atomic_bool stop = true;

    fixture_make_file(fixture, "file", TFS_MIB, 1);
    assert_int_equal(sweep_segments(fixture->volume, 1, UINT64_MAX, &stop), -ECANCELED);
    fixture_assert_file(fixture, "file", TFS_MIB, 1);
}

#define RECLAIM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECLAIM_TEST(a_removed_file_gives_its_space_back),
        RECLAIM_TEST(many_attributes_are_removed_in_several_changes),
        RECLAIM_TEST(a_removed_file_that_is_open_keeps_its_space),
        RECLAIM_TEST(overwritten_and_cut_data_gives_its_space_back),
        RECLAIM_TEST(a_shared_frame_stays_until_its_last_user_goes),
        RECLAIM_TEST(a_segment_goes_while_an_older_one_is_appended_to),
        RECLAIM_TEST(nothing_is_punched_before_its_end_is_durable),
        RECLAIM_TEST(what_was_never_committed_is_given_back_after_a_crash),
        RECLAIM_TEST(a_removal_that_a_crash_interrupted_goes_on),
        RECLAIM_TEST(crash_after_crash_loses_no_space_and_no_data),
        RECLAIM_TEST(segments_are_removed_beside_constant_appends),
        RECLAIM_TEST(many_dead_frames_are_made_durable_to_be_given_back),
        RECLAIM_TEST(frames_that_lie_together_are_given_back_together),
        RECLAIM_TEST(what_died_in_old_segments_before_a_crash_comes_back),
        RECLAIM_TEST(gc_gives_back_what_nobody_remembers),
        RECLAIM_TEST(a_sweep_that_did_not_come_to_its_end_is_made_by_a_later_mount),
        RECLAIM_TEST(a_sweep_that_is_stopped_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
