/*
 * What a commit writes of a file that changes meanwhile. What was promised stays, whatever others
 * write; behind that the committed size never covers bytes that were written and are not committed
 * with it.
 *
 * Method: taking a commit image is wrapped, so that a test can write between the write-back that a
 * commit begins with and the image that it commits, or just after that. Then the store is looked
 * at as a crash at this moment would leave it. Write-back can be made to fail.
 */
#include "store_crash.h"

#include "store/file/committer.h"
#include "store/inode/data.h"
#include "store/inode/promise.h"
#include "store/volume.h"
#include "store/writeback/commit.h"
#include "store/writeback/commit_image.h"
#include "store/writeback/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

/* What to do before the next image, and behind it; once. */
static void (*before_image)(void *context);
static void *before_context;
static void (*behind_image)(void *context);
static void *behind_context;

/* What to do behind the next write-back; once. */
static void (*behind_flush)(void *context);
static void *behind_flush_context;
static bool flush_fails;

int __real_commit_image_take(struct tfs_inode *inode, struct commit_image *ret);
int __wrap_commit_image_take(struct tfs_inode *inode, struct commit_image *ret);

int __real_flush_inode(struct tfs_volume *volume, struct tfs_inode *inode);
int __wrap_flush_inode(struct tfs_volume *volume, struct tfs_inode *inode);
void __real_flush_inode_start(struct tfs_volume *volume, struct tfs_inode *inode);
void __wrap_flush_inode_start(struct tfs_volume *volume, struct tfs_inode *inode);

int __wrap_commit_image_take(struct tfs_inode *inode, struct commit_image *ret)
{
    void (*before)(void *context) = before_image;
    void (*behind)(void *context) = behind_image;
    int err;

    before_image = NULL;
    if (before)
        before(before_context);
    err = __real_commit_image_take(inode, ret);
    behind_image = NULL;
    if (behind)
        behind(behind_context);
    return err;
}

int __wrap_flush_inode(struct tfs_volume *volume, struct tfs_inode *inode)
{
    void (*behind)(void *context) = behind_flush;
    int err = flush_fails ? -EIO : __real_flush_inode(volume, inode);

    behind_flush = NULL;
    if (behind)
        behind(behind_flush_context);
    return err;
}

void __wrap_flush_inode_start(struct tfs_volume *volume, struct tfs_inode *inode)
{
    if (!flush_fails)
        __real_flush_inode_start(volume, inode);
}

/* A commit as every commit_interval does it, with `before` at its weakest moment. Returns whether
 * there was anything to commit, without which that moment does not come. */
static bool try_commit_in_background(struct fixture *fixture, void (*before)(void *context),
                                     void *context)
{
    bool came;

    before_image = before;
    before_context = context;
    assert_int_equal(commit_all(fixture->volume, false), 0);
    came = before_image == NULL;
    before_image = NULL;
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

static void space_that_truncate_appended_is_committed_when_it_was_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, 100, 1);
    fixture_truncate(fixture, tfs_file_inode(file), 10 * TFS_MIB);
    assert_int_equal(commit_all(fixture->volume, false), 0);
    assert_int_equal(size_after_crash(fixture), 100);
    assert_int_equal(commit_all(fixture->volume, false), 0);
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

/* A commit that cannot write back. */
static void commit_without_write_back(struct fixture *fixture)
{
    flush_fails = true;
    assert_int_equal(commit_all(fixture->volume, false), -EIO);
    flush_fails = false;
}

/* Nothing was promised of the second chunk, though it may be written back by itself. */
static void a_write_behind_a_gap_is_not_shown_before_the_gap_is_written_back(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    fixture_write_random(file, 4 * TFS_MIB, 4 * TFS_MIB, 2);
    commit_without_write_back(fixture);
    assert_int_equal(size_after_crash(fixture), 0);
    tfs_file_close(file);
}

/* A file of 8 MiB behind a gap of 4, as a crash now would leave it. */
static void assert_gap_and_data(struct fixture *fixture, const char *name)
{
    struct fixture *copy = crash_copy(fixture);
    struct tfs_file *file = fixture_open_file(copy, name);

    assert_int_equal(crash_size(copy, name), 12 * TFS_MIB);
    fixture_assert_zeros(file, 0, 4 * TFS_MIB);
    fixture_assert_random(file, 4 * TFS_MIB, 8 * TFS_MIB, 1);
    tfs_file_close(file);
    crash_end(copy);
}

static void fill_the_gap_and_append(void *context)
{
    fixture_write(context, 100, "x", 1);
    fixture_write(context, 3 * TFS_MIB, "y", 1);
    fixture_write(context, 12 * TFS_MIB, "z", 1);
}

/* Another writer comes to the gap when all that was promised has been written back. */
static struct tfs_file *write_beside_another(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 4 * TFS_MIB, 8 * TFS_MIB, 1);
    before_image = fill_the_gap_and_append;
    before_context = file;
    return file;
}

static void what_fsync_promised_stays_while_others_fill_a_gap(void **state)
{
    struct tfs_file *file = write_beside_another(*state);

    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_gap_and_data(*state, "file");
    tfs_file_close(file);
}

static void what_close_promised_stays_while_others_fill_a_gap(void **state)
{
    struct tfs_file *file = write_beside_another(*state);

    assert_int_equal(tfs_file_flush(file), 0);
    assert_gap_and_data(*state, "file");
    tfs_file_close(file);
}

