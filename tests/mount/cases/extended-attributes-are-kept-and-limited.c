/*
 * CASE: xattrs of every namespace are set, listed, replaced, limited and kept through a remount
 * NEEDS: root
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { value_max = 65536, name_max = 255 };

static void expect_xattr(const char *path, const char *name, const void *value, size_t size)
{
    char *got = case_buffer(value_max);

    assert_int_equal(assert_ok(lgetxattr(path, name, NULL, 0)), size);
    assert_int_equal(assert_ok(lgetxattr(path, name, got, value_max)), size);
    assert_memory_equal(got, value, size);
    free(got);
}

static bool is_listed(const char *path, const char *name)
{
    char list[value_max];
    ssize_t length = assert_ok(llistxattr(path, list, sizeof(list)));

    assert_int_equal(assert_ok(llistxattr(path, NULL, 0)), length);
    for (const char *at = list; at < list + length; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0)
            return true;
    }
    return false;
}

static void attributes_are_set_replaced_listed_and_removed(void **state)
{
    char small[2];

    (void)state;
    case_write_text("file", "");
    assert_ok(setxattr("file", "user.a", "1", 1, 0));
    assert_ok(setxattr("file", "user.b", "", 0, 0));
    expect_xattr("file", "user.a", "1", 1);
    expect_xattr("file", "user.b", "", 0);
    assert_ok(setxattr("file", "user.a", "longer", 6, 0));
    expect_xattr("file", "user.a", "longer", 6);
    assert_true(is_listed("file", "user.a"));
    assert_true(is_listed("file", "user.b"));
    assert_fails(getxattr("file", "user.a", small, sizeof(small)), ERANGE);
    assert_fails(listxattr("file", small, sizeof(small)), ERANGE);
    assert_ok(removexattr("file", "user.a"));
    assert_false(is_listed("file", "user.a"));
    assert_fails(getxattr("file", "user.a", small, sizeof(small)), ENODATA);
    assert_fails(removexattr("file", "user.a"), ENODATA);
}

static void create_and_replace_flags_are_heeded(void **state)
{
    (void)state;
    case_write_text("file", "");
    assert_fails(setxattr("file", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
    assert_ok(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
    assert_fails(setxattr("file", "user.a", "2", 1, XATTR_CREATE), EEXIST);
    assert_ok(setxattr("file", "user.a", "3", 1, XATTR_REPLACE));
    expect_xattr("file", "user.a", "3", 1);
}

static void every_namespace_of_the_kernel_works(void **state)
{
    (void)state;
    case_write_text("file", "");
    assert_ok(mkdir("directory", 0755));
    assert_ok(symlink("file", "link"));
    assert_ok(setxattr("directory", "user.on-directory", "d", 1, 0));
    expect_xattr("directory", "user.on-directory", "d", 1);
    assert_ok(setxattr("file", "trusted.a", "t", 1, 0));
    expect_xattr("file", "trusted.a", "t", 1);
    assert_ok(setxattr("file", "security.tensorfs-test", "s", 1, 0));
    expect_xattr("file", "security.tensorfs-test", "s", 1);
    assert_ok(lsetxattr("link", "trusted.on-link", "l", 1, 0));
    expect_xattr("link", "trusted.on-link", "l", 1);
    assert_fails(lsetxattr("link", "user.a", "1", 1, 0), EPERM);
    assert_fails(setxattr("file", "nonsense.a", "1", 1, 0), EOPNOTSUPP);
}

static void trusted_attributes_are_hidden_from_users(void **state)
{
    char value[4];

    (void)state;
    case_write_text("file", "");
    assert_ok(chmod("file", 0666));
    assert_ok(setxattr("file", "trusted.secret", "t", 1, 0));
    assert_ok(setxattr("file", "user.open", "u", 1, 0));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_fails(getxattr("file", "trusted.secret", value, sizeof(value)), ENODATA);
    assert_fails(setxattr("file", "trusted.secret", "x", 1, 0), EPERM);
    assert_false(is_listed("file", "trusted.secret"));
    assert_true(is_listed("file", "user.open"));
}

static void user_attributes_follow_the_modes_of_the_file(void **state)
{
    char value[4];

    (void)state;
    case_write_text("file", "");
    assert_ok(setxattr("file", "user.a", "1", 1, 0));
    assert_ok(chmod("file", 0640));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_fails(getxattr("file", "user.a", value, sizeof(value)), EACCES);
    case_become_root();
    assert_ok(chmod("file", 0644));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_int_equal(assert_ok(getxattr("file", "user.a", value, sizeof(value))), 1);
    assert_fails(setxattr("file", "user.a", "2", 1, 0), EACCES);
    assert_fails(removexattr("file", "user.a"), EACCES);
}

static void names_and_values_are_limited(void **state)
{
    char name[name_max + 2];
    char *value = case_buffer(value_max + 1);

    (void)state;
    case_write_text("file", "");
    memset(name, 'n', sizeof(name));
    memcpy(name, "user.", 5);
    name[name_max] = '\0';
    assert_ok(setxattr("file", name, "longest", 7, 0));
    expect_xattr("file", name, "longest", 7);
    name[name_max] = 'n';
    name[name_max + 1] = '\0';
    assert_fails(setxattr("file", name, "too long", 8, 0), ERANGE);
    assert_fails(setxattr("file", "user.", "1", 1, 0), EINVAL);
    assert_fails(setxattr("file", "user.large", value, value_max + 1, 0), E2BIG);
    free(value);
}

static void values_up_to_64_kib_are_kept_where_the_filesystem_has_room(void **state)
{
    static const size_t sizes[] = {1000, 3000, 20000, value_max};
    char *value = case_buffer(value_max);
    char name[32];

    (void)state;
    case_write_text("file", "content");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        case_fill(value, sizes[i], i);
        assert_true(snprintf(name, sizeof(name), "user.size-%zu", sizes[i]) > 0);
        if (setxattr("file", name, value, sizes[i], 0) == -1 && errno == ENOSPC && case_is_plain())
            skip(); /* ext4 has one block for all of a file's attributes */
        expect_xattr("file", name, value, sizes[i]);
    }
    case_control("remount");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        case_fill(value, sizes[i], i);
        assert_true(snprintf(name, sizeof(name), "user.size-%zu", sizes[i]) > 0);
        expect_xattr("file", name, value, sizes[i]);
    }
    case_expect_text("file", "content");
    free(value);
}

