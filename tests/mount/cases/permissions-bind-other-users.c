/*
 * CASE: modes, owners, sticky and setgid directories bind others; suid falls on write and chown
 * NEEDS: root
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

static void chmod_sets_every_bit_and_only_those(void **state)
{
    static const mode_t modes[] = {0,    0111,  0222,  0444,  0600, 0755,
                                   0777, 04755, 02755, 01777, 07777};

    (void)state;
    case_write_text("file", "");
    assert_ok(mkdir("directory", 0777));
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_ok(chmod("file", modes[i]));
        assert_int_equal(case_stat("file").st_mode, S_IFREG | modes[i]);
        assert_ok(chmod("directory", modes[i]));
        assert_int_equal(case_stat("directory").st_mode, S_IFDIR | modes[i]);
    }
    assert_fails(chmod("missing", 0644), ENOENT);
}

static void chown_changes_what_is_asked_and_keeps_minus_one(void **state)
{
    struct stat seen;

    (void)state;
    case_write_text("file", "");
    assert_ok(chown("file", CASE_NOBODY, CASE_OTHER));
    assert_ok(chown("file", (uid_t)-1, 7));
    seen = case_stat("file");
    assert_int_equal(seen.st_uid, CASE_NOBODY);
    assert_int_equal(seen.st_gid, 7);
    assert_ok(chown("file", 4000000000u, (gid_t)-1));
    seen = case_stat("file");
    assert_int_equal(seen.st_uid, 4000000000u);
    assert_int_equal(seen.st_gid, 7);
}

static void owner_group_and_others_get_their_own_bits(void **state)
{
    (void)state;
    case_write_text("file", "text");
    assert_ok(chown("file", CASE_NOBODY, CASE_OTHER));

    assert_ok(chmod("file", 0064));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_fails(open("file", O_RDONLY), EACCES);
    assert_fails(open("file", O_WRONLY), EACCES);
    case_become_root();
    case_become(12345, CASE_OTHER);
    case_can_open("file", O_RDWR);
    case_become_root();
    case_become(12345, 12345);
    case_can_open("file", O_RDONLY);
    assert_fails(open("file", O_WRONLY), EACCES);
    assert_fails(truncate("file", 0), EACCES);
    assert_fails(access("file", X_OK), EACCES);
}

static void a_directory_needs_x_to_pass_r_to_list_and_w_to_change(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0755));
    case_write_text("directory/file", "text");

    assert_ok(chmod("directory", 0744));
    case_become(CASE_NOBODY, CASE_NOBODY);
    case_can_open("directory", O_RDONLY);
    assert_fails(open("directory/file", O_RDONLY), EACCES);
    assert_fails(chdir("directory"), EACCES);
    case_become_root();
    assert_ok(chmod("directory", 0711));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_fails(open("directory", O_RDONLY), EACCES);
    case_expect_text("directory/file", "text");
    assert_fails(open("directory/new", O_CREAT | O_WRONLY, 0644), EACCES);
    assert_fails(mkdir("directory/new", 0755), EACCES);
    assert_fails(symlink("x", "directory/new"), EACCES);
    case_write_text("own", "");
    assert_fails(link("own", "directory/new"), EACCES);
    assert_fails(unlink("directory/file"), EACCES);
    assert_fails(rename("directory/file", "directory/new"), EACCES);
    assert_fails(rename("directory/file", "outside"), EACCES);
}

static void only_the_owner_may_change_the_mode_and_only_root_the_owner(void **state)
{
    (void)state;
    case_write_text("file", "");
    assert_ok(chown("file", CASE_NOBODY, CASE_NOBODY));
    case_become(CASE_OTHER, CASE_OTHER);
    assert_fails(chmod("file", 0777), EPERM);
    assert_fails(chown("file", CASE_OTHER, CASE_OTHER), EPERM);
    assert_fails(utimensat(AT_FDCWD, "file", (struct timespec[2]){{1, 1}, {1, 1}}, 0), EPERM);
    case_become_root();
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_ok(chmod("file", 0600));
    assert_fails(chown("file", CASE_OTHER, (gid_t)-1), EPERM);
    assert_fails(chown("file", (uid_t)-1, CASE_OTHER), EPERM);
    assert_ok(chown("file", (uid_t)-1, CASE_NOBODY));
}

static void permissions_changed_by_root_bind_at_once(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_text("directory/file", "text");
    for (int i = 0; i < 20; i++) {
        assert_ok(chmod("directory", i % 2 ? 0755 : 0700));
        case_become(CASE_NOBODY, CASE_NOBODY);
        if (i % 2)
            case_expect_text("directory/file", "text");
        else
            assert_fails(open("directory/file", O_RDONLY), EACCES);
        case_become_root();
    }
}

static void sticky_directories_protect_names_of_others(void **state)
{
    (void)state;
    assert_ok(mkdir("shared", 0777));
    assert_ok(chmod("shared", 01777));
    case_become(CASE_NOBODY, CASE_NOBODY);
    case_write_text("shared/mine", "mine");
    assert_ok(mkdir("shared/directory", 0777));
    case_become_root();
    case_become(CASE_OTHER, CASE_OTHER);
    case_write_text("shared/other", "other");
    assert_fails(unlink("shared/mine"), EPERM);
    assert_fails(rename("shared/mine", "shared/new"), EPERM);
    assert_fails(rename("shared/other", "shared/mine"), EPERM);
    assert_fails(rmdir("shared/directory"), EPERM);
    assert_ok(rename("shared/other", "shared/another"));
    assert_ok(unlink("shared/another"));
    case_become_root();
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_ok(unlink("shared/mine"));
    assert_ok(rmdir("shared/directory"));
}

static void setgid_directories_hand_their_group_down(void **state)
{
    struct stat seen;

    (void)state;
    assert_ok(mkdir("group", 0777));
    assert_ok(chown("group", 0, CASE_OTHER));
    assert_ok(chmod("group", 02777));
    case_become(CASE_NOBODY, CASE_NOBODY);
    case_write_text("group/file", "");
    assert_ok(mkdir("group/directory", 0755));
    assert_ok(symlink("x", "group/link"));
    assert_ok(mknod("group/fifo", S_IFIFO | 0644, 0));
    seen = case_stat("group/file");
    assert_int_equal(seen.st_uid, CASE_NOBODY);
    assert_int_equal(seen.st_gid, CASE_OTHER);
    assert_int_equal(seen.st_mode, S_IFREG | 0644);
    seen = case_stat("group/directory");
    assert_int_equal(seen.st_gid, CASE_OTHER);
    assert_int_equal(seen.st_mode, S_IFDIR | 02755);
    assert_int_equal(case_lstat("group/link").st_gid, CASE_OTHER);
    assert_int_equal(case_stat("group/fifo").st_gid, CASE_OTHER);
    assert_ok(mkdir("group/directory/below", 0755));
    assert_int_equal(case_stat("group/directory/below").st_gid, CASE_OTHER);
    assert_int_equal(case_stat("group/directory/below").st_mode, S_IFDIR | 02755);
}

static void setgid_is_dropped_from_a_file_made_for_a_group_of_others(void **state)
{
    (void)state;
    assert_ok(mkdir("group", 0777));
    assert_ok(chown("group", 0, CASE_OTHER));
    assert_ok(chmod("group", 02777));
    case_become(CASE_NOBODY, CASE_NOBODY);
    assert_ok(close(case_create("group/file", 02755)));
    assert_int_equal(case_stat("group/file").st_mode, S_IFREG | 0755);
    case_write_text("own", "");
    assert_ok(chmod("own", 02755));
    assert_int_equal(case_stat("own").st_mode, S_IFREG | 02755);
    assert_ok(chmod("group/file", 02755)); /* not a member: the bit falls silently */
    assert_int_equal(case_stat("group/file").st_mode, S_IFREG | 0755);
}

