/*
 * Goal: bad places are refused before anything is touched. Method: a directory of our own under
 * /tmp.
 */
#include "fs/mountpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/test_fs_mountpoint.XXXXXX";
static struct options options;
static struct tfs_message message;

static int make_base(void **state)
{
    (void)state;
    if (!mkdtemp(base) || chdir(base) < 0)
        return -1;
    return mkdir("mnt", 0755) | mkdir("store", 0755) | mkdir("store/mnt", 0755) |
           symlink("mnt", "link");
}

static int remove_base(void **state)
{
    (void)state;
    return unlink("link") | rmdir("store/mnt") | rmdir("store") | rmdir("mnt") | chdir("/") |
           rmdir(base);
}

static void set(const char *store, const char *mountpoint)
{
    memset(&message, 0, sizeof(message));
    options_init(&options);
    (void)snprintf(options.store, sizeof(options.store), "%s", store);
    (void)snprintf(options.mountpoint, sizeof(options.mountpoint), "%s", mountpoint);
}

static int check(const char *mountpoint)
{
    set("", mountpoint);
    return mountpoint_check(&options, &message);
}

static int resolve(const char *store, const char *mountpoint)
{
    set(store, mountpoint);
    return mountpoint_resolve_store(&options, &message);
}

static void in_base(const char *name, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/%s", base, name);
}

static void a_relative_mountpoint_and_a_symlink_become_absolute(void **state)
{
    char expected[PATH_MAX];

    (void)state;
    if (access("/dev/fuse", F_OK) < 0)
        skip();
    in_base("mnt", expected);
    assert_int_equal(check("mnt/"), 0);
    assert_string_equal(options.mountpoint, expected);
    assert_int_equal(check("link"), 0);
    assert_string_equal(options.mountpoint, expected);
}

static void a_mountpoint_that_is_no_directory_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check("nothing"), -ENOENT);
    assert_string_equal(message.text, "mountpoint 'nothing' does not exist");
    assert_int_equal(check("/etc/passwd"), -ENOTDIR);
    assert_string_equal(message.text, "mountpoint '/etc/passwd' is not a directory");
    assert_int_equal(check("/etc/passwd/x"), -ENOTDIR);
    assert_string_equal(message.text, "mountpoint '/etc/passwd/x': Not a directory");
}

static void a_store_that_is_not_there_yet_becomes_absolute_and_is_not_made(void **state)
{
    char expected[PATH_MAX];

    (void)state;
    in_base("store/new/deep", expected);
    assert_int_equal(resolve("store//new/deep", "/mnt"), 0);
    assert_string_equal(options.store, expected);
    assert_ptr_equal(options.volume.path, options.store);
    assert_int_equal(access("store/new", F_OK), -1);
    in_base("mnt", expected);
    assert_int_equal(resolve("link", "/elsewhere"), 0);
    assert_string_equal(options.store, expected);
}

static void store_and_mountpoint_must_not_lie_in_each_other(void **state)
{
    char mountpoint[PATH_MAX];
    char store[PATH_MAX];

    (void)state;
    in_base("mnt", mountpoint);
    in_base("mnt/store", store);
    assert_int_equal(resolve(store, mountpoint), -EINVAL);
    assert_non_null(strstr(message.text, "lies inside of the mountpoint"));
    assert_int_equal(resolve(mountpoint, mountpoint), -EINVAL);
    in_base("store/mnt", mountpoint);
    in_base("store", store);
    assert_int_equal(resolve(store, mountpoint), -EINVAL);
    assert_non_null(strstr(message.text, "lies inside of the store"));
    in_base("storehouse", store);
    in_base("store", mountpoint);
    assert_int_equal(resolve(store, mountpoint), 0);
}

static unsigned synced; /* folders */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    synced++;
    return __real_fsync(fd);
}

static void parents_of_a_new_store_are_made_for_the_owner_alone(void **state)
{
    char store[PATH_MAX];
    struct stat status;

    (void)state;
    in_base("a/b/store", store);
    assert_int_equal(mountpoint_make_parents(store, &message), 0);
    assert_int_equal(synced, 2); /* those in which one was made */
    assert_int_equal(stat("a/b", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(access("a/b/store", F_OK), -1);
    assert_int_equal(mountpoint_make_parents(store, &message), 0);
    assert_int_equal(rmdir("a/b") | rmdir("a"), 0);
    assert_int_equal(mountpoint_make_parents("/proc/none/store", &message), -ENOENT);
    assert_string_equal(message.text, "cannot make the directory '/proc/none' for the store: "
                                      "No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relative_mountpoint_and_a_symlink_become_absolute),
        cmocka_unit_test(a_mountpoint_that_is_no_directory_is_refused),
        cmocka_unit_test(a_store_that_is_not_there_yet_becomes_absolute_and_is_not_made),
        cmocka_unit_test(store_and_mountpoint_must_not_lie_in_each_other),
        cmocka_unit_test(parents_of_a_new_store_are_made_for_the_owner_alone),
    };

    return cmocka_run_group_tests(tests, make_base, remove_base);
}
