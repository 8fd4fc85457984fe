/*
 * RocksDB's errors are texts. Each kind that the adapter tells apart is provoked here with RocksDB
 * itself, so that a new version with other words fails this test and not a user. What cannot be
 * provoked (a failing disk) is given as text.
 */
#include "store/index/rocksdb_internal.h"
#include "test_index_fixture.h"

#include "small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Opens with RocksDB alone, no adapter between. Returns: what the adapter makes of the message; 0
 * without one.
 */
static int open_plain(const char *path, bool create, bool read_only, rocksdb_t **ret)
{
    rocksdb_options_t *options = rocksdb_options_create();
    char *message = NULL;

    rocksdb_options_set_create_if_missing(options, create);
    *ret = read_only ? rocksdb_open_for_read_only(options, path, 0, &message)
                     : rocksdb_open(options, path, &message);
    rocksdb_options_destroy(options);
    if (message)
        print_message("%s\n", message);
    return rocks_status_take(message, "open");
}

static void plain_path(const struct fixture *fixture, char *ret, size_t size)
{
    assert_true((size_t)snprintf(ret, size, "%s/plain", fixture->directory) < size);
}

static void no_message_is_success(void **state)
{
    (void)state;
    assert_int_equal(rocks_status_take(NULL, "nothing"), 0);
}

static void a_missing_database_is_enoent(void **state)
{
    char path[400];
    rocksdb_t *db;

    plain_path(*state, path, sizeof(path));
    assert_int_equal(open_plain(path, false, false, &db), -ENOENT);
}

static void a_database_opened_twice_is_ebusy(void **state)
{
    char path[400];
    rocksdb_t *first;
    rocksdb_t *second;

    plain_path(*state, path, sizeof(path));
    assert_int_equal(open_plain(path, true, false, &first), 0);
    assert_int_equal(open_plain(path, false, false, &second), -EBUSY);
    rocksdb_close(first);
}

/* Opens, says so on standard output and waits to be killed. */
static int open_and_wait(const char *path)
{
    rocksdb_t *db;

    if (open_plain(path, true, false, &db) < 0 || write(STDOUT_FILENO, "!", 1) != 1)
        return 1;
    for (;;)
        (void)pause();
}

static void a_database_open_in_another_process_is_ebusy(void **state)
{
    char path[400];
    char byte = 0;
    rocksdb_t *db;
    int output;
    pid_t pid;

    plain_path(*state, path, sizeof(path));
    pid = run_again("open and wait", path, &output);
    assert_int_equal(read(output, &byte, 1), 1);
    assert_int_equal(byte, '!');
    assert_int_equal(open_plain(path, false, false, &db), -EBUSY);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_killed(pid);
    assert_int_equal(close(output), 0);
}

static void a_damaged_database_is_euclean(void **state)
{
    char path[400];
    char current[500];
    rocksdb_t *db;
    int fd;

    plain_path(*state, path, sizeof(path));
    assert_int_equal(open_plain(path, true, false, &db), 0);
    rocksdb_close(db);
    (void)snprintf(current, sizeof(current), "%s/CURRENT", path);
    fd = open(current, O_WRONLY);
    assert_int_equal(pwrite(fd, "XXXXXXXX", 8, 0), 8);
    assert_int_equal(close(fd), 0);
    assert_int_equal(open_plain(path, false, false, &db), -EUCLEAN);
}

static void a_column_family_too_many_is_euclean(void **state)
{
    struct fixture *fixture = *state;
    rocksdb_t *db;

    /* Ours, opened by somebody who knows only the default family. */
    fixture_close(fixture);
    assert_int_equal(open_plain(fixture->path, false, false, &db), -EUCLEAN);
    fixture_open(fixture, false);
}

static void a_column_family_that_is_missing_is_euclean(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = *fixture;
    struct tfs_index *index;
    rocksdb_t *db;

    plain_path(fixture, other.path, sizeof(other.path));
    assert_int_equal(open_plain(other.path, true, false, &db), 0);
    rocksdb_close(db);
    assert_int_equal(fixture_try_open(&other, false, false, &index), -EUCLEAN);
}

