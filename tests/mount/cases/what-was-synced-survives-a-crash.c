/*
 * CASE: fsync, fdatasync, directory fsync, O_SYNC and O_DSYNC make durable what they cover
 *
 * "crash" is SIGKILL of the daemon, then a mount: whatever the daemon still held in memory is gone.
 */
#include "tests/mount/case.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { size = 2500003 };

static char *some_content(uint64_t seed)
{
    char *content = case_buffer(size);

    case_fill(content, size, seed);
    return content;
}

static void sync_directory(const char *path)
{
    int fd = (int)assert_ok(open(path, O_RDONLY | O_DIRECTORY));

    assert_ok(fsync(fd));
    assert_ok(close(fd));
}

static void fsync_makes_a_new_file_durable_with_its_name(void **state)
{
    char *content = some_content(1);
    int fd = case_create("file", 0640);

    (void)state;
    assert_int_equal(assert_ok(write(fd, content, size)), size);
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, size);
    assert_int_equal(case_stat("file").st_mode, S_IFREG | 0640);
    free(content);
}

static void fdatasync_makes_data_and_size_durable(void **state)
{
    char *content = some_content(2);
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, content, 1000)), 1000);
    assert_ok(fsync(fd));
    assert_int_equal(assert_ok(write(fd, content + 1000, size - 1000)), size - 1000);
    assert_ok(fdatasync(fd));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, size);
    free(content);
}

static void fsync_covers_what_another_handle_wrote(void **state)
{
    char *content = some_content(3);
    int writer = case_create("file", 0644);
    int other = (int)assert_ok(open("file", O_RDONLY));

    (void)state;
    assert_int_equal(assert_ok(write(writer, content, size)), size);
    assert_ok(fsync(other));
    assert_ok(close(writer));
    assert_ok(close(other));
    case_control("crash");
    case_expect_file("file", content, size);
    free(content);
}

static void fsync_makes_an_overwrite_in_place_durable(void **state)
{
    char *content = some_content(4);
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, content, size)), size);
    assert_ok(fsync(fd));
    for (int i = 0; i < 20; i++) {
        case_fill(content + i * 100000 + 77, 5000, (uint64_t)i);
        assert_int_equal(assert_ok(pwrite(fd, content + i * 100000 + 77, 5000, i * 100000 + 77)),
                         5000);
    }
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, size);
    free(content);
}

static void fsync_makes_truncation_and_holes_durable(void **state)
{
    char *content = some_content(5);
    int fd = case_create("file", 0644);

    (void)state;
    assert_int_equal(assert_ok(write(fd, content, size)), size);
    assert_ok(fsync(fd));
    assert_ok(ftruncate(fd, 1500000));
    assert_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10000, 700000));
    memset(content + 10000, 0, 700000);
    assert_ok(ftruncate(fd, 1600000));
    memset(content + 1500000, 0, 100000);
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    case_control("crash");
    case_expect_file("file", content, 1600000);
    free(content);
}

static void fsync_makes_attributes_durable(void **state)
{
    struct timespec times[2] = {{.tv_sec = 100, .tv_nsec = 1}, {.tv_sec = 200, .tv_nsec = 2}};
    int fd = case_create("file", 0644);
    char value[8] = "";
    struct stat seen;

    (void)state;
    assert_ok(fchmod(fd, 0600));
    assert_ok(fchown(fd, CASE_NOBODY, CASE_OTHER));
    assert_ok(fsetxattr(fd, "user.step", "100", 3, 0));
    assert_ok(futimens(fd, times));
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    case_control("crash");
    seen = case_stat("file");
    assert_int_equal(seen.st_mode, S_IFREG | 0600);
    assert_int_equal(seen.st_uid, CASE_NOBODY);
    assert_int_equal(seen.st_gid, CASE_OTHER);
    assert_int_equal(seen.st_mtim.tv_sec, 200);
    assert_int_equal(seen.st_mtim.tv_nsec, 2);
    assert_int_equal(assert_ok(getxattr("file", "user.step", value, sizeof(value))), 3);
    assert_string_equal(value, "100");
}

