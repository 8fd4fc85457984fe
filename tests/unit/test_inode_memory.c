/*
 * Memory of inodes: which of them the kernel is asked to forget, and when.
 *
 * Method: files are made until there are too many for the 4 MiB that inodes have of a budget of 64
 * MiB. Each counts a lookup, as the kernel has it.
 */
#include "store_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILES_MAX = 20000, BATCH = 16 };

static struct fixture *fixture;
static uint64_t made[FILES_MAX]; /* inodes, in the order of their lookups */
static size_t made_count;

static void make_one(void)
{
    char name[16];

    assert_true(made_count < FILES_MAX);
    (void)snprintf(name, sizeof(name), "%zu", made_count);
    made[made_count++] = fixture_make(fixture, TFS_ROOT_INODE, name, S_IFREG | 0644);
}

static int set_up(void **state)
{
    int err = fixture_set_up(state);

    fixture = *state;
    made_count = 0;
    while (!tfs_has_inodes_to_forget(fixture->volume))
        make_one();
    return err;
}

static void those_looked_up_longest_ago_are_to_be_forgotten_first(void **state)
{
    uint64_t inodes[BATCH];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(tfs_inodes_to_forget(fixture->volume, BATCH, inodes), BATCH);
        assert_memory_equal(inodes, made + (size_t)round * BATCH, sizeof(inodes));
    }
}

static void one_that_was_looked_up_again_comes_last(void **state)
{
    uint64_t inodes[BATCH];

    (void)state;
    (void)fixture_lookup(fixture, TFS_ROOT_INODE, "0");
    assert_int_equal(tfs_inodes_to_forget(fixture->volume, BATCH, inodes), BATCH);
    assert_memory_equal(inodes, made + 1, sizeof(inodes));
}

static void open_files_are_not_named(void **state)
{
    struct tfs_file *file;
    uint64_t inodes[2];

    (void)state;
    assert_int_equal(tfs_file_open(fixture->volume, made[1], O_RDWR, &file), 0); /* no lookup */
    assert_int_equal(tfs_inodes_to_forget(fixture->volume, 2, inodes), 2);
    assert_int_equal(inodes[0], made[0]);
    assert_int_equal(inodes[1], made[2]);
    tfs_file_close(file);
}

/* The kernel does not forget any: they are in use. */
static void no_more_than_two_are_named_for_each_lookup(void **state)
{
    uint64_t inodes[BATCH];
    size_t before = made_count;
    size_t named = 0;
    size_t count;

    (void)state;
    while ((count = tfs_inodes_to_forget(fixture->volume, BATCH, inodes)) > 0)
        named += count;
    assert_true(named <= before);
    assert_false(tfs_has_inodes_to_forget(fixture->volume));
    make_one();
    assert_int_equal(tfs_inodes_to_forget(fixture->volume, BATCH, inodes), 2);
    assert_int_equal(tfs_inodes_to_forget(fixture->volume, BATCH, inodes), 0);
}

static void nothing_is_named_once_enough_was_forgotten(void **state)
{
    uint64_t inodes[BATCH];

    (void)state;
    for (size_t i = 0; i < made_count / 2; i++)
        tfs_forget(fixture->volume, made[i], 1);
    assert_false(tfs_has_inodes_to_forget(fixture->volume));
    assert_int_equal(tfs_inodes_to_forget(fixture->volume, BATCH, inodes), 0);
}

#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(those_looked_up_longest_ago_are_to_be_forgotten_first),
        MEMORY_TEST(one_that_was_looked_up_again_comes_last),
        MEMORY_TEST(open_files_are_not_named),
        MEMORY_TEST(no_more_than_two_are_named_for_each_lookup),
        MEMORY_TEST(nothing_is_named_once_enough_was_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
