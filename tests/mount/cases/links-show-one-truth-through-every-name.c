/*
 * CASE: hard links share every attribute and byte, symlinks keep their target and its length
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { many_links = 1000 };

static void same_inode(const char *a, const char *b)
{
    struct stat left = case_stat(a), right = case_stat(b);

    assert_int_equal(left.st_ino, right.st_ino);
    assert_int_equal(left.st_nlink, right.st_nlink);
    assert_int_equal(left.st_mode, right.st_mode);
    assert_int_equal(left.st_size, right.st_size);
    assert_int_equal(left.st_uid, right.st_uid);
    assert_memory_equal(&left.st_ctim, &right.st_ctim, sizeof(left.st_ctim));
    assert_memory_equal(&left.st_mtim, &right.st_mtim, sizeof(left.st_mtim));
}

static void a_change_through_one_link_shows_through_the_others(void **state)
{
    int fd;

    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_text("a", "first");
    assert_int_equal(case_stat("a").st_nlink, 1);
    assert_ok(link("a", "directory/b"));
    same_inode("a", "directory/b");
    assert_int_equal(case_stat("a").st_nlink, 2);

    assert_ok(chmod("a", 0600));
    same_inode("a", "directory/b");
    assert_ok(chown("directory/b", CASE_NOBODY, CASE_NOBODY));
    same_inode("a", "directory/b");
    case_write_text("directory/b", "second, longer");
    case_expect_text("a", "second, longer");
    same_inode("a", "directory/b");

    fd = (int)assert_ok(open("a", O_RDWR));
    assert_int_equal(assert_ok(pwrite(fd, "S", 1, 0)), 1);
    case_expect_text("directory/b", "Second, longer");
    assert_ok(ftruncate(fd, 6));
    assert_int_equal(case_stat("directory/b").st_size, 6);
    assert_ok(unlink("a"));
    assert_int_equal(case_stat("directory/b").st_nlink, 1);
    assert_int_equal(case_fstat(fd).st_nlink, 1);
    assert_ok(close(fd));
    case_expect_text("directory/b", "Second");
}

/* What the kernel has cached of a name is what the filesystem says when it is asked. */
static void cached_is_true(const char *path)
{
    struct stat cached = case_lstat(path);
    struct statx asked;

    assert_ok(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
                    STATX_BASIC_STATS | STATX_BTIME, &asked));
    assert_int_equal(cached.st_ino, asked.stx_ino);
    assert_int_equal(cached.st_nlink, asked.stx_nlink);
    assert_int_equal(cached.st_mode, asked.stx_mode);
    assert_int_equal(cached.st_size, asked.stx_size);
    assert_int_equal(cached.st_ctim.tv_sec, asked.stx_ctime.tv_sec);
    assert_int_equal(cached.st_ctim.tv_nsec, asked.stx_ctime.tv_nsec);
    assert_int_equal(cached.st_mtim.tv_sec, asked.stx_mtime.tv_sec);
    assert_int_equal(cached.st_mtim.tv_nsec, asked.stx_mtime.tv_nsec);
    assert_true(asked.stx_mask & STATX_BTIME);
    assert_true(asked.stx_btime.tv_sec <= asked.stx_ctime.tv_sec);
}

static void all_cached_is_true(void)
{
    static const char *const names[] = {".",      "left",       "right",      "left/a",
                                        "left/b", "left/other", "right/link", "right/moved"};
    struct stat seen;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (lstat(names[i], &seen) == 0)
            cached_is_true(names[i]);
    }
}

static void what_is_cached_of_a_name_is_never_out_of_date(void **state)
{
    int fd;

    (void)state;
    assert_ok(mkdir("left", 0777));
    assert_ok(mkdir("right", 0777));
    case_write_text("left/a", "content");
    case_write_text("left/other", "other");
    all_cached_is_true();
    assert_ok(link("left/a", "right/link"));
    all_cached_is_true();
    assert_ok(link("left/a", "left/b"));
    all_cached_is_true();
    assert_ok(rename("left/b", "right/moved"));
    all_cached_is_true();
    assert_ok(rename("left/other", "right/moved")); /* one link of the file is replaced */
    all_cached_is_true();
    assert_ok(renameat2(AT_FDCWD, "right/moved", AT_FDCWD, "left/a", RENAME_EXCHANGE));
    all_cached_is_true();
    assert_ok(renameat2(AT_FDCWD, "right/moved", AT_FDCWD, "left/a", RENAME_EXCHANGE));
    all_cached_is_true();
    assert_ok(setxattr("right/link", "user.name", "value", 5, 0));
    all_cached_is_true();
    fd = (int)assert_ok(open("right/link", O_RDWR));
    assert_int_equal(assert_ok(pwrite(fd, "more", 4, 10)), 4);
    all_cached_is_true();
    assert_ok(ftruncate(fd, 3));
    all_cached_is_true();
    assert_ok(close(fd));
    all_cached_is_true();
    assert_ok(unlink("right/link"));
    all_cached_is_true();
    assert_ok(mkdir("left/directory", 0777));
    assert_ok(rename("left/directory", "right/directory")); /* takes a link from one to the other */
    all_cached_is_true();
    assert_ok(rmdir("right/directory"));
    all_cached_is_true();
}

