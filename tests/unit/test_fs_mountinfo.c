/*
 * Goal: lines of mountinfo are read as proc(5) describes them, and what is none is left alone.
 * Method: lines as texts; and the list of this process, in which /proc is.
 */
#include "fs/mountinfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static bool parse(const char *line, const char *mountpoint, struct mountinfo *ret)
{
    char copy[600];

    (void)snprintf(copy, sizeof(copy), "%s", line);
    return mountinfo_parse(copy, mountpoint, ret);
}

static void a_line_has_device_type_and_both_kinds_of_flags(void **state)
{
    struct mountinfo mount;

    (void)state;
    assert_true(parse("36 35 0:55 / /mnt/ckpt rw,nosuid,relatime shared:1 master:2 - fuse.tensorfs "
                      "/srv/store ro,user_id=0,allow_other\n",
                      "/mnt/ckpt", &mount));
    assert_int_equal(mount.device, makedev(0, 55));
    assert_string_equal(mount.type, "fuse.tensorfs");
    assert_true(mountinfo_has(&mount, "nosuid"));
    assert_true(mountinfo_has(&mount, "relatime"));
    assert_true(mountinfo_has(&mount, "ro")); /* of the filesystem */
    assert_true(mountinfo_has(&mount, "allow_other"));
    assert_false(mountinfo_has(&mount, "suid"));
    assert_false(mountinfo_has(&mount, "user_id"));
    assert_false(mountinfo_has(&mount, "atime"));
}

static void a_mountpoint_is_compared_as_it_is_not_as_it_is_escaped(void **state)
{
    static const char line[] = "1 2 253:17 / /mnt/a\\040b\\134 rw - ext4 /dev/sda1 rw";
    struct mountinfo mount;

    (void)state;
    assert_true(parse(line, "/mnt/a b\\", &mount));
    assert_int_equal(mount.device, makedev(253, 17));
    assert_false(parse(line, "/mnt/a\\040b\\134", &mount));
    assert_false(parse(line, "/mnt/a b", &mount));
    assert_false(parse(line, "/mnt", &mount));
}

static void what_is_no_line_changes_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        " - ",
        "1 2 0:5 / /mnt rw",
        "1 2 0:5 / /mnt - proc proc rw",
        "/mnt - proc proc rw",
    };
    struct mountinfo mount = {.device = 42, .type = "mine"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(lines); i++)
        assert_false(parse(lines[i], "/mnt", &mount));
    assert_int_equal(mount.device, 42);
    assert_string_equal(mount.type, "mine");
}

static void a_line_that_is_cut_short_has_no_more_than_it_says(void **state)
{
    struct mountinfo mount;

    (void)state;
    assert_true(parse("1 2 5 / /mnt rw - tmpfs", "/mnt", &mount));
    assert_int_equal(mount.device, makedev(5, 0));
    assert_string_equal(mount.type, "tmpfs");
    assert_string_equal(mount.flags, ",rw,,");
    assert_true(parse("1 2 5 / /mnt rw - tmpfs none", "/mnt", &mount));
    assert_string_equal(mount.flags, ",rw,,");
}

static void long_flags_are_cut_and_not_written_behind_the_end(void **state)
{
    char line[600] = "1 2 0:5 / /mnt rw - tmpfs none ";
    struct mountinfo mount;

    (void)state;
    memset(line + strlen(line), 'x', sizeof(line) - 1 - strlen(line));
    line[sizeof(line) - 1] = '\0';
    assert_true(parse(line, "/mnt", &mount));
    assert_int_equal(strlen(mount.flags), sizeof(mount.flags) - 1);
    assert_false(mountinfo_has(&mount, line + 40)); /* longer than any flag */
}

static void the_uppermost_mount_on_a_directory_is_found(void **state)
{
    struct mountinfo mount;
    struct stat status;

    (void)state;
    assert_int_equal(stat("/proc", &status), 0);
    assert_true(mountinfo_find("/proc", &mount));
    assert_string_equal(mount.type, "proc");
    assert_int_equal(mount.device, status.st_dev);
    assert_false(mountinfo_find("/proc/self", &mount));
    assert_false(mountinfo_find("proc", &mount));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_device_type_and_both_kinds_of_flags),
        cmocka_unit_test(a_mountpoint_is_compared_as_it_is_not_as_it_is_escaped),
        cmocka_unit_test(what_is_no_line_changes_nothing),
        cmocka_unit_test(a_line_that_is_cut_short_has_no_more_than_it_says),
        cmocka_unit_test(long_flags_are_cut_and_not_written_behind_the_end),
        cmocka_unit_test(the_uppermost_mount_on_a_directory_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
