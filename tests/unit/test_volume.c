/*
 * Opening and closing volumes: what is refused and what the user is told, that a refused or
 * read-only open leaves no trace, and what a volume says of itself.
 *
 * Method: a trace is a list of every path below the store with its size, times and content's
 * checksum.
 */
#include "store_fixture.h"

#include "store/base/crc32c.h"
#include "store/report.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t watched; /* a folder, and whether it was synced */
static bool was_synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && status.st_ino == watched)
        was_synced = true;
    return __real_fsync(fd);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void path_in_store(struct fixture *fixture, const char *name, char path[500])
{
    (void)snprintf(path, 500, "%s/%s", fixture->path, name); /* fits: both are short */
}

/* ---- traces ---- */

static uint32_t trace_sum; /* nftw() passes no context */

static int add_to_trace(const char *path, const struct stat *status, int type, struct FTW *where)
{
    uint8_t bytes[65536];
    ssize_t size = 0;
    int fd = S_ISREG(status->st_mode) ? open(path, O_RDONLY | O_NOATIME | O_CLOEXEC) : -1;

    trace_sum = tfs_crc32c(trace_sum, path, strlen(path));
    trace_sum = tfs_crc32c(trace_sum, &status->st_size, sizeof(status->st_size));
    trace_sum = tfs_crc32c(trace_sum, &status->st_mtim, sizeof(status->st_mtim));
    trace_sum = tfs_crc32c(trace_sum, &status->st_ctim, sizeof(status->st_ctim));
    while (fd >= 0 && (size = read(fd, bytes, sizeof(bytes))) > 0)
        trace_sum = tfs_crc32c(trace_sum, bytes, (size_t)size);
    if (fd >= 0)
        (void)close(fd); /* read-only, nothing to lose */
    return size < 0;
}

static uint32_t trace_of(const char *path)
{
    trace_sum = 0;
    assert_int_equal(nftw(path, add_to_trace, 16, FTW_PHYS), 0);
    return trace_sum;
}

static void assert_refused(struct fixture *fixture, int error, const char *part)
{
    int err = fixture_try_open(fixture);

    if (err == 0)
        fixture_close(fixture);
    assert_int_equal(err, error);
    if (!strstr(fixture->message.text, part))
        fail_msg("'%s' does not say '%s'", fixture->message.text, part);
    assert_null(strchr(fixture->message.text, '\n'));
}

/* ---- options ---- */

static void each_option_out_of_its_limits_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_volume_options good = fixture->options;

    fixture->options.chunk_size = 128;
    assert_refused(fixture, -EINVAL, "chunk_size");
    fixture->options.chunk_size = 128 * TFS_MIB;
    assert_refused(fixture, -EINVAL, "chunk_size");
    fixture->options.chunk_size = 3000;
    assert_refused(fixture, -EINVAL, "chunk_size");
    fixture->options = good;
    fixture->options.compression = (struct codec_spec){CODEC_ZSTD, 20};
    assert_refused(fixture, -EINVAL, "compression");
    fixture->options = good;
    fixture->options.concurrency = 0;
    assert_refused(fixture, -EINVAL, "concurrency");
    fixture->options.concurrency = TFS_CONCURRENCY_MAX + 1;
    assert_refused(fixture, -EINVAL, "concurrency");
    fixture->options = good;
    fixture->options.memory_size = TFS_MEMORY_SIZE_MIN - 1;
    assert_refused(fixture, -EINVAL, "memory");
    fixture->options = good;
    fixture->options.cache_size = fixture->options.memory_size + 1;
    assert_refused(fixture, -EINVAL, "cache");
    assert_int_equal(access(fixture->path, F_OK), -1); /* nothing was touched */
}

static void options_at_their_limits_are_taken(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.chunk_size = TFS_CHUNK_SIZE_MIN;
    fixture->options.concurrency = 1;
    fixture->options.threads = 1;
    fixture->options.cache_size = fixture->options.memory_size;
    fixture_open(fixture);
    fixture_close(fixture);
    fixture->options.chunk_size = TFS_CHUNK_SIZE_MAX;
    fixture->options.concurrency = TFS_CONCURRENCY_MAX;
    fixture->options.threads = 0;
    fixture->options.cache_size = 1;
    fixture_open(fixture);
}

