/*
 * What a removed inode leaves in the index: nothing at once when it had neither rows nor
 * attributes, else an orphan that the next mount purges too. The index is looked at directly, and
 * in a copy of the store as a crash would leave it.
 */
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/volume.h"
#include "store_crash.h"
#include "store_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool has_row(struct fixture *fixture, enum index_table table, uint64_t inode)
{
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    int err;

    meta_inode_key(inode, key);
    err = index_get(fixture->volume->index, table, key, sizeof(key), &value);
    if (err == -ENOENT)
        return false;
    assert_int_equal(err, 0);
    index_value_release(&value);
    return true;
}

struct sought {
    struct fixture *fixture;
    uint64_t inode;
};

static bool is_purged(void *context)
{
    const struct sought *sought = context;

    return !has_row(sought->fixture, INDEX_INODE, sought->inode) &&
           !has_row(sought->fixture, INDEX_ORPHAN, sought->inode);
}

static void wait_until_purged(struct fixture *fixture, uint64_t inode)
{
    struct sought sought = {fixture, inode};

    fixture_wait(is_purged, &sought);
}

/* A crash now leaves an orphan, which the next mount purges. */
static void assert_crash_leaves_an_orphan(struct fixture *fixture, uint64_t inode)
{
    struct fixture *copy;

    assert_true(has_row(fixture, INDEX_INODE, inode));
    assert_true(has_row(fixture, INDEX_ORPHAN, inode));
    copy = crash_copy(fixture);
    wait_until_purged(copy, inode);
    crash_end(copy);
}

static void what_has_only_a_record_is_erased_with_its_name(void **state)
{
    struct fixture *fixture = *state;
    uint64_t file = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);
    uint64_t directory = fixture_make(fixture, TFS_ROOT_INODE, "directory", S_IFDIR | 0755);

    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    assert_int_equal(tfs_rmdir(fixture->volume, TFS_ROOT_INODE, "directory"), 0);
    assert_false(has_row(fixture, INDEX_INODE, file));
    assert_false(has_row(fixture, INDEX_ORPHAN, file));
    assert_false(has_row(fixture, INDEX_INODE, directory));
    assert_false(has_row(fixture, INDEX_ORPHAN, directory));
    assert_int_equal(fixture_attr(fixture, file).nlink, 0); /* who knows it can still use it */
    assert_int_equal(fixture_attr(fixture, directory).nlink, 0);
}

static void the_last_name_of_several_erases(void **state)
{
    struct fixture *fixture = *state;
    uint64_t file = fixture_make(fixture, TFS_ROOT_INODE, "a", S_IFREG | 0644);
    struct tfs_attr attr;

    assert_int_equal(tfs_link(fixture->volume, file, TFS_ROOT_INODE, "b", &attr), 0);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "a"), 0);
    assert_true(has_row(fixture, INDEX_INODE, file));
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "b"), 0);
    assert_false(has_row(fixture, INDEX_INODE, file));
}

static void what_has_rows_becomes_an_orphan(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode;

    fixture_make_file(fixture, "file", 100000, 1);
    inode = fixture_lookup(fixture, TFS_ROOT_INODE, "file");
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    assert_crash_leaves_an_orphan(fixture, inode);
    tfs_forget(fixture->volume, inode, 100);
    wait_until_purged(fixture, inode);
}

static void what_has_attributes_becomes_an_orphan(void **state)
{
    struct fixture *fixture = *state;
    const struct tfs_xattr xattr = {.name = "user.a", .value = "b", .size = 1};
    uint64_t inode = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);

    assert_int_equal(tfs_setxattr(fixture->volume, inode, &xattr), 0);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    assert_crash_leaves_an_orphan(fixture, inode);
    tfs_forget(fixture->volume, inode, 100);
    wait_until_purged(fixture, inode);
}

static void data_committed_to_an_erased_file_makes_it_an_orphan(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, "file");

    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    assert_false(has_row(fixture, INDEX_INODE, inode));
    fixture_write_random(file, 0, 100000, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_crash_leaves_an_orphan(fixture, inode);
    fixture_assert_random(file, 0, 100000, 1);
    tfs_file_close(file);
    tfs_forget(fixture->volume, inode, 100);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0); /* the read moved a time */
    wait_until_purged(fixture, inode);
}

static void an_attribute_of_an_erased_file_makes_it_an_orphan(void **state)
{
    struct fixture *fixture = *state;
    const struct tfs_setattr change = {.fields = TFS_SET_MODE, .mode = 0600};
    uint64_t inode = fixture_make(fixture, TFS_ROOT_INODE, "file", S_IFREG | 0644);
    struct tfs_attr attr;

    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "file"), 0);
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    assert_int_equal(attr.mode, S_IFREG | 0600);
    assert_crash_leaves_an_orphan(fixture, inode);
    tfs_forget(fixture->volume, inode, 100);
    wait_until_purged(fixture, inode);
}

static void a_replaced_file_is_erased_by_the_rename(void **state)
{
    struct fixture *fixture = *state;
    const struct tfs_place from = {TFS_ROOT_INODE, "new"};
    const struct tfs_place to = {TFS_ROOT_INODE, "old"};
    uint64_t replaced = fixture_make(fixture, TFS_ROOT_INODE, "old", S_IFREG | 0644);
    uint64_t moved = fixture_make(fixture, TFS_ROOT_INODE, "new", S_IFREG | 0644);

    assert_int_equal(tfs_rename(fixture->volume, &from, &to, 0), 0);
    assert_false(has_row(fixture, INDEX_INODE, replaced));
    assert_false(has_row(fixture, INDEX_ORPHAN, replaced));
    assert_int_equal(fixture_lookup(fixture, TFS_ROOT_INODE, "old"), moved);
}

#define REMOVE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REMOVE_TEST(what_has_only_a_record_is_erased_with_its_name),
        REMOVE_TEST(the_last_name_of_several_erases),
        REMOVE_TEST(what_has_rows_becomes_an_orphan),
        REMOVE_TEST(what_has_attributes_becomes_an_orphan),
        REMOVE_TEST(data_committed_to_an_erased_file_makes_it_an_orphan),
        REMOVE_TEST(an_attribute_of_an_erased_file_makes_it_an_orphan),
        REMOVE_TEST(a_replaced_file_is_erased_by_the_rename),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
