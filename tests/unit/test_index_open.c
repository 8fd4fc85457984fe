/*
 * Opening: who may, what is refused and with which error, what a crash leaves, what a reader leaves
 * alone.
 */
#include "test_index_fixture.h"

#include "store/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned error_lines;

static void error_lines_count(enum tfs_log_level level, const char *message)
{
    (void)message;
    error_lines += level == TFS_LOG_ERROR;
}

/* Expects this error from an open and at most one line about it. */
static void assert_refused(const struct fixture *fixture, bool read_only, int error, unsigned lines)
{
    struct tfs_index *index = NULL;

    error_lines = 0;
    tfs_log_set_sink(error_lines_count);
    assert_int_equal(fixture_try_open(fixture, false, read_only, &index), error);
    tfs_log_set_sink(NULL);
    assert_null(index);
    assert_int_equal(error_lines, lines);
}

static void an_index_that_is_not_there_is_not_made_unless_asked(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_index *index;
    char path[300];

    fixture_close(fixture);
    memcpy(path, fixture->path, sizeof(path));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/none", fixture->directory);
    assert_refused(fixture, false, -ENOENT, 0);
    assert_refused(fixture, true, -ENOENT, 0);
    assert_int_not_equal(access(fixture->path, F_OK), 0);

    /* A directory with nothing in it is no index either. */
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_refused(fixture, false, -ENOENT, 0);
    assert_int_equal(fixture_try_open(fixture, true, false, &index), 0);
    assert_int_equal(index_close(index), 0);

    /* Its parent must exist. */
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/no/index", fixture->directory);
    assert_int_equal(fixture_try_open(fixture, true, false, &index), -ENOENT);
    memcpy(fixture->path, path, sizeof(path));
}

static void creating_over_an_index_opens_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    fixture_close(fixture);
    assert_int_equal(fixture_try_open(fixture, true, false, &fixture->index), 0);
    assert_text(fixture, 1, 1, "one");
}

static void an_index_that_is_open_is_busy_in_this_process_and_in_another(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    assert_refused(fixture, false, -EBUSY, 1);
    assert_refused(fixture, true, -EBUSY, 1);
    assert_killed(run_again("find it busy", fixture->path, NULL));
    assert_text(fixture, 1, 1, "one"); /* the one who has it does not notice */
}

static void several_readers_share_an_index_and_keep_writers_out(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_index *second;

    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    fixture_close(fixture);
    fixture_open(fixture, true);
    assert_int_equal(fixture_try_open(fixture, false, true, &second), 0);
    assert_text(fixture, 1, 1, "one");
    assert_refused(fixture, false, -EBUSY, 1);
    assert_int_equal(index_close(second), 0);
}

/* Names, sizes and times of all that is in the directory, and its own times. */
static uint64_t directory_fingerprint(const struct fixture *fixture)
{
    DIR *directory = opendir(fixture->path);
    const struct dirent *entry;
    struct stat status;
    uint64_t sum = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        uint64_t hash = 14695981039346656037ull;

        if (strcmp(entry->d_name, "..") == 0)
            continue;
        for (const char *c = entry->d_name; *c; c++)
            hash = (hash ^ (uint8_t)*c) * 1099511628211ull;
        assert_int_equal(fstatat(dirfd(directory), entry->d_name, &status, 0), 0);
        hash += (uint64_t)status.st_size * 31 + (uint64_t)status.st_mtim.tv_nsec * 37 +
                (uint64_t)status.st_ctim.tv_nsec * 41 + (uint64_t)status.st_blocks * 43;
        sum += hash * hash;
    }
    (void)closedir(directory);
    return sum;
}

static void commit_some(struct fixture *fixture)
{
    for (uint32_t i = 0; i < 100; i++)
        if (commit_text(fixture, 5, i, "kept", false) < 0)
            _exit(1);
}

static void commit_some_and_crash(const struct fixture *fixture)
{
    assert_killed(run_again("commit some", fixture->path, NULL));
}

static void commits_that_returned_survive_kill_9(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    commit_some_and_crash(fixture);
    fixture_open(fixture, false);
    for (uint32_t i = 0; i < 100; i++)
        assert_text(fixture, 5, i, "kept");
    assert_absent(fixture, 5, 100);
}

static void a_reader_after_a_crash_sees_all_and_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;

    fixture_close(fixture);
    commit_some_and_crash(fixture);
    before = directory_fingerprint(fixture);
    fixture_open(fixture, true);
    for (uint32_t i = 0; i < 100; i++)
        assert_text(fixture, 5, i, "kept");
    assert_int_equal(commit_text(fixture, 6, 6, "six", false), -EROFS);
    assert_int_equal(commit_text(fixture, 6, 6, "six", true), -EROFS);
    assert_int_equal(index_sync(fixture->index), 0);
    assert_absent(fixture, 6, 6);
    fixture_close(fixture);
    assert_int_equal(directory_fingerprint(fixture), before);
}