static void a_write_to_a_read_only_database_is_erofs(void **state)
{
    char path[400];
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_t *db;

    plain_path(*state, path, sizeof(path));
    assert_int_equal(open_plain(path, true, false, &db), 0);
    rocksdb_close(db);
    assert_int_equal(open_plain(path, false, true, &db), 0);
    rocksdb_put(db, options, "k", 1, "v", 1, &message);
    assert_non_null(message);
    print_message("%s\n", message);
    assert_int_equal(rocks_status_take(message, "put"), -EROFS);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(options);
}

static void a_full_disk_is_enospc(void **state)
{
    struct fixture *fixture = *state;
    char mount_point[400];
    char path[500];
    char *message = NULL;
    static char value[65536];
    rocksdb_writeoptions_t *options;
    rocksdb_t *db;

    (void)snprintf(mount_point, sizeof(mount_point), "%s/mnt", fixture->directory);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (small_disk_mount(SMALL_DISK_TMPFS, mount_point, 16 * TFS_MIB) < 0) {
        print_message("no small disk, root is needed\n");
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s/db", mount_point);
    assert_int_equal(open_plain(path, true, false, &db), 0);
    options = rocksdb_writeoptions_create();
    for (int i = 0; i < 1024 && !message; i++)
        rocksdb_put(db, options, (const char *)&i, sizeof(i), value, sizeof(value), &message);
    assert_non_null(message);
    print_message("%s\n", message);
    assert_int_equal(rocks_status_take(message, "put"), -ENOSPC);
    rocksdb_writeoptions_destroy(options);
    rocksdb_close(db);
    small_disk_unmount(mount_point);
}

static void the_errno_at_the_end_of_an_io_error_decides(void **state)
{
    char path[400];
    rocksdb_t *db;
    int fd;

    /* Provoked: a path through a file. Its errno (ENOTDIR) is none of those told apart. */
    plain_path(*state, path, sizeof(path));
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(open_plain(path, true, false, &db), -EIO);

    assert_int_equal(rocks_status_parse("IO error: While pread: /x/1.sst: Input/output error"),
                     -EIO);
    assert_int_equal(rocks_status_parse("IO error: While open: /x/LOCK: Permission denied"),
                     -EACCES);
    assert_int_equal(rocks_status_parse("IO error: While unlink: /x: Operation not permitted"),
                     -EACCES);
    assert_int_equal(rocks_status_parse("IO error: While mkdir: /x: Read-only file system"),
                     -EROFS);
    assert_int_equal(rocks_status_parse("IO error: While append: /x: Disk quota exceeded"),
                     -ENOSPC);
    assert_int_equal(rocks_status_parse("IO error: While open: /x: Too many open files"), -EMFILE);
    assert_int_equal(rocks_status_parse("IO error: While open: /Permission denied/x: Bad"), -EIO);
}

static void words_that_nobody_knows_are_eio(void **state)
{
    (void)state;
    assert_int_equal(rocks_status_parse(""), -EIO);
    assert_int_equal(rocks_status_parse("No space left on device"), -ENOSPC);
    assert_int_equal(rocks_status_parse("Something new"), -EIO);
    assert_int_equal(rocks_status_parse("Invalid argument: whatever"), -EINVAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_is_success),
        TEST(a_missing_database_is_enoent),
        TEST(a_database_opened_twice_is_ebusy),
        TEST(a_database_open_in_another_process_is_ebusy),
        TEST(a_damaged_database_is_euclean),
        TEST(a_column_family_too_many_is_euclean),
        TEST(a_column_family_that_is_missing_is_euclean),
        TEST(a_write_to_a_read_only_database_is_erofs),
        TEST(a_full_disk_is_enospc),
        TEST(the_errno_at_the_end_of_an_io_error_decides),
        cmocka_unit_test(words_that_nobody_knows_are_eio),
    };

    if (argc == 3)
        return open_and_wait(argv[2]);
    if (small_disk_enter() < 0)
        print_message("no mount namespace, root is needed\n"); /* the test skips itself */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
