/*
 * ACLs against acl(5): what a valid one is, how mode and ACL follow each other, and what a new
 * inode inherits.
 */
#include "store/names/acl.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { NOBODY = -1, ENTRIES = 16, HEADER = 4, ENTRY = 8 };

/* An ACL in the kernel's layout, written here a second time: version, then tag, permissions, id. */
struct acl {
    uint8_t bytes[HEADER + ENTRIES * ENTRY];
    size_t size;
};

static void acl_begin(struct acl *acl)
{
    tfs_put_le32(acl->bytes, 2);
    acl->size = HEADER;
}

static void add(struct acl *acl, uint16_t tag, uint16_t permissions, int id)
{
    tfs_put_le16(acl->bytes + acl->size, tag);
    tfs_put_le16(acl->bytes + acl->size + 2, permissions);
    tfs_put_le32(acl->bytes + acl->size + 4, (uint32_t)id);
    acl->size += ENTRY;
}

static unsigned permissions_of(const struct acl *acl, size_t index)
{
    return tfs_get_le16(acl->bytes + HEADER + index * ENTRY + 2);
}

static struct acl minimal(uint16_t owner, uint16_t group, uint16_t other)
{
    struct acl acl;

    acl_begin(&acl);
    add(&acl, ACL_USER_OBJ, owner, NOBODY);
    add(&acl, ACL_GROUP_OBJ, group, NOBODY);
    add(&acl, ACL_OTHER, other, NOBODY);
    return acl;
}

/* user::7 user:1000:6 group::5 group:50:4 mask::6 other::1 */
static struct acl extended(void)
{
    struct acl acl;

    acl_begin(&acl);
    add(&acl, ACL_USER_OBJ, 7, NOBODY);
    add(&acl, ACL_USER, 6, 1000);
    add(&acl, ACL_GROUP_OBJ, 5, NOBODY);
    add(&acl, ACL_GROUP, 4, 50);
    add(&acl, ACL_MASK, 6, NOBODY);
    add(&acl, ACL_OTHER, 1, NOBODY);
    return acl;
}

static void valid_acls_are_accepted(void **state)
{
    struct acl acl = minimal(7, 5, 0);

    assert_int_equal(acl_check(acl.bytes, acl.size), 0);
    acl = extended();
    assert_int_equal(acl_check(acl.bytes, acl.size), 0);
    acl = minimal(7, 5, 0);
    add(&acl, ACL_MASK, 7, NOBODY); /* allowed, though nothing needs it */
    assert_int_equal(acl_check(acl.bytes, acl.size), 0);
}

static void each_of_owner_group_and_other_is_needed_once(void **state)
{
    static const uint16_t tags[] = {ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(tags); i++) {
        struct acl acl = minimal(7, 5, 0);

        add(&acl, tags[i], 7, NOBODY);
        assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
        acl_begin(&acl);
        for (size_t other = 0; other < TFS_ARRAY_COUNT(tags); other++) {
            if (other != i)
                add(&acl, tags[other], 7, NOBODY);
        }
        assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
    }
}

static void named_entries_need_one_mask(void **state)
{
    struct acl acl = minimal(7, 5, 0);

    add(&acl, ACL_USER, 7, 1000);
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
    add(&acl, ACL_MASK, 7, NOBODY);
    assert_int_equal(acl_check(acl.bytes, acl.size), 0);
    add(&acl, ACL_MASK, 7, NOBODY);
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
}

static void a_named_user_or_group_stands_once(void **state)
{
    struct acl acl = extended();

    add(&acl, ACL_USER, 0, 1001);
    add(&acl, ACL_GROUP, 0, 1000); /* another kind of id */
    assert_int_equal(acl_check(acl.bytes, acl.size), 0);
    add(&acl, ACL_USER, 0, 1000);
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
    acl = extended();
    add(&acl, ACL_GROUP, 0, 50);
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
}

static void bytes_that_are_no_acl_are_refused(void **state)
{
    struct acl acl = extended();

    for (size_t size = 0; size < acl.size; size++)
        assert_int_equal(acl_check(acl.bytes, size), -EINVAL);
    acl.bytes[0] = 1; /* version */
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
    acl = extended();
    tfs_put_le16(acl.bytes + HEADER, 0x40); /* a tag that is none */
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
    acl = extended();
    tfs_put_le16(acl.bytes + HEADER + 2, 8); /* a permission that is none */
    assert_int_equal(acl_check(acl.bytes, acl.size), -EINVAL);
}

