/*
 * What the tests of the index share: an index of its own for each test in a new directory under
 * $TMPDIR (or in memory, when the environment has TFS_TEST_INDEX_ENGINE=memory), keys as the store
 * makes them, and short ways to put and to check a text.
 */
#ifndef TFS_TEST_INDEX_FIXTURE_H
#define TFS_TEST_INDEX_FIXTURE_H

#include "store/index/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>

#include <cmocka.h>

enum { KEY_SIZE = 12 };

struct fixture {
    char directory[256];
    char path[300];
    struct tfs_index *index;
    struct index_batch *batch;
};

/* Whether the engine is not RocksDB but the one of memory_index.h. */
bool fixture_is_in_memory(void);

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

int fixture_try_open(const struct fixture *fixture, bool create, bool read_only,
                     struct tfs_index **ret);
void fixture_open(struct fixture *fixture, bool read_only);
void fixture_close(struct fixture *fixture);

/* Inode number, then a number within it. Valid until the thread's next call. */
const uint8_t *key_of(uint64_t inode, uint32_t number);

/* All of these use the table INDEX_EXTENT. */
void put_text(struct index_batch *batch, uint64_t inode, uint32_t number, const char *text);
int commit_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text,
                bool durable);
void assert_text(struct fixture *fixture, uint64_t inode, uint32_t number, const char *text);
void assert_absent(struct fixture *fixture, uint64_t inode, uint32_t number);

/* The newest file of the index whose name ends so, for example ".log". */
void newest_file(const struct fixture *fixture, const char *suffix, char *ret_path, size_t size);

/*
 * Run this program again with the arguments `action` and `path`, before it has any thread of
 * RocksDB, which a fork alone would lose. Its main() gives them to a function that does the action
 * and then ends with die_as_killed(), or waits to be killed.
 *
 * ret_output: when not NULL, the reading end of its standard output; the caller closes it.
 */
pid_t run_again(const char *action, const char *path, int *ret_output);
_Noreturn void die_as_killed(void);
void assert_killed(pid_t pid);

#endif