static mode_t mode_after_chown(mode_t mode)
{
    case_write_text("owned", "x");
    assert_ok(chown("owned", CASE_NOBODY, CASE_NOBODY));
    assert_ok(chmod("owned", mode));
    assert_ok(chown("owned", CASE_OTHER, CASE_OTHER));
    return case_stat("owned").st_mode & 07777;
}

static void suid_and_sgid_fall_when_the_owner_changes(void **state)
{
    (void)state;
    assert_int_equal(mode_after_chown(04755), 0755);
    assert_int_equal(mode_after_chown(06755), 0755);
    assert_int_equal(mode_after_chown(02644), 02644); /* without x: a lock mark, kept */
    assert_ok(mkdir("directory", 0777));
    assert_ok(chmod("directory", 06777));
    assert_ok(chown("directory", CASE_NOBODY, CASE_NOBODY));
    assert_int_equal(case_stat("directory").st_mode, S_IFDIR | 06777);
}

static void suid_and_sgid_fall_when_another_user_writes_or_truncates(void **state)
{
    enum { by_write, by_append, by_truncate, by_open, ways };

    (void)state;
    for (int way = 0; way < ways; way++) {
        int fd;

        case_write_text("program", "#!/bin/sh\n");
        assert_ok(chown("program", 0, 0));
        assert_ok(chmod("program", 06777));
        case_become(CASE_NOBODY, CASE_NOBODY);
        assert_int_equal(case_stat("program").st_mode, S_IFREG | 06777);
        if (way == by_truncate) {
            assert_ok(truncate("program", 3));
        } else {
            fd = (int)assert_ok(open("program", O_WRONLY | (way == by_append ? O_APPEND : 0) |
                                                    (way == by_open ? O_TRUNC : 0)));
            if (way != by_open)
                assert_int_equal(assert_ok(write(fd, "x", 1)), 1);
            assert_ok(close(fd));
        }
        case_become_root();
        assert_int_equal(case_stat("program").st_mode, S_IFREG | 0777);
        case_control("drop-caches");
        assert_int_equal(case_stat("program").st_mode, S_IFREG | 0777);
    }
}

