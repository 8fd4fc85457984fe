/*
 * What a commit writes of a file that changes meanwhile (invariant 5 of the design): the committed
 * size never covers bytes that were written and are not committed with it.
 *
 * Method: taking a snapshot is wrapped, so that a test can write between the write-back that a
 * commit begins with and the snapshot that it commits. Then the store is looked at as a crash at
 * this moment would leave it.
 */
#include "store_crash.h"

#include "store/commit.h"
#include "store/snapshot.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What to do before the next snapshot; once. */
static void (*before_snapshot)(void *context);
static void *before_context;

int __real_snapshot_take(struct tfs_inode *inode, bool full_size, struct snapshot *ret);
int __wrap_snapshot_take(struct tfs_inode *inode, bool full_size, struct snapshot *ret);

int __wrap_snapshot_take(struct tfs_inode *inode, bool full_size, struct snapshot *ret)
{
    void (*before)(void *context) = before_snapshot;

    before_snapshot = NULL;
    if (before)
        before(before_context);
    return __real_snapshot_take(inode, full_size, ret);
}

/* A commit as every commit_interval does it, with `before` at its weakest moment. Returns whether
 * there was anything to commit, without which that moment does not come. */
static bool try_commit_in_background(struct fixture *fixture, void (*before)(void *context),
                                     void *context)
{
    bool came;

    before_snapshot = before;
    before_context = context;
    assert_int_equal(commit_all(fixture->volume, false), 0);
    came = before_snapshot == NULL;
    before_snapshot = NULL;
    return came;
}

static void commit_in_background(struct fixture *fixture, void (*before)(void *context),
                                 void *context)
{
    assert_true(try_commit_in_background(fixture, before, context));
}

/* What the test writes at that moment. */
struct late_write {
    struct fixture *fixture;
    struct tfs_file *file;
    uint64_t truncate_to; /* UINT64_MAX: not */
    uint64_t offset;
    size_t size;
    uint64_t seed;
};

static void write_late(void *context)
{
    struct late_write *late = context;

    if (late->truncate_to != UINT64_MAX)
        fixture_truncate(late->fixture, tfs_file_inode(late->file), late->truncate_to);
    if (late->size)
        fixture_write_random(late->file, late->offset, late->size, late->seed);
}

static uint64_t size_after_crash(struct fixture *fixture)
{
    struct fixture *copy = crash_copy(fixture);
    uint64_t size = crash_size(copy, "file");

    crash_end(copy);
    return size;
}

static void a_file_that_grows_is_committed_as_far_as_it_is_written_back(void **state)
{
    struct fixture *fixture = *state;
    struct late_write late = {
        fixture, fixture_create(fixture, "file"), UINT64_MAX, TFS_MIB, 100 * TFS_KIB, 2};
    struct fixture *copy;
    struct tfs_file *file;

    fixture_write_random(late.file, 0, TFS_MIB, 1);
    commit_in_background(fixture, write_late, &late);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), TFS_MIB);
    file = fixture_open_file(copy, "file");
    fixture_assert_random(file, 0, TFS_MIB, 1);
    tfs_file_close(file);
    crash_end(copy);
    commit_in_background(fixture, NULL, NULL);
    assert_int_equal(size_after_crash(fixture), TFS_MIB + 100 * TFS_KIB);
    tfs_file_close(late.file);
}

static void an_append_while_it_is_committed_comes_with_the_next_commit(void **state)
{
    struct fixture *fixture = *state;
    struct late_write late = {fixture, fixture_create(fixture, "file"), UINT64_MAX, 0, 0, 0};

    /* The end of each write lies inside of a block, so that each commit rewrites the last one. */
    for (uint64_t i = 0; i < 10; i++) {
        struct fixture *copy;
        struct tfs_file *file;

        late.offset = i * 1000;
        late.size = 1000;
        late.seed = i;
        commit_in_background(fixture, i ? write_late : NULL, &late);
        if (i == 0)
            write_late(&late);
        copy = crash_copy(fixture);
        assert_int_equal(crash_size(copy, "file"), i ? i * 1000 : 0);
        file = fixture_open_file(copy, "file");
        for (uint64_t before = 0; before < i; before++)
            fixture_assert_random(file, before * 1000, 1000, before);
        tfs_file_close(file);
        crash_end(copy);
    }
    tfs_file_close(late.file);
}

static void a_rewrite_after_a_cut_is_not_covered_by_the_old_size(void **state)
{
    struct fixture *fixture = *state;
    struct late_write late = {fixture, fixture_create(fixture, "file"), 0, 0, TFS_MIB, 2};

    fixture_write_random(late.file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(late.file, false), 0);
    fixture_write(late.file, 0, "x", 1); /* so that there is something to commit */
    commit_in_background(fixture, write_late, &late);
    assert_int_equal(size_after_crash(fixture), 0);
    tfs_file_close(late.file);
}