static void an_acl_may_have_so_many_entries_and_not_one_more(void **state)
{
    size_t room = HEADER + (ACL_ENTRIES_MAX + 1) * ENTRY;
    uint8_t *bytes = calloc(1, room);
    struct acl head = minimal(7, 7, 7);

    assert_non_null(bytes);
    add(&head, ACL_MASK, 7, NOBODY);
    memcpy(bytes, head.bytes, head.size);
    for (int i = 4; i <= ACL_ENTRIES_MAX; i++) {
        uint8_t *entry = bytes + HEADER + (size_t)i * ENTRY;

        tfs_put_le16(entry, ACL_USER);
        tfs_put_le16(entry + 2, 7);
        tfs_put_le32(entry + 4, (uint32_t)i);
    }
    assert_int_equal(acl_check(bytes, room - ENTRY), 0);
    assert_int_equal(acl_check(bytes, room), -EINVAL);
    free(bytes);
}

static void a_minimal_acl_is_its_mode(void **state)
{
    struct acl acl = minimal(7, 5, 1);
    uint32_t mode = S_IFDIR | 07666;

    assert_true(acl_to_mode(acl.bytes, acl.size, &mode));
    assert_int_equal(mode, S_IFDIR | 07751);
}

static void the_group_bits_show_the_mask(void **state)
{
    struct acl acl = extended();
    uint32_t mode = S_IFREG | 0600;

    assert_false(acl_to_mode(acl.bytes, acl.size, &mode));
    assert_int_equal(mode, S_IFREG | 0761);
}

static void chmod_changes_the_mask_and_not_the_group(void **state)
{
    struct acl acl = extended();

    acl_chmod(acl.bytes, acl.size, 0604);
    assert_int_equal(permissions_of(&acl, 0), 6);
    assert_int_equal(permissions_of(&acl, 1), 6);
    assert_int_equal(permissions_of(&acl, 2), 5);
    assert_int_equal(permissions_of(&acl, 3), 4);
    assert_int_equal(permissions_of(&acl, 4), 0);
    assert_int_equal(permissions_of(&acl, 5), 4);
}

static void chmod_without_a_mask_changes_the_group(void **state)
{
    struct acl acl = minimal(7, 7, 7);

    acl_chmod(acl.bytes, acl.size, 0640);
    assert_int_equal(permissions_of(&acl, 0), 6);
    assert_int_equal(permissions_of(&acl, 1), 4);
    assert_int_equal(permissions_of(&acl, 2), 0);
}

static void a_new_file_has_no_more_than_was_asked_for(void **state)
{
    struct acl acl = extended();
    uint32_t mode = S_IFREG | 0640;

    assert_false(acl_inherit(acl.bytes, acl.size, &mode));
    assert_int_equal(permissions_of(&acl, 0), 6); /* owner: 7 of which 6 was asked for */
    assert_int_equal(permissions_of(&acl, 1), 6); /* named ones as they are ... */
    assert_int_equal(permissions_of(&acl, 2), 5);
    assert_int_equal(permissions_of(&acl, 4), 4); /* ... under the mask, which is cut */
    assert_int_equal(permissions_of(&acl, 5), 0);
    assert_int_equal(mode, S_IFREG | 0640);
}

static void a_new_file_has_no_more_than_the_directory_gives(void **state)
{
    struct acl acl = minimal(7, 5, 0);
    uint32_t mode = S_IFREG | 0666;

    assert_true(acl_inherit(acl.bytes, acl.size, &mode));
    assert_int_equal(mode, S_IFREG | 0640);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_acls_are_accepted),
        cmocka_unit_test(each_of_owner_group_and_other_is_needed_once),
        cmocka_unit_test(named_entries_need_one_mask),
        cmocka_unit_test(a_named_user_or_group_stands_once),
        cmocka_unit_test(bytes_that_are_no_acl_are_refused),
        cmocka_unit_test(an_acl_may_have_so_many_entries_and_not_one_more),
        cmocka_unit_test(a_minimal_acl_is_its_mode),
        cmocka_unit_test(the_group_bits_show_the_mask),
        cmocka_unit_test(chmod_changes_the_mask_and_not_the_group),
        cmocka_unit_test(chmod_without_a_mask_changes_the_group),
        cmocka_unit_test(a_new_file_has_no_more_than_was_asked_for),
        cmocka_unit_test(a_new_file_has_no_more_than_the_directory_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