/* ---- what is not there, or something else ---- */

static void a_store_is_made_only_when_asked_to(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.create = false;
    assert_refused(fixture, -ENOENT, fixture->path);
    fixture->options.path = fixture->directory;
    assert_refused(fixture, -EMEDIUMTYPE, "not a tensorfs store");
    fixture->options.path = fixture->path;
    fixture->options.create = true;
    fixture_open(fixture);
    fixture_close(fixture);
    fixture->options.create = false;
    fixture_open(fixture);
}

/* Else a power cut could take the whole store, with all that was synced in it. */
static void the_name_of_a_new_store_is_durable(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    assert_int_equal(stat(fixture->directory, &status), 0);
    watched = status.st_ino;
    was_synced = false;
    fixture_open(fixture);
    assert_true(was_synced);
    watched = 0;
}

static void a_directory_of_other_files_is_not_touched(void **state)
{
    struct fixture *fixture = *state;
    char path[500];
    uint32_t trace;

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    path_in_store(fixture, "thesis.tex", path);
    write_file(path, "precious");
    trace = trace_of(fixture->path);
    assert_refused(fixture, -EMEDIUMTYPE, "not a tensorfs store");
    assert_int_equal(trace_of(fixture->path), trace);
}

static void a_file_is_no_store(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture->path, "text");
    assert_refused(fixture, -ENOTDIR, fixture->path);
}

static void a_store_below_a_missing_directory_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[500];

    path_in_store(fixture, "below", path);
    fixture->options.path = path;
    assert_refused(fixture, -ENOENT, path);
    fixture->options.path = fixture->path;
}

static void a_format_of_another_version_is_refused_and_not_touched(void **state)
{
    static const char *const lines[] = {
        "tensorfs 2 00112233-4455-6677-8899-aabbccddeeff 0 0\n",
        "tensorfs 1 00112233-4455-6677-8899-aabbccddeeff 10 0\n",
    };
    struct fixture *fixture = *state;
    char path[500];

    fixture_open(fixture);
    fixture_close(fixture);
    path_in_store(fixture, "FORMAT", path);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(lines); i++) {
        uint32_t trace;

        write_file(path, lines[i]);
        trace = trace_of(fixture->path);
        assert_refused(fixture, -EPROTONOSUPPORT, i ? "unknown here" : "version 2");
        assert_int_equal(trace_of(fixture->path), trace);
    }
    write_file(path, "something else\n");
    assert_refused(fixture, -EMEDIUMTYPE, "FORMAT file is something else");
    write_file(path, "");
    assert_refused(fixture, -EMEDIUMTYPE, "not a tensorfs store");
}

static void a_store_that_was_never_finished_is_finished(void **state)
{
    struct fixture *fixture = *state;
    char path[500];

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    path_in_store(fixture, "FORMAT.new", path);
    write_file(path, "tensorfs 1 00112233-4455-6677-8899-aabbccddeeff 0 0\n");
    fixture->options.create = false;
    assert_refused(fixture, -EMEDIUMTYPE, "never finished");
    fixture->options.create = true;
    path_in_store(fixture, "segments", path);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_open(fixture);
    assert_int_equal(tfs_volume_uuid(fixture->volume)[15],
                     0xff); /* the one that it had begun with */
    fixture_reopen(fixture);
    assert_int_equal(tfs_volume_uuid(fixture->volume)[15], 0xff);
}

static void an_index_that_is_missing_is_told(void **state)
{
    struct fixture *fixture = *state;
    char command[700];

    fixture_open(fixture);
    fixture_close(fixture);
    (void)snprintf(command, sizeof(command), "rm -r '%s/index'", fixture->path);
    assert_int_equal(system(command), 0);
    assert_refused(fixture, -ENOENT, "cannot open the index of the store");
    assert_refused(fixture, -ENOENT, "it is missing");
}