static void a_hundred_attributes_live_on_one_file(void **state)
{
    char name[32], list[value_max];
    size_t wanted = 0;

    (void)state;
    case_write_text("file", "");
    for (int i = 0; i < 100; i++) {
        assert_true(snprintf(name, sizeof(name), "user.n%d", i) > 0);
        assert_ok(setxattr("file", name, name, strlen(name), 0));
        wanted += strlen(name) + 1;
    }
    assert_true(assert_ok(listxattr("file", list, sizeof(list))) >= (ssize_t)wanted);
    for (int i = 0; i < 100; i += 2) {
        assert_true(snprintf(name, sizeof(name), "user.n%d", i) > 0);
        assert_ok(removexattr("file", name));
    }
    for (int i = 0; i < 100; i++) {
        assert_true(snprintf(name, sizeof(name), "user.n%d", i) > 0);
        assert_int_equal(is_listed("file", name), i % 2);
    }
}

static void attributes_are_refused_before_their_list_is_too_long(void **state)
{
    enum { NAME_SIZE = 255, LIST_MAX = 65536, TRIES = LIST_MAX / (NAME_SIZE + 1) + 1 };
    char name[NAME_SIZE + 1];
    char *list = malloc(LIST_MAX);
    int count = 0;

    (void)state;
    assert_non_null(list);
    case_write_text("file", "");
    while (count < TRIES) {
        assert_true(snprintf(name, sizeof(name), "user.%0*d", NAME_SIZE - 5, count) > 0);
        if (setxattr("file", name, "", 0, 0) < 0)
            break;
        count++;
    }
    assert_int_equal(errno, ENOSPC);
    assert_in_range(count, 1, TRIES - 1);
    assert_true(assert_ok(listxattr("file", list, LIST_MAX)) >= (ssize_t)count * (NAME_SIZE + 1));
    free(list);
}

static void attributes_belong_to_the_inode_and_die_with_it(void **state)
{
    char value[4];

    (void)state;
    case_write_text("file", "");
    assert_ok(setxattr("file", "user.a", "1", 1, 0));
    assert_ok(link("file", "second"));
    expect_xattr("second", "user.a", "1", 1);
    assert_ok(rename("file", "moved"));
    expect_xattr("moved", "user.a", "1", 1);
    assert_ok(unlink("moved"));
    assert_ok(unlink("second"));
    case_write_text("file", "");
    assert_fails(getxattr("file", "user.a", value, sizeof(value)), ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(attributes_are_set_replaced_listed_and_removed),
        CASE_TEST(create_and_replace_flags_are_heeded),
        CASE_TEST(every_namespace_of_the_kernel_works),
        CASE_TEST(trusted_attributes_are_hidden_from_users),
        CASE_TEST(user_attributes_follow_the_modes_of_the_file),
        CASE_TEST(names_and_values_are_limited),
        CASE_TEST(values_up_to_64_kib_are_kept_where_the_filesystem_has_room),
        CASE_TEST(a_hundred_attributes_live_on_one_file),
        CASE_TEST(attributes_are_refused_before_their_list_is_too_long),
        CASE_TEST(attributes_belong_to_the_inode_and_die_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
