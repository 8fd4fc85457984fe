/*
 * Renames at the limits of a directory: its links, and how deep it lies.
 *
 * Method: what would take long to make is set in the inodes in memory, as a store could have it.
 */
#include "store_fixture.h"

#include "store/inode/inode.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static struct fixture *fixture;
static const uint64_t directory = TFS_ROOT_INODE;

static int open_all(void **state)
{
    return fixture_set_up((void **)&fixture);
}

static int close_all(void **state)
{
    return fixture_tear_down((void **)&fixture);
}

static uint64_t make(const char *name, uint32_t mode)
{
    return fixture_make(fixture, directory, name, mode);
}

static int rename_to(const char *from, uint64_t parent, const char *to, unsigned flags)
{
    struct tfs_place a = {directory, from};
    struct tfs_place b = {parent, to};

    return tfs_rename(fixture->volume, &a, &b, flags);
}

static void set_links(uint64_t number, uint32_t nlink)
{
    struct tfs_inode *inode;

    assert_int_equal(inode_get(fixture->volume, number, &inode), 0);
    tfs_mutex_lock(&inode->lock);
    inode->record.nlink = nlink;
    tfs_mutex_unlock(&inode->lock);
    inode_put(fixture->volume, inode);
}

static void a_directory_that_moves_needs_a_link_of_its_new_parent(void **state)
{
    uint64_t full = make("full", S_IFDIR | 0755);

    make("moves", S_IFDIR | 0755);
    make("stays", S_IFREG | 0644);
    fixture_make(fixture, full, "inside", S_IFDIR | 0755);
    set_links(full, TFS_LINKS_MAX);
    assert_int_equal(rename_to("moves", full, "moves", 0), -EMLINK);
    assert_int_equal(rename_to("moves", full, "moves", RENAME_NOREPLACE), -EMLINK);
    assert_int_equal(rename_to("stays", full, "stays", 0), 0); /* a file takes no link */
    assert_int_equal(rename_to("moves", full, "stays", RENAME_EXCHANGE), -EMLINK);
    assert_int_equal(rename_to("moves", full, "inside", RENAME_EXCHANGE), 0);
    assert_int_equal(rename_to("inside", full, "inside", 0), -ENOENT);
    assert_int_equal(rename_to("moves", full, "inside", 0), 0); /* one comes, one goes */
    assert_int_equal(fixture_attr(fixture, full).nlink, TFS_LINKS_MAX);
    set_links(full, TFS_LINKS_MAX - 1);
    make("last", S_IFDIR | 0755);
    assert_int_equal(rename_to("last", full, "last", 0), 0);
    assert_int_equal(fixture_attr(fixture, full).nlink, TFS_LINKS_MAX);
}

static void set_parent(uint64_t number, uint64_t parent)
{
    struct tfs_inode *inode;

    assert_int_equal(inode_get(fixture->volume, number, &inode), 0);
    tfs_mutex_lock(&inode->lock);
    inode->record.parent = parent;
    tfs_mutex_unlock(&inode->lock);
    inode_put(fixture->volume, inode);
}

static void parents_that_form_a_loop_end_a_rename_with_eloop(void **state)
{
    uint64_t a = make("a", S_IFDIR | 0755);
    uint64_t b = fixture_make(fixture, a, "b", S_IFDIR | 0755);

    make("moves", S_IFDIR | 0755);
    set_parent(a, b);
    assert_int_equal(rename_to("moves", b, "moves", 0), -ELOOP);
    set_parent(a, directory);
    assert_int_equal(rename_to("moves", b, "moves", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_that_moves_needs_a_link_of_its_new_parent,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(parents_that_form_a_loop_end_a_rename_with_eloop, open_all,
                                        close_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
