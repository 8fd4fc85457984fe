/*
 * Making a name when there is no memory for what it names.
 *
 * Method: the function that allocates a file's data is wrapped.
 */
#include "store_fixture.h"

#include "store/inode/data.h"

#include <errno.h>

static bool data_fails; /* the next one */

int __real_data_new(struct tfs_volume *volume, struct tfs_inode *inode, struct tfs_data **ret);
int __wrap_data_new(struct tfs_volume *volume, struct tfs_inode *inode, struct tfs_data **ret);

int __wrap_data_new(struct tfs_volume *volume, struct tfs_inode *inode, struct tfs_data **ret)
{
    bool fails = data_fails;

    data_fails = false;
    return fails ? -ENOMEM : __real_data_new(volume, inode, ret);
}

static void what_could_not_be_made_has_no_name(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_make what = {.mode = S_IFREG | 0644};
    struct tfs_attr attr;

    data_fails = true;
    assert_int_equal(tfs_make(fixture->volume, TFS_ROOT_INODE, "file", &what, &attr), -ENOMEM);
    assert_int_equal(tfs_lookup(fixture->volume, TFS_ROOT_INODE, "file", &attr), -ENOENT);
    assert_int_equal(tfs_make(fixture->volume, TFS_ROOT_INODE, "file", &what, &attr), 0);
}

static void what_could_not_be_made_without_a_name_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_make what = {.mode = S_IFREG | 0644};
    struct tfs_attr attr;

    data_fails = true;
    assert_int_equal(tfs_make_unnamed(fixture->volume, TFS_ROOT_INODE, &what, &attr), -ENOMEM);
    assert_int_equal(tfs_make_unnamed(fixture->volume, TFS_ROOT_INODE, &what, &attr), 0);
    assert_int_equal(attr.nlink, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_could_not_be_made_has_no_name, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(what_could_not_be_made_without_a_name_leaves_nothing,
                                        fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
