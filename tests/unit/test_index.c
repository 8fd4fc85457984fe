/*
 * The index as its callers see it: records, batches, guards, scans, what a second opener gets.
 *
 * Method: each test has an index of its own in a new directory under $TMPDIR, removed at the end.
 */
#include "store/index/index.h"
#include "store/base/bytes.h"
#include "store/base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEY_SIZE = 12 };

struct fixture {
    char directory[256];
    char path[300];
    struct tfs_index *index;
    struct index_batch *batch;
};

static void fixture_open(struct fixture *fixture, bool create, bool read_only)
{
    struct index_options options = {
        .path = fixture->path,
        .create = create,
        .read_only = read_only,
        .memory_size_max = 16 * TFS_MIB,
    };

    assert_int_equal(index_open(&options, &fixture->index), 0);
}

static void fixture_close(struct fixture *fixture)
{
    assert_int_equal(index_close(TAKE_PTR(fixture->index)), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");

    assert_non_null(fixture);
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/tfs-index-XXXXXX",
                   parent ? parent : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/index", fixture->directory);
    assert_int_equal(index_batch_new(&fixture->batch), 0);
    fixture_open(fixture, true, false);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
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

/* A key as the store makes them: inode number, then a number within it. */
static const uint8_t *key_of(uint64_t inode, uint32_t number)
{
    static _Thread_local uint8_t key[KEY_SIZE];

    tfs_put_be64(key, inode);
    tfs_put_be32(key + 8, number);
    return key;
}

static void put_text(struct index_batch *batch, uint64_t inode, uint32_t number, const char *text)
{
    index_batch_put(batch, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, text, strlen(text));
}

static int commit_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text,
                       bool durable)
{
    index_batch_clear(fixture->batch);
    put_text(fixture->batch, inode, number, text);
    return index_commit(fixture->index, fixture->batch, durable);
}

static void assert_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text)
{
    struct index_value value;

    assert_int_equal(
        index_get(fixture->index, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, &value), 0);
    assert_int_equal(value.size, strlen(text));
    assert_memory_equal(value.data, text, value.size);
    index_value_release(&value);
    assert_null(value.data);
}

static void assert_absent(struct fixture *fixture, uint64_t inode, uint32_t number)
{
    struct index_value value;

    assert_int_equal(
        index_get(fixture->index, INDEX_EXTENT, key_of(inode, number), KEY_SIZE, &value), -ENOENT);
}

static void a_record_put_is_read_back_before_and_after_a_reopen(void **state)
{
    struct fixture *fixture = *state;

    assert_absent(fixture, 1, 1);
    assert_int_equal(commit_text(fixture, 1, 1, "one", false), 0);
    assert_text(fixture, 1, 1, "one");
    fixture_close(fixture);
    fixture_open(fixture, false, false);
    assert_text(fixture, 1, 1, "one");
    assert_absent(fixture, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_put_is_read_back_before_and_after_a_reopen, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