static uint32_t count_kept(struct fixture *fixture)
{
    struct index_value value;
    uint32_t count = 0;

    while (index_get(fixture->index, INDEX_EXTENT, key_of(5, count), KEY_SIZE, &value) == 0) {
        index_value_release(&value);
        count++;
    }
    for (uint32_t i = count; i < 100; i++)
        assert_absent(fixture, 5, i);
    return count;
}

static off_t file_size(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void a_torn_log_leaves_a_prefix_of_the_batches_wherever_it_is_torn(void **state)
{
    struct fixture *fixture = *state;
    char log[600];
    off_t size;

    fixture_close(fixture);
    for (int part = 0; part < 4; part++) {
        commit_some_and_crash(fixture);
        newest_file(fixture, ".log", log, sizeof(log));
        size = file_size(log);
        assert_true(size > 100);
        assert_int_equal(truncate(log, size * (part + 1) / 5 + 3), 0);
        fixture_open(fixture, false);
        print_message("log torn at %d/5: %u of 100 batches\n", part + 1, count_kept(fixture));
        assert_in_range(count_kept(fixture), part * 20, 99);
        index_batch_clear(fixture->batch);
        for (uint32_t i = 0; i < 100; i++)
            index_batch_delete(fixture->batch, INDEX_EXTENT, key_of(5, i), KEY_SIZE);
        assert_int_equal(index_commit(fixture->index, fixture->batch, true), 0);
        fixture_close(fixture);
    }
}

static void overwrite(const char *path, off_t offset, size_t size)
{
    uint8_t *bytes = malloc(size);
    int fd = open(path, O_WRONLY);

    assert_non_null(bytes);
    assert_true(fd >= 0);
    memset(bytes, 0x5a, size);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    assert_int_equal(close(fd), 0);
    free(bytes);
}

static void pages_of_the_log_lost_in_the_middle_end_the_replay_there(void **state)
{
    struct fixture *fixture = *state;
    char log[600];
    uint32_t kept;

    fixture_close(fixture);
    commit_some_and_crash(fixture);
    newest_file(fixture, ".log", log, sizeof(log));
    overwrite(log, 2000, 100); /* as if one page had not reached the disk and the next one had */
    fixture_open(fixture, false);
    kept = count_kept(fixture);
    assert_in_range(kept, 1, 98);
}

static void a_closed_index_has_nothing_in_its_log_that_could_be_lost(void **state)
{
    struct fixture *fixture = *state;
    char log[600];

    commit_some(fixture);
    fixture_close(fixture);
    newest_file(fixture, ".log", log, sizeof(log));
    overwrite(log, 0, 100);
    fixture_open(fixture, false);
    assert_int_equal(count_kept(fixture), 100);
}

static void a_damaged_manifest_is_reported_as_corrupt(void **state)
{
    struct fixture *fixture = *state;
    char current[400];

    fixture_close(fixture);
    (void)snprintf(current, sizeof(current), "%s/CURRENT", fixture->path);
    overwrite(current, 0, 8);
    assert_refused(fixture, false, -EUCLEAN, 1);
    assert_refused(fixture, true, -EUCLEAN, 1);
}

static void a_manifest_that_lost_its_end_after_closing_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    char command[600];

    commit_some(fixture);
    fixture_close(fixture);
    (void)snprintf(command, sizeof(command), "truncate -s -1 '%s'/MANIFEST-*", fixture->path);
    assert_int_equal(system(command), 0);
    assert_refused(fixture, true, -EUCLEAN, 1);
    assert_refused(fixture, false, -EUCLEAN, 1);
}

/* Expects this error from an open, a reason that says so, and no line in the log. */
static void assert_reason(const struct fixture *fixture, bool read_only, int error,
                          const char *wanted)
{
    struct index_reason reason = {.text = ""};
    struct index_options options = {.path = fixture->path,
                                    .read_only = read_only,
                                    .memory_size_max = 16 * TFS_MIB,
                                    .reason = &reason};
    struct tfs_index *index;

    error_lines = 0;
    tfs_log_set_sink(error_lines_count);
    assert_int_equal(index_open(&options, &index), error);
    tfs_log_set_sink(NULL);
    assert_int_equal(error_lines, 0);
    if (!strstr(reason.text, wanted))
        fail_msg("'%s' does not say '%s'", reason.text, wanted);
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
    return access(path, F_OK) == 0;
}

