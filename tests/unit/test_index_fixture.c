#include "test_index_fixture.h"

#include "store/base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int fixture_try_open(const struct fixture *fixture, bool create, bool read_only,
                     struct tfs_index **ret)
{
    struct index_options options = {
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

void run_and_kill(void (*child)(struct fixture *fixture), struct fixture *fixture)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child(fixture);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