/* ---- locks ---- */

static void a_store_has_one_writer(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_volume *first;

    fixture_open(fixture);
    first = TAKE_PTR(fixture->volume);
    assert_refused(fixture, -EBUSY, "in use by process ");
    fixture->options.read_only = true;
    assert_refused(fixture, -EBUSY, "in use by process ");
    assert_int_equal(tfs_volume_close(first), 0);
    fixture_open(fixture);
}

static void a_store_has_many_readers_and_then_no_writer(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_volume *first;

    fixture_open(fixture);
    fixture_close(fixture);
    fixture->options.read_only = true;
    fixture_open(fixture);
    first = TAKE_PTR(fixture->volume);
    fixture_open(fixture);
    fixture_close(fixture);
    fixture->options.read_only = false;
    assert_refused(fixture, -EBUSY, "in use by process ");
    assert_int_equal(tfs_volume_close(first), 0);
}

static void an_open_waits_for_a_lock_as_long_as_it_is_told(void **state)
{
    struct fixture *fixture = *state;
    int fd;

    fixture_open(fixture);
    fixture_close(fixture);
    fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    fixture->options.lock_wait_ms = 60;
    assert_refused(fixture, -EBUSY, "in use by process ");
    (void)close(fd); /* gives the lock up */
    fixture_open(fixture);
}

/* ---- a store that came to no use ---- */

static void fill_store(struct fixture *fixture)
{
    struct tfs_file *file;

    fixture_open(fixture);
    file = fixture_create(fixture, "file");
    fixture_write_random(file, 0, 3 * TFS_MIB, 1);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    (void)fixture_make(fixture, TFS_ROOT_INODE, "directory", S_IFDIR | 0755);
    (void)fixture_make(fixture, TFS_ROOT_INODE, "link", S_IFLNK);
    fixture_close(fixture);
}

static void a_store_that_came_to_no_use_is_removed(void **state)
{
    struct fixture *fixture = *state;
    char sub[500];

    path_in_store(fixture, "theirs", sub);
    fixture_open(fixture);
    assert_true(tfs_volume_is_new(fixture->volume));
    assert_int_equal(tfs_volume_discard(fixture->volume), 0);
    assert_int_equal(access(fixture->path, F_OK), -1);

    /* A directory that was there before stays, and so does what others have put into it. */
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    fixture_open(fixture);
    assert_int_equal(tfs_volume_discard(fixture->volume), 0);
    fixture->volume = NULL;
    assert_int_equal(rmdir(fixture->path), 0);
    fixture_open(fixture);
    write_file(sub, "theirs");
    assert_int_equal(tfs_volume_discard(fixture->volume), 0);
    fixture->volume = NULL;
    assert_int_equal(unlink(sub), 0);
    assert_int_equal(rmdir(fixture->path), 0);
    assert_int_equal(tfs_volume_discard(NULL), 0);
}

static void a_store_that_was_there_before_is_never_removed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    char name[500];

    path_in_store(fixture, "FORMAT", name);
    fill_store(fixture);
    fixture_open(fixture);
    assert_false(tfs_volume_is_new(fixture->volume));
    assert_int_equal(tfs_volume_discard(fixture->volume), 0);
    fixture->volume = NULL;

    fixture_open(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, 3 * TFS_MIB, 1);
    tfs_file_close(file);
    fixture_close(fixture);
    assert_int_equal(access(name, F_OK), 0);
}

/* ---- read-only ---- */