static void an_open_that_fails_names_the_file_and_leaves_the_seal(void **state)
{
    struct fixture *fixture = *state;
    char path[600];
    char away[620];

    commit_some(fixture);
    fixture_close(fixture);
    newest_file(fixture, ".sst", path, sizeof(path));
    (void)snprintf(away, sizeof(away), "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    for (int i = 0; i < 2; i++) {
        assert_reason(fixture, true, -EUCLEAN, strrchr(path, '/'));
        assert_reason(fixture, false, -EUCLEAN, strrchr(path, '/'));
        assert_true(is_there(fixture, "SEAL"));
    }
    assert_int_equal(rename(away, path), 0);
    fixture_open(fixture, false);
    assert_false(is_there(fixture, "SEAL"));
    assert_int_equal(count_kept(fixture), 100);
}

static void an_index_without_current_is_not_begun_anew(void **state)
{
    struct fixture *fixture = *state;
    char command[700];

    commit_some(fixture);
    fixture_close(fixture);
    (void)snprintf(command, sizeof(command), "cd '%s' && rm CURRENT LOCK", fixture->path);
    assert_int_equal(system(command), 0);
    assert_reason(fixture, false, -EUCLEAN, "CURRENT");
    (void)snprintf(command, sizeof(command), "rm '%s/SEAL'", fixture->path);
    assert_int_equal(system(command), 0);
    assert_reason(fixture, false, -ENOENT, "CURRENT is missing");
    assert_reason(fixture, true, -ENOENT, "CURRENT is missing");
    assert_false(is_there(fixture, "LOCK"));
}

static void a_damaged_table_file_is_reported_by_the_read_that_meets_it(void **state)
{
    struct fixture *fixture = *state;
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_record record;
    struct index_scan *scan;
    struct index_value value;
    char path[600];
    int err;

    commit_some(fixture);
    fixture_close(fixture);
    newest_file(fixture, ".sst", path, sizeof(path));
    overwrite(path, 20, 8);
    fixture_open(fixture, false);
    error_lines = 0;
    tfs_log_set_sink(error_lines_count);
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(index_get(fixture->index, INDEX_EXTENT, key_of(5, i), KEY_SIZE, &value),
                         -EUCLEAN);
    tfs_log_set_sink(NULL);
    assert_int_equal(error_lines, 1);
    assert_int_equal(index_scan_open(fixture->index, &range, &scan), 0);
    do
        err = index_scan_next(scan, &record);
    while (err == 1);
    assert_int_equal(err, -EUCLEAN);
    index_scan_close(scan);
    index_batch_clear(fixture->batch);
    index_batch_guard_absent(fixture->batch, INDEX_EXTENT, key_of(5, 1), KEY_SIZE);
    put_text(fixture->batch, 5, 1, "again");
    assert_int_equal(index_commit(fixture->index, fixture->batch, false), -EUCLEAN);
}

static void closing_and_freeing_accept_null(void **state)
{
    (void)state;
    assert_int_equal(index_close(NULL), 0);
    index_batch_free(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

/* What run_again() asks for. */
static int run_action(const char *action, const char *path)
{
    struct fixture fixture = {.path = ""};
    struct tfs_index *index;

    (void)snprintf(fixture.path, sizeof(fixture.path), "%s", path);
    if (strcmp(action, "commit some") == 0) {
        if (index_batch_new(&fixture.batch) < 0 ||
            fixture_try_open(&fixture, false, false, &fixture.index) < 0)
            return 1;
        commit_some(&fixture);
        die_as_killed();
    }
    tfs_log_set_sink(error_lines_count);
    if (fixture_try_open(&fixture, false, false, &index) == -EBUSY &&
        fixture_try_open(&fixture, false, true, &index) == -EBUSY)
        die_as_killed();
    return 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(an_index_that_is_not_there_is_not_made_unless_asked),
        TEST(creating_over_an_index_opens_it),
        TEST(an_index_that_is_open_is_busy_in_this_process_and_in_another),
        TEST(several_readers_share_an_index_and_keep_writers_out),
        TEST(commits_that_returned_survive_kill_9),
        TEST(a_reader_after_a_crash_sees_all_and_writes_nothing),
        TEST(a_torn_log_leaves_a_prefix_of_the_batches_wherever_it_is_torn),
        TEST(pages_of_the_log_lost_in_the_middle_end_the_replay_there),
        TEST(a_closed_index_has_nothing_in_its_log_that_could_be_lost),
        TEST(a_damaged_manifest_is_reported_as_corrupt),
        TEST(a_manifest_that_lost_its_end_after_closing_is_noticed),
        TEST(an_open_that_fails_names_the_file_and_leaves_the_seal),
        TEST(an_index_without_current_is_not_begun_anew),
        TEST(a_damaged_table_file_is_reported_by_the_read_that_meets_it),
        cmocka_unit_test(closing_and_freeing_accept_null),
    };

    if (argc == 3)
        return run_action(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
