/*
 * What the tests of the store share: a new volume in a directory below the build folder, opened
 * through the public API, and short ways to make, write and read files in it.
 *
 * Everything here asserts with cmocka, so it is for the thread that runs the test.
 */
#ifndef TFS_TEST_STORE_FIXTURE_H
#define TFS_TEST_STORE_FIXTURE_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    char directory[400]; /* new and empty but for the store */
    char path[440];      /* of the store */
    struct tfs_volume_options options;
    struct tfs_message message; /* of the last open that failed */
    struct tfs_volume *volume;  /* NULL while it is closed */
};

/* A new directory; no volume yet. The options are small: 64 MiB of memory, two workers, and commits
 * only when they are asked for, so that a test decides what is durable. */
int fixture_set_up_closed(void **state);

/* The same with an open volume. */
int fixture_set_up(void **state);
int fixture_set_up_with(void **state, const struct index_engine *index,
                        const struct segment_engine *segments); /* NULL: the volume's own */
int fixture_tear_down(void **state); /* fails the test when closing does */

/* Open with fixture->options as they are now; and the same where it may fail. */
void fixture_open(struct fixture *fixture);
int fixture_try_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);

/* Bytes that the segments take on the disk. */
uint64_t fixture_allocated(const struct fixture *fixture);

/* The flags of incompatible features in the store's FORMAT, enum format_feature. */
uint32_t fixture_features(const struct fixture *fixture);

/* A segment's file, to be closed; and a bit of it flipped, seen by who reads it from now on. */
int fixture_open_segment(const struct fixture *fixture, uint64_t number);
void fixture_flip(const struct fixture *fixture, uint64_t segment, uint64_t offset);

/* Wait until `done` says so; fails the test after half a minute. */
void fixture_wait(bool (*done)(void *context), void *context);

/* What is made here belongs to nobody's lookup count but the volume's own until it is closed. */
uint64_t fixture_make(struct fixture *fixture, uint64_t parent, const char *name, uint32_t mode);
uint64_t fixture_lookup(struct fixture *fixture, uint64_t parent, const char *name);
struct tfs_attr fixture_attr(struct fixture *fixture, uint64_t inode);
void fixture_assert_same_attr(const struct tfs_attr *a, const struct tfs_attr *b);
void fixture_truncate(struct fixture *fixture, uint64_t inode, uint64_t size);

/* A new file in the root, opened for reading and writing; one that is there. */
struct tfs_file *fixture_create(struct fixture *fixture, const char *name);
struct tfs_file *fixture_open_file(struct fixture *fixture, const char *name);

/* All of it is written. */
void fixture_write(struct tfs_file *file, uint64_t offset, const void *bytes, size_t size);

/* Reads until `size` bytes or the end, in requests of any size; returns how many. */
size_t fixture_read(struct tfs_file *file, uint64_t offset, void *bytes, size_t size);

/* `size` bytes that depend on every bit of the seed and do not compress; the same, written; and
 * compared. */
void fixture_fill(void *bytes, size_t size, uint64_t seed);
void fixture_write_random(struct tfs_file *file, uint64_t offset, size_t size, uint64_t seed);
void fixture_assert_random(struct tfs_file *file, uint64_t offset, size_t size, uint64_t seed);
void fixture_assert_zeros(struct tfs_file *file, uint64_t offset, size_t size);

/* Whole files of fixture_fill()'s bytes in the root: written and synced; compared, size too;
 * removed, with what the kernel would know of it. */
void fixture_make_file(struct fixture *fixture, const char *name, uint64_t size, uint64_t seed);
void fixture_assert_file(struct fixture *fixture, const char *name, uint64_t size, uint64_t seed);
void fixture_remove_file(struct fixture *fixture, const char *name);

/* Numbers for random tests. The seed is $TFS_TEST_SEED or new, and is printed by a test that fails:
 * see fixture_seed(). */
uint64_t fixture_seed(void);
uint64_t fixture_dice(uint64_t *state);
uint64_t fixture_dice_below(uint64_t *state, uint64_t below);

#endif
