/*
 * CASE: names, paths, targets and offsets work up to their limit, then fail with the right errno
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { name_max = 255, depth = 600 };

static void names_of_255_bytes_work_and_256_are_too_many(void **state)
{
    char name[name_max + 2], second[name_max + 1];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[name_max] = '\0';
    memset(second, 's', sizeof(second));
    second[name_max] = '\0';
    case_write_text(name, "long");
    case_expect_text(name, "long");
    assert_ok(link(name, second));
    assert_ok(unlink(second));
    assert_ok(rename(name, second));
    case_expect_text(second, "long");
    assert_ok(mkdir(name, 0755));
    assert_ok(rmdir(name));
    assert_ok(symlink(name, name));
    assert_ok(unlink(name));

    name[name_max] = 'n';
    name[name_max + 1] = '\0';
    assert_fails(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
    assert_fails(mkdir(name, 0755), ENAMETOOLONG);
    assert_fails(symlink("x", name), ENAMETOOLONG);
    assert_fails(mknod(name, S_IFIFO | 0644, 0), ENAMETOOLONG);
    assert_fails(link(second, name), ENAMETOOLONG);
    assert_fails(rename(second, name), ENAMETOOLONG);
    assert_fails(unlink(name), ENAMETOOLONG);
    assert_fails(rmdir(name), ENAMETOOLONG);
    assert_fails(open(name, O_RDONLY), ENAMETOOLONG);
}

static void paths_of_4095_bytes_work_and_4096_are_too_many(void **state)
{
    char path[PATH_MAX + 2];
    size_t length = 0;

    (void)state;
    while (length + 2 <= PATH_MAX - 1 - 1) {
        memcpy(path + length, "./", 2);
        length += 2;
    }
    while (length < PATH_MAX - 1)
        path[length++] = 'f';
    path[length] = '\0';
    case_write_text(path, "deep");
    case_expect_text(path, "deep");
    assert_ok(unlink(path));
    path[length++] = 'f';
    path[length] = '\0';
    assert_fails(open(path, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
}

static void directories_nest_deeper_than_any_path_is_long(void **state)
{
    char name[65];

    (void)state;
    memset(name, 'd', sizeof(name));
    name[64] = '\0';
    for (int i = 0; i < depth; i++) {
        assert_ok(mkdir(name, 0755));
        assert_ok(chdir(name));
    }
    case_write_text("bottom", "reached");
    case_expect_text("bottom", "reached");
    assert_ok(unlink("bottom"));
    for (int i = 0; i < depth; i++) { /* the runner's comparison could not reach it */
        assert_ok(chdir(".."));
        assert_ok(rmdir(name));
    }
}

static void targets_of_symlinks_end_at_4095_bytes(void **state)
{
    char target[PATH_MAX + 1], got[PATH_MAX];

    (void)state;
    memset(target, 't', sizeof(target));
    target[PATH_MAX - 1] = '\0';
    if (symlink(target, "longest") == -1 && errno == ENAMETOOLONG && case_is_plain())
        skip(); /* xfs and others stop before */
    assert_int_equal(assert_ok(readlink("longest", got, sizeof(got))), PATH_MAX - 1);
    assert_memory_equal(got, target, PATH_MAX - 1);
    target[PATH_MAX - 1] = 't';
    target[PATH_MAX] = '\0';
    assert_fails(symlink(target, "longer"), ENAMETOOLONG);
}

static void writing_beyond_the_largest_file_is_efbig_and_changes_nothing(void **state)
{
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, "kept", 4)), 4);
    if (pwrite(fd, "x", 1, INT64_MAX - 1) == 1 && case_is_plain())
        skip(); /* tmpfs has no limit of its own */
    assert_fails(pwrite(fd, "x", 1, INT64_MAX - 1), EFBIG);
    assert_fails(pwrite(fd, "x", 1, -1), EINVAL);
    case_expect_fd(fd, "kept", 4);
    if (ftruncate(fd, INT64_MAX) == -1)
        assert_int_equal(errno, EFBIG);
    else
        assert_ok(ftruncate(fd, 4));
    if (fallocate(fd, 0, INT64_MAX - 10, 5) == -1)
        assert_true(errno == EFBIG || errno == ENOSPC);
    else
        assert_ok(ftruncate(fd, 4));
    assert_fails(fallocate(fd, 0, INT64_MAX - 10, 100), EFBIG);
    case_expect_fd(fd, "kept", 4);
    assert_ok(close(fd));
}

static void the_limit_of_the_process_for_file_sizes_is_kept(void **state)
{
    struct rlimit old, low;
    int fd = case_create("file", 0644);

    (void)state;
    assert_ok(getrlimit(RLIMIT_FSIZE, &old));
    low = old;
    low.rlim_cur = 100;
    assert_ok(signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : 0);
    assert_ok(setrlimit(RLIMIT_FSIZE, &low));
    assert_int_equal(assert_ok(pwrite(fd, "0123456789", 10, 95)), 5);
    assert_fails(pwrite(fd, "x", 1, 100), EFBIG);
    assert_fails(ftruncate(fd, 101), EFBIG);
    assert_ok(setrlimit(RLIMIT_FSIZE, &old));
    assert_int_equal(case_fstat(fd).st_size, 100);
    assert_ok(close(fd));
}

static void offsets_and_sizes_at_every_power_of_two_work(void **state)
{
    int fd = case_create("file", 0644);
    char text[8], got[8];

    (void)state;
    for (int power = 12; power <= 43; power++) { /* 8 TiB: ext4 ends at 16 */
        off_t at = (1ll << power) - 3;

        assert_true(snprintf(text, sizeof(text), "2^%-4d", power) == 6);
        assert_int_equal(assert_ok(pwrite(fd, text, 6, at)), 6);
        assert_int_equal(case_fstat(fd).st_size, at + 6);
    }
    for (int power = 12; power <= 43; power++) {
        assert_true(snprintf(text, sizeof(text), "2^%-4d", power) == 6);
        assert_int_equal(assert_ok(pread(fd, got, 6, (1ll << power) - 3)), 6);
        assert_memory_equal(got, text, 6);
    }
    assert_ok(ftruncate(fd, 1 << 20));
    assert_ok(close(fd));
}

static void statvfs_tells_the_longest_name_and_room_for_files(void **state)
{
    struct statvfs room;
    struct statfs type;

    (void)state;
    assert_ok(statvfs(".", &room));
    assert_int_equal(room.f_namemax, name_max);
    assert_true(room.f_frsize > 0 && room.f_blocks > 0);
    assert_true(room.f_bavail <= room.f_bfree && room.f_bfree <= room.f_blocks);
    assert_ok(statfs(".", &type));
    assert_true(type.f_bsize >= 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(names_of_255_bytes_work_and_256_are_too_many),
        CASE_TEST(paths_of_4095_bytes_work_and_4096_are_too_many),
        CASE_TEST(directories_nest_deeper_than_any_path_is_long),
        CASE_TEST(targets_of_symlinks_end_at_4095_bytes),
        CASE_TEST(writing_beyond_the_largest_file_is_efbig_and_changes_nothing),
        CASE_TEST(the_limit_of_the_process_for_file_sizes_is_kept),
        CASE_TEST(offsets_and_sizes_at_every_power_of_two_work),
        CASE_TEST(statvfs_tells_the_longest_name_and_room_for_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