static void fsync_of_a_directory_makes_its_names_durable(void **state)
{
    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_text("directory/old", "old");
    case_write_text("directory/gone", "gone");
    assert_ok(link("directory/old", "directory/second"));
    assert_ok(symlink("second", "directory/link"));
    assert_ok(mkdir("directory/below", 0777));
    assert_ok(rename("directory/old", "directory/new"));
    assert_ok(unlink("directory/gone"));
    sync_directory("directory");
    case_control("crash");
    case_expect_text("directory/new", "old");
    case_expect_text("directory/link", "old");
    assert_true(S_ISDIR(case_stat("directory/below").st_mode));
    case_expect_absent("directory/old");
    case_expect_absent("directory/gone");
    assert_int_equal(case_stat("directory/new").st_nlink, 2);
}

static void writes_with_o_sync_and_o_dsync_are_durable_one_by_one(void **state)
{
    static const int flags[] = {O_SYNC, O_DSYNC};
    char name[16];

    (void)state;
    for (int i = 0; i < 2; i++) {
        int fd;

        assert_true(snprintf(name, sizeof(name), "log-%d", i) > 0);
        fd = (int)assert_ok(open(name, O_WRONLY | O_CREAT | O_APPEND | flags[i], 0644));
        assert_int_equal(assert_ok(write(fd, "first ", 6)), 6);
        assert_int_equal(assert_ok(write(fd, "second", 6)), 6);
        assert_ok(close(fd));
    }
    case_control("crash");
    case_expect_text("log-0", "first second");
    case_expect_text("log-1", "first second");
}

static void removal_that_was_synced_is_not_undone(void **state)
{
    char *content = some_content(7);

    (void)state;
    assert_ok(mkdir("directory", 0777));
    case_write_file("directory/file", content, size);
    sync_directory("directory");
    assert_ok(unlink("directory/file"));
    assert_ok(mkdir("other", 0777));
    assert_ok(rmdir("other"));
    sync_directory("directory");
    sync_directory(".");
    case_control("crash");
    case_expect_absent("directory/file");
    case_expect_absent("other");
    free(content);
}

/* torch.save's way in a trainer: temporary name, fsync, rename, fsync of the directory. */
static void the_whole_ritual_of_a_careful_saver_holds(void **state)
{
    char *old = some_content(8), *new = some_content(9);
    int fd;

    (void)state;
    case_write_file("last.ckpt", old, size);
    fd = case_create("last.ckpt.tmp", 0644);
    assert_int_equal(assert_ok(write(fd, new, size)), size);
    assert_ok(fsync(fd));
    assert_ok(close(fd));
    assert_ok(rename("last.ckpt.tmp", "last.ckpt"));
    sync_directory(".");
    case_control("crash");
    case_expect_file("last.ckpt", new, size);
    case_expect_absent("last.ckpt.tmp");
    free(old);
    free(new);
}

static void sync_calls_answer_on_every_kind_of_handle(void **state)
{
    int fd;

    (void)state;
    case_write_text("file", "x");
    fd = (int)assert_ok(open("file", O_RDONLY));
    assert_ok(fsync(fd));
    assert_ok(fdatasync(fd));
    assert_ok(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    assert_ok(close(fd));
    fd = (int)assert_ok(open("file", O_WRONLY | O_APPEND));
    assert_ok(fsync(fd));
    assert_ok(unlink("file"));
    assert_ok(fsync(fd));
    assert_ok(fdatasync(fd));
    assert_ok(close(fd));
    fd = (int)assert_ok(open(".", O_RDONLY));
    assert_ok(fdatasync(fd));
    assert_ok(syncfs(fd));
    assert_ok(close(fd));
    sync();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_TEST(fsync_makes_a_new_file_durable_with_its_name),
        CASE_TEST(fdatasync_makes_data_and_size_durable),
        CASE_TEST(fsync_covers_what_another_handle_wrote),
        CASE_TEST(fsync_makes_an_overwrite_in_place_durable),
        CASE_TEST(fsync_makes_truncation_and_holes_durable),
        CASE_TEST(fsync_makes_attributes_durable),
        CASE_TEST(fsync_of_a_directory_makes_its_names_durable),
        CASE_TEST(writes_with_o_sync_and_o_dsync_are_durable_one_by_one),
        CASE_TEST(removal_that_was_synced_is_not_undone),
        CASE_TEST(the_whole_ritual_of_a_careful_saver_holds),
        CASE_TEST(sync_calls_answer_on_every_kind_of_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