static void a_cut_and_a_rewrite_over_several_commits_never_show_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, UINT64_MAX, 0, 0, 0};

    fixture_write_random(file, 0, 10 * TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_truncate(fixture, tfs_file_inode(file), 0);
    for (uint64_t done = 0; done < 10; done++) {
        struct fixture *copy;
        struct tfs_file *found;

        late.offset = done * TFS_MIB;
        late.size = TFS_MIB;
        late.seed = 100 + done;
        if (done == 5)
            late.truncate_to = 4 * TFS_MIB + 5; /* cut again, and the gap is a hole */
        /* A write that completed a chunk may have come with the commit that it interrupted. */
        if (!try_commit_in_background(fixture, write_late, &late))
            write_late(&late);
        late.truncate_to = UINT64_MAX;
        copy = crash_copy(fixture);
        found = fixture_open_file(copy, "file");
        /* What completed a chunk may have been written back before it was looked at. */
        assert_true(crash_size(copy, "file") <= (done + (done % 4 == 3)) * TFS_MIB);
        for (uint64_t i = 0; i < crash_size(copy, "file") / TFS_MIB; i++) {
            if (i != 4)
                fixture_assert_random(found, i * TFS_MIB, TFS_MIB, 100 + i);
            else
                fixture_assert_random(found, i * TFS_MIB, 5, 104);
        }
        tfs_file_close(found);
        crash_end(copy);
    }
    tfs_file_close(file);
}

static void space_that_truncate_appended_is_committed_when_it_was_filled(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, UINT64_MAX, TFS_MIB, TFS_MIB, 2};

    fixture_truncate(fixture, tfs_file_inode(file), 10 * TFS_MIB);
    assert_int_equal(commit_all(fixture->volume, false), 0);
    assert_int_equal(size_after_crash(fixture), 0);
    fixture_write_random(file, 0, TFS_MIB, 1);
    commit_in_background(fixture, write_late, &late);
    assert_int_equal(size_after_crash(fixture), TFS_MIB);
    assert_int_equal(commit_all(fixture->volume, false), 0);
    assert_int_equal(size_after_crash(fixture), 2 * TFS_MIB);
    assert_int_equal(tfs_file_flush(file), 0); /* closed: that is its size */
    assert_int_equal(size_after_crash(fixture), 10 * TFS_MIB);
    tfs_file_close(file);
}

static void a_closed_file_that_grows_again_waits_again(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    assert_int_equal(tfs_file_flush(file), 0);
    fixture_truncate(fixture, tfs_file_inode(file), TFS_MIB);
    assert_int_equal(commit_all(fixture->volume, false), 0);
    assert_int_equal(size_after_crash(fixture), 0);
    assert_int_equal(commit_all(fixture->volume, true), 0); /* syncfs */
    assert_int_equal(size_after_crash(fixture), TFS_MIB);
    tfs_file_close(file);
}

static void a_truncate_of_a_file_that_nobody_has_open_is_committed_at_once(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);

    fixture_truncate(fixture, inode, 5 * TFS_MIB);
    assert_int_equal(size_after_crash(fixture), 5 * TFS_MIB);
    fixture_truncate(fixture, inode, 3);
    assert_int_equal(size_after_crash(fixture), 3);
}

static void a_write_behind_a_gap_is_not_shown_before_the_gap_is_written_back(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, UINT64_MAX, 0, TFS_MIB, 2};

    fixture_write_random(file, 5 * TFS_MIB, TFS_MIB, 1); /* another chunk */
    commit_in_background(fixture, write_late, &late);
    assert_int_equal(size_after_crash(fixture), 0);
    tfs_file_close(file);
}

static void bytes_of_an_overwrite_are_the_old_or_the_new_ones(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, UINT64_MAX, 0, TFS_MIB, 2};
    struct fixture *copy;
    struct tfs_file *found;

    fixture_write_random(file, 0, 2 * TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_write(file, 3 * TFS_MIB, "x", 1);
    commit_in_background(fixture, write_late, &late);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 3 * TFS_MIB + 1);
    found = fixture_open_file(copy, "file");
    fixture_assert_random(found, 0, 2 * TFS_MIB, 1);
    tfs_file_close(found);
    crash_end(copy);
    tfs_file_close(file);
}

static void what_fsync_promised_stays_while_others_write(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, UINT64_MAX, TFS_MIB, 1000, 2};
    struct fixture *copy;

    fixture_write_random(file, 0, 2 * TFS_MIB, 1);
    before_snapshot = write_late;
    before_context = &late;
    assert_int_equal(tfs_file_sync(file, false), 0);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 2 * TFS_MIB);
    crash_end(copy);
    tfs_file_close(file);
}

#define SNAPSHOT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SNAPSHOT_TEST(a_file_that_grows_is_committed_as_far_as_it_is_written_back),
        SNAPSHOT_TEST(an_append_while_it_is_committed_comes_with_the_next_commit),
        SNAPSHOT_TEST(a_rewrite_after_a_cut_is_not_covered_by_the_old_size),
        SNAPSHOT_TEST(a_cut_and_a_rewrite_over_several_commits_never_show_zeros),
        SNAPSHOT_TEST(space_that_truncate_appended_is_committed_when_it_was_filled),
        SNAPSHOT_TEST(a_closed_file_that_grows_again_waits_again),
        SNAPSHOT_TEST(a_truncate_of_a_file_that_nobody_has_open_is_committed_at_once),
        SNAPSHOT_TEST(a_write_behind_a_gap_is_not_shown_before_the_gap_is_written_back),
        SNAPSHOT_TEST(bytes_of_an_overwrite_are_the_old_or_the_new_ones),
        SNAPSHOT_TEST(what_fsync_promised_stays_while_others_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
