/*
 * CASE: POSIX ACLs are stored, enforced, folded into the mode and inherited from default ACLs
 * NEEDS: root
 *
 * ACLs are written in the kernel's format (linux/posix_acl_xattr.h) so that no library is needed.
 */
#include "tests/mount/case.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_ACL  "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"

enum { entries_max = 8 };

struct entry {
    uint16_t tag, perm;
    uint32_t id;
};

struct wire_acl {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[entries_max];
};

static size_t encode(const struct entry *entries, size_t count, struct wire_acl *ret)
{
    ret->header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
    for (size_t i = 0; i < count; i++) {
        ret->entries[i].e_tag = htole16(entries[i].tag);
        ret->entries[i].e_perm = htole16(entries[i].perm);
        ret->entries[i].e_id = htole32(entries[i].id);
    }
    return sizeof(ret->header) + count * sizeof(ret->entries[0]);
}

static void set_acl(const char *path, const char *name, const struct entry *entries, size_t count)
{
    struct wire_acl acl;
    size_t size = encode(entries, count, &acl);

    if (setxattr(path, name, &acl, size, 0) == -1) {
        if (errno == EOPNOTSUPP)
            case_unsupported("POSIX ACLs");
        fail_msg("setxattr %s: %s", name, strerror(errno));
    }
}

static void expect_acl(const char *path, const char *name, const struct entry *entries,
                       size_t count)
{
    struct wire_acl wanted, got;
    size_t size = encode(entries, count, &wanted);

    assert_int_equal(assert_ok(getxattr(path, name, &got, sizeof(got))), size);
    assert_memory_equal(&got, &wanted, size);
}

#define NONE ACL_UNDEFINED_ID

/* Everyone reads, but one user may write and one group nothing. */
static const struct entry named[] = {
    {ACL_USER_OBJ, 6, NONE},    {ACL_USER, 6, CASE_NOBODY}, {ACL_GROUP_OBJ, 4, NONE},
    {ACL_GROUP, 0, CASE_OTHER}, {ACL_MASK, 6, NONE},        {ACL_OTHER, 4, NONE},
};
enum { named_count = sizeof(named) / sizeof(named[0]) };

static void an_acl_is_stored_and_shown_in_the_mode(void **state)
{
    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, named, named_count);
    expect_acl("file", ACCESS_ACL, named, named_count);
    assert_int_equal(case_stat("file").st_mode, S_IFREG | 0664);
    case_control("remount");
    expect_acl("file", ACCESS_ACL, named, named_count);
    assert_int_equal(case_stat("file").st_mode, S_IFREG | 0664);
}

static void an_acl_binds_the_users_and_groups_it_names(void **state)
{
    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, named, named_count);
    case_become(CASE_NOBODY, CASE_NOBODY);
    case_can_open("file", O_RDWR);
    case_become_root();
    case_become(12345, CASE_OTHER);
    assert_fails(open("file", O_RDONLY), EACCES);
    case_become_root();
    case_become(12345, 12345);
    case_can_open("file", O_RDONLY);
    assert_fails(open("file", O_RDWR), EACCES);
}

static void chmod_changes_the_mask(void **state)
{
    struct entry masked[named_count];

    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, named, named_count);
    assert_ok(chmod("file", 0640));
    memcpy(masked, named, sizeof(masked));
    masked[4].perm = 4;
    masked[5].perm = 0;
    expect_acl("file", ACCESS_ACL, masked, named_count);
    case_become(CASE_NOBODY, CASE_NOBODY);
    case_can_open("file", O_RDONLY);
    assert_fails(open("file", O_WRONLY), EACCES);
}

static void an_acl_that_the_mode_can_say_becomes_the_mode(void **state)
{
    static const struct entry minimal[] = {
        {ACL_USER_OBJ, 7, NONE}, {ACL_GROUP_OBJ, 5, NONE}, {ACL_OTHER, 1, NONE}};
    char value[64];

    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, minimal, 3);
    assert_int_equal(case_stat("file").st_mode, S_IFREG | 0751);
    assert_fails(getxattr("file", ACCESS_ACL, value, sizeof(value)), ENODATA);
}

static void removing_an_acl_leaves_the_mode(void **state)
{
    char value[64];

    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, named, named_count);
    assert_ok(removexattr("file", ACCESS_ACL));
    assert_fails(getxattr("file", ACCESS_ACL, value, sizeof(value)), ENODATA);
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_fails(open("file", O_WRONLY), EACCES);
}