static void link_changes_the_time_of_change(void **state)
{
    struct stat before, after;

    (void)state;
    case_write_text("a", "");
    before = case_stat("a");
    case_control("drop-caches");
    usleep(20000); /* the kernel's clock for file times ticks every few milliseconds */
    assert_ok(link("a", "b"));
    after = case_stat("a");
    assert_true(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
                after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
    assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
}

static void link_refuses_directories_and_taken_names(void **state)
{
    (void)state;
    case_write_text("a", "");
    case_write_text("b", "");
    assert_ok(mkdir("directory", 0777));
    assert_fails(link("directory", "second"), EPERM);
    assert_fails(link("a", "b"), EEXIST);
    assert_fails(link("a", "directory"), EEXIST);
    assert_fails(link("missing", "c"), ENOENT);
    assert_fails(link("a", "missing/c"), ENOENT);
    assert_fails(link("a", "b/c"), ENOTDIR);
    assert_int_equal(case_stat("a").st_nlink, 1);
}

static void a_link_to_a_symlink_is_the_symlink(void **state)
{
    (void)state;
    case_write_text("file", "content");
    assert_ok(symlink("file", "link"));
    assert_ok(link("link", "second"));
    assert_true(S_ISLNK(case_lstat("second").st_mode));
    assert_int_equal(case_lstat("second").st_nlink, 2);
    assert_int_equal(case_stat("file").st_nlink, 1);
    assert_ok(linkat(AT_FDCWD, "link", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    assert_true(S_ISREG(case_lstat("followed").st_mode));
    assert_int_equal(case_stat("file").st_nlink, 2);
}

static void a_thousand_links_count_up_and_down(void **state)
{
    char name[32];

    (void)state;
    case_write_text("file", "one file");
    for (int i = 0; i < many_links; i++) {
        assert_true(snprintf(name, sizeof(name), "link-%d", i) > 0);
        assert_ok(link("file", name));
    }
    assert_int_equal(case_stat("file").st_nlink, many_links + 1);
    case_expect_text("link-777", "one file");
    for (int i = 0; i < many_links; i += 2) {
        assert_true(snprintf(name, sizeof(name), "link-%d", i) > 0);
        assert_ok(unlink(name));
    }
    assert_int_equal(case_stat("link-1").st_nlink, many_links / 2 + 1);
}

static void a_symlink_tells_its_target_and_the_length_of_it(void **state)
{
    static const size_t lengths[] = {1, 2, 59, 60, 255, 256, 1000, 4094};
    char target[4096], got[4097], name[32];

    (void)state;
    case_fill(target, sizeof(target), 3);
    for (size_t i = 0; i < sizeof(target); i++)
        target[i] = target[i] ? target[i] : 'z';
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char kept = target[lengths[i]];

        target[lengths[i]] = '\0';
        assert_true(snprintf(name, sizeof(name), "link-%zu", lengths[i]) > 0);
        assert_ok(symlink(target, name));
        assert_int_equal(case_lstat(name).st_size, lengths[i]);
        assert_int_equal(case_lstat(name).st_mode, S_IFLNK | 0777);
        assert_int_equal(assert_ok(readlink(name, got, sizeof(got))), lengths[i]);
        assert_memory_equal(got, target, lengths[i]);
        target[lengths[i]] = kept;
    }
    assert_int_equal(assert_ok(readlink("link-255", got, 10)), 10);
    assert_memory_equal(got, target, 10);
    assert_fails(symlink("", "empty"), ENOENT);
    assert_fails(readlink(".", got, sizeof(got)), EINVAL);
}

static void a_symlink_made_again_is_not_remembered(void **state)
{
    char got[16];

    (void)state;
    for (int i = 0; i < 30; i++) {
        const char *target = i % 2 ? "odd" : "even-steps";

        assert_ok(symlink(target, "link"));
        assert_int_equal(assert_ok(readlink("link", got, sizeof(got))), strlen(target));
        assert_memory_equal(got, target, strlen(target));
        assert_int_equal(case_lstat("link").st_size, strlen(target));
        assert_ok(unlink("link"));
    }
}

static void symlinks_are_followed_where_they_should_be(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_text("directory/file", "found");
    assert_ok(symlink("directory", "relative"));
    assert_ok(symlink("../directory/file", "directory/up"));
    case_expect_text("relative/file", "found");
    case_expect_text("relative/up", "found");
    assert_ok(symlink("loop-b", "loop-a"));
    assert_ok(symlink("loop-a", "loop-b"));
    assert_fails(open("loop-a", O_RDONLY), ELOOP);
    assert_ok(unlink("directory/up"));
    case_expect_text("directory/file", "found");
}

static void a_symlink_has_an_owner_and_times_of_its_own(void **state)
{
    struct timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 7, .tv_nsec = 8}};
    struct stat seen;

    (void)state;
    case_write_text("file", "");
    assert_ok(symlink("file", "link"));
    assert_ok(lchown("link", CASE_NOBODY, CASE_OTHER));
    assert_ok(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
    seen = case_lstat("link");
    assert_int_equal(seen.st_uid, CASE_NOBODY);
    assert_int_equal(seen.st_gid, CASE_OTHER);
    assert_int_equal(seen.st_mtim.tv_sec, 7);
    assert_int_equal(seen.st_mtim.tv_nsec, 8);
    assert_int_equal(case_stat("file").st_uid, 0);
    assert_true(case_stat("file").st_mtim.tv_sec > 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(a_change_through_one_link_shows_through_the_others),
        CASE_TEST(what_is_cached_of_a_name_is_never_out_of_date),
        CASE_TEST(link_changes_the_time_of_change),
        CASE_TEST(link_refuses_directories_and_taken_names),
        CASE_TEST(a_link_to_a_symlink_is_the_symlink),
        CASE_TEST(a_thousand_links_count_up_and_down),
        CASE_TEST(a_symlink_tells_its_target_and_the_length_of_it),
        CASE_TEST(a_symlink_made_again_is_not_remembered),
        CASE_TEST(symlinks_are_followed_where_they_should_be),
        CASE_TEST(a_symlink_has_an_owner_and_times_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