static void what_rename_promised_stays_while_others_fill_a_gap(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = write_beside_another(fixture);
    struct tfs_place from = {.parent = TFS_ROOT_INODE, .name = "file"};
    struct tfs_place to = {.parent = TFS_ROOT_INODE, .name = "renamed"};

    assert_int_equal(tfs_rename(fixture->volume, &from, &to, 0), 0);
    assert_gap_and_data(fixture, "renamed");
    tfs_file_close(file);
}

static void what_the_interval_wrote_back_stays_while_others_fill_a_gap(void **state)
{
    struct tfs_file *file = write_beside_another(*state);

    commit_in_background(*state, fill_the_gap_and_append, file);
    assert_gap_and_data(*state, "file");
    tfs_file_close(file);
}

/* Nobody asked for that commit: a writer made room in memory for more rows. */
static void what_was_committed_for_its_rows_stays_while_others_fill_a_gap(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_inode *inode;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &inode), 0);
    fixture_write_random(file, 4 * TFS_MIB, 8 * TFS_MIB, 1);
    assert_int_equal(__real_flush_inode(fixture->volume, inode), 0);
    assert_int_equal(commit_rows(fixture->volume, inode), 0);
    assert_gap_and_data(fixture, "file");
    fill_the_gap_and_append(file);
    assert_int_equal(commit_rows(fixture->volume, inode), 0);
    assert_gap_and_data(fixture, "file");
    inode_put(fixture->volume, inode);
    tfs_file_close(file);
}

/* Also one that cannot write back what came later. */
static void a_promise_outlives_a_commit(void **state)
{
    struct tfs_file *file = write_beside_another(*state);

    assert_int_equal(tfs_file_flush(file), 0);
    commit_without_write_back(*state);
    assert_gap_and_data(*state, "file");
    tfs_file_close(file);
}

static void a_cut_takes_from_a_promise_that_is_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, 3 * TFS_MIB, 11 * TFS_MIB, 1000, 2};
    struct fixture *copy;
    struct tfs_file *found;

    fixture_write_random(file, 0, 12 * TFS_MIB, 1);
    behind_flush = write_late;
    behind_flush_context = &late;
    assert_int_equal(tfs_file_sync(file, false), 0);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 11 * TFS_MIB);
    found = fixture_open_file(copy, "file");
    fixture_assert_random(found, 0, 3 * TFS_MIB, 1);
    fixture_assert_zeros(found, 3 * TFS_MIB, 8 * TFS_MIB);
    tfs_file_close(found);
    crash_end(copy);
    tfs_file_close(file);
}

static pthread_t late_writer;

static void *write_late_thread(void *context)
{
    write_late(context);
    return NULL;
}

static void write_late_elsewhere(void *context)
{
    assert_int_equal(pthread_create(&late_writer, NULL, write_late_thread, context), 0);
}

static void a_cut_waits_for_the_commit_that_is_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct late_write late = {fixture, file, 0, 0, TFS_MIB, 2};

    fixture_write_random(file, 0, TFS_MIB, 1);
    behind_image = write_late_elsewhere;
    behind_context = &late;
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(pthread_join(late_writer, NULL), 0);
    assert_int_equal(size_after_crash(fixture), TFS_MIB); /* as it was when it was asked for */
    commit_without_write_back(fixture);
    assert_int_equal(size_after_crash(fixture), 0);
    tfs_file_close(file);
}

static void of_several_promises_the_largest_that_is_left_counts(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct promise early, dropped, late;
    struct tfs_inode *inode;

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &inode), 0);
    promise_ask(inode, true, &early);
    fixture_truncate(fixture, inode->number, 700);
    fixture_truncate(fixture, inode->number, 900);
    promise_ask(inode, true, &dropped);
    fixture_truncate(fixture, inode->number, 800);
    promise_ask(inode, false, &late);
    promise_drop(inode, &dropped);
    assert_int_equal(inode->data->base_size, 0);
    promise_keep(inode, &late);
    assert_int_equal(inode->data->base_size, 700);
    promise_keep(inode, &early);
    assert_int_equal(inode->data->base_size, 700);
    inode_put(fixture->volume, inode);
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
    before_image = write_late;
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
        SNAPSHOT_TEST(space_that_truncate_appended_is_committed_when_it_was_left_alone),
        SNAPSHOT_TEST(a_closed_file_that_grows_again_waits_again),
        SNAPSHOT_TEST(a_truncate_of_a_file_that_nobody_has_open_is_committed_at_once),
        SNAPSHOT_TEST(a_write_behind_a_gap_is_not_shown_before_the_gap_is_written_back),
        SNAPSHOT_TEST(what_fsync_promised_stays_while_others_fill_a_gap),
        SNAPSHOT_TEST(what_close_promised_stays_while_others_fill_a_gap),
        SNAPSHOT_TEST(what_rename_promised_stays_while_others_fill_a_gap),
        SNAPSHOT_TEST(what_the_interval_wrote_back_stays_while_others_fill_a_gap),
        SNAPSHOT_TEST(what_was_committed_for_its_rows_stays_while_others_fill_a_gap),
        SNAPSHOT_TEST(a_promise_outlives_a_commit),
        SNAPSHOT_TEST(a_cut_takes_from_a_promise_that_is_under_way),
        SNAPSHOT_TEST(a_cut_waits_for_the_commit_that_is_under_way),
        SNAPSHOT_TEST(of_several_promises_the_largest_that_is_left_counts),
        SNAPSHOT_TEST(bytes_of_an_overwrite_are_the_old_or_the_new_ones),
        SNAPSHOT_TEST(what_fsync_promised_stays_while_others_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
