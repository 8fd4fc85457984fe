/*
 * A store with hostile or damaged rows is served as far as it can be, and loses nothing that a
 * repair would bring back.
 *
 * Method: rows are planted in the index of a closed store with something of everything in it, the
 * volume is used, and what was there is read after a repair.
 */
#include "check_fixture.h"

#include "store/commit.h"
#include "store/reclaim.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void repair(struct fixture *fixture)
{
    struct found *found;

    assert_int_equal(check_run(fixture, true, &found), 0);
    assert_int_equal(found->result.left, 0);
    free(found);
    check_assert_clean(fixture);
}

static void plant_links(struct fixture *fixture, uint64_t inode, uint32_t links)
{
    struct meta_inode record = check_record_of(fixture, inode);

    record.nlink = links;
    check_plant_record(fixture, inode, &record);
}

/* ---- what is purged ---- */

/* The kernel looks a file up, changes its mode and its bytes, and lets go of it. */
static void use_and_forget(struct fixture *fixture, const char *name)
{
    struct tfs_setattr change = {.fields = TFS_SET_MODE, .mode = 0600};
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, name);
    struct tfs_file *file = fixture_open_file(fixture, name);
    uint8_t byte;
    struct tfs_attr attr;

    assert_int_equal(fixture_read(file, 0, &byte, 1), 1);
    fixture_write(file, 0, &byte, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    tfs_forget(fixture->volume, inode, 100);
}

static void a_file_without_links_that_has_a_name_is_not_purged(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");

    plant_links(fixture, inode, 0);
    fixture_open(fixture);
    use_and_forget(fixture, "copy");
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    repair(fixture);
    assert_int_equal(check_record_of(fixture, inode).nlink, 1);
    check_assert_content(fixture, NULL);
}

static void removing_a_name_of_a_file_without_links_counts_none_below_zero(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "link");

    plant_links(fixture, inode, 0);
    fixture_open(fixture);
    assert_int_equal(fixture_lookup(fixture, TFS_ROOT_INODE, "link"), inode);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "link"), 0);
    tfs_forget(fixture->volume, inode, 1);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    assert_int_equal(check_record_of(fixture, inode).nlink, 0);
    repair(fixture);
    check_assert_content(fixture, "link");
}

static void the_root_is_never_purged(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];

    plant_links(fixture, TFS_ROOT_INODE, 0);
    meta_inode_key(TFS_ROOT_INODE, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    fixture_open(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    assert_true(S_ISDIR(check_record_of(fixture, TFS_ROOT_INODE).mode));
    repair(fixture);
    check_assert_content(fixture, NULL);
}

#define HOSTILE_TEST(name) cmocka_unit_test_setup_teardown(name, check_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTILE_TEST(a_file_without_links_that_has_a_name_is_not_purged),
        HOSTILE_TEST(removing_a_name_of_a_file_without_links_counts_none_below_zero),
        HOSTILE_TEST(the_root_is_never_purged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
