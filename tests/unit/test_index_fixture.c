#include "test_index_fixture.h"

#include "memory_index.h"
#include "store/base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool fixture_is_in_memory(void)
{
    const char *engine = getenv("TFS_TEST_INDEX_ENGINE");

    return engine && strcmp(engine, "memory") == 0;
}

int fixture_try_open(const struct fixture *fixture, bool create, bool read_only,
                     struct tfs_index **ret)
{
    struct index_options options = {
        .engine = fixture_is_in_memory() ? &index_memory : NULL,
        .path = fixture->path,
        .create = create,
        .read_only = read_only,
        .memory_size_max = 16 * TFS_MIB,
    };

    return index_open(&options, ret);
}

void fixture_open(struct fixture *fixture, bool read_only)
{
    assert_int_equal(fixture_try_open(fixture, false, read_only, &fixture->index), 0);
}

void fixture_close(struct fixture *fixture)
{
    assert_int_equal(index_close(TAKE_PTR(fixture->index)), 0);
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");

    assert_non_null(fixture);
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/tfs-index-XXXXXX",
                   parent ? parent : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/index", fixture->directory);
    assert_int_equal(index_batch_new(&fixture->batch), 0);
    assert_int_equal(fixture_try_open(fixture, true, false, &fixture->index), 0);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[400];
    int err = index_close(fixture->index);

    index_batch_free(fixture->batch);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    if (system(command) != 0)
        err = -EIO;
    free(fixture);
    memory_index_forget_all();
    return err;
}

const uint8_t *key_of(uint64_t inode, uint32_t number)
{
    static _Thread_local uint8_t key[KEY_SIZE];

    tfs_put_be64(key, inode);
    tfs_put_be32(key + 8, number);
    return key;
}

void put_text(struct index_batch *batch, uint64_t inode, uint32_t number, const char *text)
{
    index_batch_put(batch, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, text, strlen(text));
}

int commit_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text,
                bool durable)
{
    index_batch_clear(fixture->batch);
    put_text(fixture->batch, inode, number, text);
    return index_commit(fixture->index, fixture->batch, durable);
}

void assert_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text)
{
    struct index_value value;

    assert_int_equal(
        index_get(fixture->index, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, &value), 0);
    assert_int_equal(value.size, strlen(text));
    assert_memory_equal(value.data, text, value.size);
    index_value_release(&value);
    assert_null(value.data);
}

void assert_absent(struct fixture *fixture, uint64_t inode, uint32_t number)
{
    struct index_value value;

    assert_int_equal(
        index_get(fixture->index, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, &value), -ENOENT);
}

void newest_file(const struct fixture *fixture, const char *suffix, char *ret_path, size_t size)
{
    char newest[256] = "";
    DIR *directory = opendir(fixture->path);
    const struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        size_t length = strlen(entry->d_name);

        /* RocksDB numbers its files with leading zeros, so the greatest name is the newest. */
        if (length > strlen(suffix) &&
            strcmp(entry->d_name + length - strlen(suffix), suffix) == 0 &&
            strcmp(entry->d_name, newest) > 0)
            memcpy(newest, entry->d_name, length + 1);
    }
    (void)closedir(directory);
    assert_string_not_equal(newest, "");
    assert_true((size_t)snprintf(ret_path, size, "%s/%s", fixture->path, newest) < size);
}

pid_t run_again(const char *action, const char *path, int *ret_output)
{
    int output[2] = {-1, -1};
    pid_t pid;

    if (ret_output)
        assert_int_equal(pipe(output), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (ret_output)
            (void)dup2(output[1], STDOUT_FILENO);
        (void)execl("/proc/self/exe", "test", action, path, (char *)NULL);
        _exit(127);
    }
    if (ret_output) {
        assert_int_equal(close(output[1]), 0);
        *ret_output = output[0];
    }
    return pid;
}

void die_as_killed(void)
{
    (void)kill(getpid(), SIGKILL);
    _exit(127);
}

void assert_killed(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/*
 * ThreadSanitizer does not see inside RocksDB, which is not instrumented, and takes its locking for
 * races.
 */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb.so\n"
           "called_from_lib:libstdc++.so\n"
           "race:librocksdb.so\n"
           "deadlock:librocksdb.so\n";
}
#endif