/* The group's entry becomes the mask of what is created under a default ACL. */
static const struct entry inherited[] = {
    {ACL_USER_OBJ, 7, NONE}, {ACL_USER, 7, CASE_NOBODY}, {ACL_GROUP_OBJ, 5, NONE},
    {ACL_MASK, 7, NONE},     {ACL_OTHER, 0, NONE},
};
enum { inherited_count = sizeof(inherited) / sizeof(inherited[0]) };

static void a_default_acl_is_inherited_and_the_umask_is_not_applied(void **state)
{
    struct entry of_file[inherited_count];

    (void)state;
    assert_ok(mkdir("directory", 0755));
    set_acl("directory", DEFAULT_ACL, inherited, inherited_count);
    assert_ok(umask(077));
    assert_ok(close(case_create("directory/file", 0666)));
    assert_ok(mkdir("directory/below", 0777));

    memcpy(of_file, inherited, sizeof(of_file));
    of_file[0].perm = 6;
    of_file[3].perm = 6;
    expect_acl("directory/file", ACCESS_ACL, of_file, inherited_count);
    assert_int_equal(case_stat("directory/file").st_mode, S_IFREG | 0660);
    expect_acl("directory/below", ACCESS_ACL, inherited, inherited_count);
    expect_acl("directory/below", DEFAULT_ACL, inherited, inherited_count);
    assert_int_equal(case_stat("directory/below").st_mode, S_IFDIR | 0770);

    case_become(CASE_NOBODY, CASE_NOBODY);
    case_write_text("directory/below/mine", "x");
    case_become_root();
    assert_ok(mknod("directory/fifo", S_IFIFO | 0666, 0));
    assert_int_equal(case_stat("directory/fifo").st_mode, S_IFIFO | 0660);
    assert_ok(symlink("x", "directory/link"));
    assert_int_equal(case_lstat("directory/link").st_mode, S_IFLNK | 0777);
}

static void the_umask_applies_where_there_is_no_default_acl(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0755));
    set_acl("directory", DEFAULT_ACL, inherited, inherited_count);
    assert_ok(removexattr("directory", DEFAULT_ACL));
    assert_ok(umask(027));
    assert_ok(close(case_create("directory/file", 0666)));
    assert_int_equal(case_stat("directory/file").st_mode, S_IFREG | 0640);
}

static void broken_acls_are_refused(void **state)
{
    static const struct entry no_mask[] = {{ACL_USER_OBJ, 7, NONE},
                                           {ACL_USER, 7, CASE_NOBODY},
                                           {ACL_GROUP_OBJ, 5, NONE},
                                           {ACL_OTHER, 0, NONE}};
    struct wire_acl acl;

    (void)state;
    case_write_text("file", "");
    set_acl("file", ACCESS_ACL, named, named_count); /* skips where there are no ACLs */
    assert_fails(setxattr("file", ACCESS_ACL, &acl, encode(no_mask, 4, &acl), 0), EINVAL);
    assert_fails(setxattr("file", ACCESS_ACL, "junk", 4, 0), EOPNOTSUPP);
    assert_fails(setxattr("file", ACCESS_ACL, "ju", 2, 0), EINVAL);
    assert_fails(setxattr("file", DEFAULT_ACL, &acl, encode(inherited, inherited_count, &acl), 0),
                 EACCES);
    case_become(CASE_OTHER, CASE_OTHER);
    assert_fails(setxattr("file", ACCESS_ACL, &acl, encode(named, named_count, &acl), 0), EPERM);
    case_become_root();
    expect_acl("file", ACCESS_ACL, named, named_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(an_acl_is_stored_and_shown_in_the_mode),
        CASE_TEST(an_acl_binds_the_users_and_groups_it_names),
        CASE_TEST(chmod_changes_the_mask),
        CASE_TEST(an_acl_that_the_mode_can_say_becomes_the_mode),
        CASE_TEST(removing_an_acl_leaves_the_mode),
        CASE_TEST(a_default_acl_is_inherited_and_the_umask_is_not_applied),
        CASE_TEST(the_umask_applies_where_there_is_no_default_acl),
        CASE_TEST(broken_acls_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