static void assert_all_changes_are_refused(struct fixture *fixture, struct tfs_file *file)
{
    static const char byte = 'x';
    struct tfs_volume *volume = fixture->volume;
    struct tfs_make what = {.mode = S_IFREG | 0644};
    struct tfs_setattr change = {.fields = TFS_SET_MODE | TFS_SET_SIZE};
    struct tfs_xattr xattr = {.name = "user.a", .value = "b", .size = 1};
    struct tfs_place from = {TFS_ROOT_INODE, "file"};
    struct tfs_place to = {TFS_ROOT_INODE, "other"};
    struct tfs_copy copy = {.source = file, .target = file, .target_offset = TFS_MIB, .size = 1};
    uint64_t inode = tfs_file_inode(file);
    struct tfs_file *writable;
    struct tfs_attr attr;

    assert_int_equal(tfs_make(volume, TFS_ROOT_INODE, "new", &what, &attr), -EROFS);
    assert_int_equal(tfs_make_unnamed(volume, TFS_ROOT_INODE, &what, &attr), -EROFS);
    assert_int_equal(tfs_setattr(volume, inode, &change, &attr), -EROFS);
    assert_int_equal(tfs_setxattr(volume, inode, &xattr), -EROFS);
    assert_int_equal(tfs_removexattr(volume, inode, "user.a"), -EROFS);
    assert_int_equal(tfs_rename(volume, &from, &to, 0), -EROFS);
    assert_int_equal(tfs_link(volume, inode, TFS_ROOT_INODE, "new", &attr), -EROFS);
    assert_int_equal(tfs_unlink(volume, TFS_ROOT_INODE, "file"), -EROFS);
    assert_int_equal(tfs_rmdir(volume, TFS_ROOT_INODE, "directory"), -EROFS);
    assert_int_equal(tfs_file_open(volume, inode, O_RDWR, &writable), -EROFS);
    assert_int_equal(tfs_file_open(volume, inode, O_RDONLY | O_TRUNC, &writable), -EROFS);
    assert_int_equal(tfs_file_write(file, 0, &byte, 1, 0), -EROFS);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, 1), -EROFS);
    assert_int_equal(tfs_file_copy(&copy), -EROFS);
}

static bool count_entry(void *context, const struct tfs_directory_entry *entry)
{
    int *count = context;

    (*count)++;
    return true;
}

static void a_read_only_volume_reads_all_and_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    char target[TFS_SYMLINK_SIZE_MAX + 1];
    struct tfs_file *file;
    int entries = 0;
    uint32_t trace;
    struct tfs_file_info info;

    fill_store(fixture);
    trace = trace_of(fixture->path);
    fixture->options.read_only = true;
    fixture_open(fixture);
    assert_int_equal(tfs_file_open(fixture->volume, fixture_lookup(fixture, TFS_ROOT_INODE, "file"),
                                   O_RDONLY, &file),
                     0);
    fixture_assert_random(file, 0, 3 * TFS_MIB, 1);
    assert_int_equal(
        tfs_readlink(fixture->volume, fixture_lookup(fixture, TFS_ROOT_INODE, "link"), target), 0);
    assert_string_equal(target, "target");
    assert_int_equal(tfs_readdir(fixture->volume, TFS_ROOT_INODE, 0, true, count_entry, &entries),
                     0);
    assert_int_equal(entries, 5);
    assert_int_equal(tfs_volume_get_file_info(fixture->volume, tfs_file_inode(file), &info), 0);
    assert_all_changes_are_refused(fixture, file);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    tfs_file_close(file);
    fixture_close(fixture);
    assert_int_equal(trace_of(fixture->path), trace);
}

static void a_read_only_open_of_nothing_makes_nothing(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.read_only = true;
    assert_refused(fixture, -ENOENT, fixture->path);
    assert_int_equal(access(fixture->path, F_OK), -1);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_refused(fixture, -EMEDIUMTYPE, "not a tensorfs store");
}

/* ---- what a volume says of itself ---- */

static void a_volume_keeps_its_uuid(void **state)
{
    struct fixture *fixture = *state;
    uint8_t uuid[16];

    fixture_open(fixture);
    memcpy(uuid, tfs_volume_uuid(fixture->volume), sizeof(uuid));
    assert_int_equal(uuid[6] >> 4, 4); /* RFC 9562: version 4, variant 10 */
    assert_int_equal(uuid[8] >> 6, 2);
    fixture_reopen(fixture);
    assert_memory_equal(uuid, tfs_volume_uuid(fixture->volume), sizeof(uuid));
}

