/*
 * Names of files in messages: found in the directory where the kernel looked the file up, or by a
 * search of the store; and for messages not again and again.
 *
 * Method: an engine of the index that counts the scans of the table of entries, those of one
 * directory apart from those of all.
 */
#include "store_fixture.h"

#include "store/index/engine.h"
#include "store/inode/path.h"
#include "store/volume.h"

#include <stdio.h>
#include <string.h>

static atomic_uint searches_of_a_directory;
static atomic_uint searches_of_all;

static int scan_open(struct index_db *db, const struct index_range *range, struct index_scan **ret)
{
    if (range->table == INDEX_DENTRY)
        atomic_fetch_add(range->prefix_size ? &searches_of_a_directory : &searches_of_all, 1);
    return index_rocksdb.scan_open(db, range, ret);
}

static int set_up(void **state)
{
    static struct index_engine engine;
    int err;

    engine = index_rocksdb;
    engine.scan_open = scan_open;
    err = fixture_set_up_with(state, &engine, NULL);
    atomic_store(&searches_of_a_directory, 0);
    atomic_store(&searches_of_all, 0);
    return err;
}

/* a/b/file; with its kernel's lookups, or not. */
static uint64_t make_deep_file(struct fixture *fixture)
{
    uint64_t a = fixture_make(fixture, TFS_ROOT_INODE, "a", S_IFDIR | 0755);
    uint64_t b = fixture_make(fixture, a, "b", S_IFDIR | 0755);

    return fixture_make(fixture, b, "file", S_IFREG | 0644);
}

static void assert_path(struct fixture *fixture, uint64_t inode, const char *wanted)
{
    char text[PATH_TEXT_SIZE];

    path_for_message(fixture->volume, inode, text);
    assert_string_equal(text, wanted);
}

static void what_the_kernel_has_looked_up_is_found_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = make_deep_file(fixture);

    assert_path(fixture, inode, "'a/b/file'");
    assert_int_equal(atomic_load(&searches_of_all), 0);
    assert_int_equal(atomic_load(&searches_of_a_directory), 3);
}

static void what_nobody_has_looked_up_or_has_moved_is_found_by_a_search(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = make_deep_file(fixture);
    char text[PATH_TEXT_SIZE];
    uint64_t b;

    fixture_reopen(fixture); /* no lookups */
    path_of_inode(fixture->volume, inode, text);
    assert_string_equal(text, "'a/b/file'");
    assert_int_equal(atomic_load(&searches_of_all), 1);
    b = fixture_lookup(fixture, fixture_lookup(fixture, TFS_ROOT_INODE, "a"), "b");
    assert_int_equal(fixture_lookup(fixture, b, "file"), inode);
    assert_int_equal(tfs_rename(fixture->volume, &(struct tfs_place){b, "file"},
                                &(struct tfs_place){TFS_ROOT_INODE, "moved"}, 0),
                     0);
    path_of_inode(fixture->volume, inode, text);
    assert_string_equal(text, "'moved'");
    assert_int_equal(atomic_load(&searches_of_all), 2);
}

static void many_messages_about_one_file_search_once(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = make_deep_file(fixture);

    fixture_reopen(fixture);
    for (int i = 0; i < 100; i++)
        assert_path(fixture, inode, "'a/b/file'");
    assert_int_equal(atomic_load(&searches_of_all), 1);
    /* Nor is what has no name searched for again. */
    for (int i = 0; i < 100; i++)
        assert_path(fixture, 123456, "inode 123456");
    assert_int_equal(atomic_load(&searches_of_all), 2);
}

static void set_spent(struct fixture *fixture, uint64_t spent_ns)
{
    struct path_searches *searches = &fixture->volume->path_searches;

    tfs_mutex_lock(&searches->lock);
    searches->spent_ns = spent_ns;
    tfs_mutex_unlock(&searches->lock);
}

static void searches_for_messages_take_a_part_of_the_time_only(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = make_deep_file(fixture);
    char number[32];

    (void)snprintf(number, sizeof(number), "inode %llu", (unsigned long long)inode);
    fixture_reopen(fixture);
    assert_path(fixture, 123456, "inode 123456");  /* begins to count the time */
    set_spent(fixture, 100000ull * 1000000000ull); /* more than comes back while this runs */
    assert_path(fixture, inode, number);
    assert_int_equal(atomic_load(&searches_of_all), 1);
    set_spent(fixture, 0);
    assert_path(fixture, inode, "'a/b/file'");
}

#define PATH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATH_TEST(what_the_kernel_has_looked_up_is_found_where_it_was),
        PATH_TEST(what_nobody_has_looked_up_or_has_moved_is_found_by_a_search),
        PATH_TEST(many_messages_about_one_file_search_once),
        PATH_TEST(searches_for_messages_take_a_part_of_the_time_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