/* Of a file that the group may not execute, too, unless the caller is in the group. */
static void sgid_falls_whatever_a_stranger_to_the_group_does_to_the_data(void **state)
{
    static const int modes[] = {0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE};
    enum { by_fallocate, by_punch, by_zero, by_write, by_truncate, ways };
    const gid_t group = 4711;

    (void)state;
    for (int way = 0; way < 2 * ways; way++) {
        bool member = way >= ways;
        int fd;

        case_write_text("program", "#!/bin/sh\n");
        assert_ok(chown("program", 0, group));
        assert_ok(chmod("program", 06666));
        assert_ok(setgroups(member ? 1 : 0, &group));
        assert_ok(setegid(CASE_NOBODY));
        assert_ok(seteuid(CASE_NOBODY));
        assert_int_equal(case_stat("program").st_mode, S_IFREG | 06666);
        fd = (int)assert_ok(open("program", O_WRONLY));
        if (way % ways <= by_zero)
            assert_ok(fallocate(fd, modes[way % ways], 0, 5));
        else if (way % ways == by_write)
            assert_int_equal(assert_ok(write(fd, "x", 1)), 1);
        else
            assert_ok(ftruncate(fd, 3));
        assert_ok(close(fd));
        case_become_root();
        assert_ok(setgroups(0, NULL));
        assert_int_equal(case_stat("program").st_mode, S_IFREG | (member ? 02666 : 0666));
    }
}

static void root_keeps_suid_when_it_writes(void **state)
{
    int fd;

    (void)state;
    case_write_text("program", "x");
    assert_ok(chmod("program", 04755));
    fd = (int)assert_ok(open("program", O_WRONLY));
    assert_int_equal(assert_ok(write(fd, "y", 1)), 1);
    assert_ok(close(fd));
    assert_int_equal(case_stat("program").st_mode, S_IFREG | 04755);
}

static void files_belong_to_the_user_who_made_them(void **state)
{
    struct stat seen;

    (void)state;
    case_become(CASE_NOBODY, CASE_OTHER);
    case_write_text("file", "");
    assert_ok(mkdir("directory", 0700));
    assert_ok(symlink("x", "link"));
    assert_ok(mknod("fifo", S_IFIFO | 0600, 0));
    for (size_t i = 0; i < 4; i++) {
        seen = case_lstat((const char *[]){"file", "directory", "link", "fifo"}[i]);
        assert_int_equal(seen.st_uid, CASE_NOBODY);
        assert_int_equal(seen.st_gid, CASE_OTHER);
    }
    assert_fails(mknod("device", S_IFCHR | 0600, 1), EPERM);
}

static void a_file_open_before_chmod_stays_usable(void **state)
{
    int fd;

    (void)state;
    case_become(CASE_NOBODY, CASE_NOBODY);
    fd = case_create("file", 0600);
    assert_ok(chmod("file", 0));
    assert_int_equal(assert_ok(write(fd, "still", 5)), 5);
    assert_ok(ftruncate(fd, 3));
    case_expect_fd(fd, "sti", 3);
    assert_ok(close(fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(chmod_sets_every_bit_and_only_those),
        CASE_TEST(chown_changes_what_is_asked_and_keeps_minus_one),
        CASE_TEST(owner_group_and_others_get_their_own_bits),
        CASE_TEST(a_directory_needs_x_to_pass_r_to_list_and_w_to_change),
        CASE_TEST(only_the_owner_may_change_the_mode_and_only_root_the_owner),
        CASE_TEST(permissions_changed_by_root_bind_at_once),
        CASE_TEST(sticky_directories_protect_names_of_others),
        CASE_TEST(setgid_directories_hand_their_group_down),
        CASE_TEST(setgid_is_dropped_from_a_file_made_for_a_group_of_others),
        CASE_TEST(suid_and_sgid_fall_when_the_owner_changes),
        CASE_TEST(suid_and_sgid_fall_when_another_user_writes_or_truncates),
        CASE_TEST(sgid_falls_whatever_a_stranger_to_the_group_does_to_the_data),
        CASE_TEST(root_keeps_suid_when_it_writes),
        CASE_TEST(files_belong_to_the_user_who_made_them),
        CASE_TEST(a_file_open_before_chmod_stays_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