static void statfs_tells_of_the_disk_beneath(void **state)
{
    struct fixture *fixture = *state;
    struct statvfs disk;
    struct statvfs status;

    fixture_open(fixture);
    assert_int_equal(statvfs(fixture->path, &disk), 0);
    assert_int_equal(tfs_volume_statfs(fixture->volume, &status), 0);
    assert_int_equal(status.f_blocks * status.f_frsize, disk.f_blocks * disk.f_frsize);
    assert_true(status.f_bavail * status.f_frsize <= disk.f_bavail * disk.f_frsize);
    assert_int_equal(status.f_namemax, TFS_NAME_SIZE_MAX);
    assert_true(status.f_ffree > 0);
}

static uint64_t used_of(const struct statvfs *status)
{
    return (uint64_t)(status->f_blocks - status->f_bfree) * status->f_frsize;
}

/* What the disk keeps for root, and we for the index, is free and not available: df(1) counts it
 * neither as used nor as available. */
static void what_is_kept_back_is_not_used(void **state)
{
    struct fixture *fixture = *state;
    struct statvfs before;
    struct statvfs after;
    struct statvfs status;
    uint64_t most;

    fixture_open(fixture);
    assert_int_equal(statvfs(fixture->path, &before), 0);
    assert_int_equal(tfs_volume_statfs(fixture->volume, &status), 0);
    assert_int_equal(statvfs(fixture->path, &after), 0);
    assert_true(status.f_bfree > status.f_bavail); /* at least our own reserve */
    assert_true(status.f_bfree <= status.f_blocks);
    /* Others use this disk too; the reserve is 12 MiB at least. */
    most = tfs_max_u64(used_of(&before), used_of(&after));
    assert_in_range(used_of(&status), 0, most + 8 * TFS_MIB);
}

static void a_closed_volume_has_all_that_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture_open(fixture);
    file = fixture_create(fixture, "file"); /* never flushed */
    fixture_write_random(file, 0, 5 * TFS_MIB + 7, 1);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 5 * TFS_MIB + 7);
    fixture_assert_random(file, 0, 5 * TFS_MIB + 7, 1);
    tfs_file_close(file);
    assert_int_equal(tfs_volume_close(NULL), 0);
}

#define VOLUME_TEST(name)                                                                          \
    cmocka_unit_test_setup_teardown(name, fixture_set_up_closed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VOLUME_TEST(each_option_out_of_its_limits_is_refused),
        VOLUME_TEST(options_at_their_limits_are_taken),
        VOLUME_TEST(a_store_is_made_only_when_asked_to),
        VOLUME_TEST(the_name_of_a_new_store_is_durable),
        VOLUME_TEST(a_directory_of_other_files_is_not_touched),
        VOLUME_TEST(a_file_is_no_store),
        VOLUME_TEST(a_store_below_a_missing_directory_is_refused),
        VOLUME_TEST(a_format_of_another_version_is_refused_and_not_touched),
        VOLUME_TEST(a_store_that_was_never_finished_is_finished),
        VOLUME_TEST(an_index_that_is_missing_is_told),
        VOLUME_TEST(a_store_has_one_writer),
        VOLUME_TEST(a_store_has_many_readers_and_then_no_writer),
        VOLUME_TEST(an_open_waits_for_a_lock_as_long_as_it_is_told),
        VOLUME_TEST(a_store_that_came_to_no_use_is_removed),
        VOLUME_TEST(a_store_that_was_there_before_is_never_removed),
        VOLUME_TEST(a_read_only_volume_reads_all_and_writes_nothing),
        VOLUME_TEST(a_read_only_open_of_nothing_makes_nothing),
        VOLUME_TEST(a_volume_keeps_its_uuid),
        VOLUME_TEST(statfs_tells_of_the_disk_beneath),
        VOLUME_TEST(what_is_kept_back_is_not_used),
        VOLUME_TEST(a_closed_volume_has_all_that_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
