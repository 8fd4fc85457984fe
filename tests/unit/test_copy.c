/*
 * copy_file_range beside others who change the files: what it shares is what was asked for, and
 * what others wrote stays.
 *
 * Method: a copy commits both files before it shares their frames. That commit is wrapped, and lets
 * somebody else write first.
 */
#include "store_fixture.h"

#include "store/file/file.h"
#include "store/inode/data.h"
#include "store/writeback/commit.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { SIZE = 300 * 1024, MORE = 100, TIME_LIMIT_S = 60 };

/* Called at the next commit of a file, once. */
static void (*at_commit)(void);

int __real_commit_inode(struct tfs_volume *volume, struct tfs_inode *inode,
                        enum commit_strength strength);
int __wrap_commit_inode(struct tfs_volume *volume, struct tfs_inode *inode,
                        enum commit_strength strength);

int __wrap_commit_inode(struct tfs_volume *volume, struct tfs_inode *inode,
                        enum commit_strength strength)
{
    void (*call)(void) = at_commit;

    at_commit = NULL;
    if (call)
        call();
    return __real_commit_inode(volume, inode, strength);
}

/* What is copied, for those who come between. */
static struct fixture *between;
static struct tfs_copy copy;

static void make_files(struct fixture *fixture)
{
    between = fixture;
    fixture_make_file(fixture, "source", SIZE, 1);
    copy = (struct tfs_copy){.size = SIZE};
    copy.source = fixture_open_file(fixture, "source");
    copy.target = fixture_create(fixture, "target");
}

static void close_files(void)
{
    tfs_file_close(copy.source);
    tfs_file_close(copy.target);
}

static uint64_t size_of(struct fixture *fixture, struct tfs_file *file)
{
    return fixture_attr(fixture, tfs_file_inode(file)).size;
}

static void grow_source(void)
{
    fixture_write_random(copy.source, SIZE, MORE, 2);
}

static void what_comes_behind_the_range_meanwhile_is_not_copied(void **state)
{
    struct fixture *fixture = *state;

    make_files(fixture);
    at_commit = grow_source;
    assert_int_equal(tfs_file_copy(&copy), SIZE);
    assert_int_equal(size_of(fixture, copy.target), SIZE);
    fixture_assert_random(copy.target, 0, SIZE, 1);
    fixture_truncate(fixture, tfs_file_inode(copy.target), SIZE + MORE);
    fixture_assert_zeros(copy.target, SIZE, MORE);
    close_files();
}

static void grow_target(void)
{
    fixture_write_random(copy.target, SIZE, MORE, 3);
}

static void what_is_written_behind_the_target_meanwhile_stays(void **state)
{
    struct fixture *fixture = *state;

    make_files(fixture);
    at_commit = grow_target;
    assert_int_equal(tfs_file_copy(&copy), SIZE);
    assert_int_equal(size_of(fixture, copy.target), SIZE + MORE);
    fixture_assert_random(copy.target, 0, SIZE, 1);
    fixture_assert_random(copy.target, SIZE, MORE, 3);
    close_files();
}

static void cut_source(void)
{
    fixture_truncate(between, tfs_file_inode(copy.source), SIZE / 2);
}

static void what_is_cut_off_meanwhile_is_not_copied_as_zeros(void **state)
{
    struct fixture *fixture = *state;

    make_files(fixture);
    at_commit = cut_source;
    assert_int_equal(tfs_file_copy(&copy), SIZE / 2);
    assert_int_equal(size_of(fixture, copy.target), SIZE / 2);
    close_files();
}

static void *truncate_source(void *argument)
{
    (void)argument;
    cut_source();
    return NULL;
}

static bool source_is_to_be_cut(void *context)
{
    struct tfs_inode *source = context;
    bool waits;

    tfs_mutex_lock(&source->lock);
    waits = source->data->exclusive_wait > 0;
    tfs_mutex_unlock(&source->lock);
    return waits;
}

/* Here the writer is this thread, and what it waits for is the copy. */
static void a_writer_that_a_truncate_waits_for_may_wait_for_a_copy(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *target = fixture_create(fixture, "target"); /* before the source in order */
    pthread_t thread;

    between = fixture;
    fixture_make_file(fixture, "source", SIZE, 1);
    copy = (struct tfs_copy){.size = SIZE, .target = target};
    copy.source = fixture_open_file(fixture, "source");
    (void)alarm(TIME_LIMIT_S);
    data_enter(copy.source->inode);
    assert_int_equal(pthread_create(&thread, NULL, truncate_source, NULL), 0);
    fixture_wait(source_is_to_be_cut, copy.source->inode);
    assert_int_equal(tfs_file_copy(&copy), SIZE);
    data_leave(copy.source->inode);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)alarm(0);
    fixture_assert_random(target, 0, SIZE, 1);
    close_files();
}

#define COPY_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COPY_TEST(what_comes_behind_the_range_meanwhile_is_not_copied),
        COPY_TEST(what_is_written_behind_the_target_meanwhile_stays),
        COPY_TEST(what_is_cut_off_meanwhile_is_not_copied_as_zeros),
        COPY_TEST(a_writer_that_a_truncate_waits_for_may_wait_for_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
