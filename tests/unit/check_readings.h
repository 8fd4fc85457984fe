/*
 * What tests of the check at random share: what can be read of a store that was damaged, before a
 * repair and after it.
 */
#ifndef TFS_TEST_CHECK_READINGS_H
#define TFS_TEST_CHECK_READINGS_H

#include "check_fixture.h"

enum { READING_UNITS_MAX = 64, READING_FILES_MAX = 4, READING_UNIT_SIZE = 128 * 1024 };

struct reading_unit {
    uint32_t crc;
    uint32_t size; /* 0: not, or behind the end */
};

struct reading {
    bool opened;
    struct reading_unit units[READING_FILES_MAX][READING_UNITS_MAX];
};

/* Reads every file by its number, on a read-only volume, which may be refused. `inodes` ends with
 * 0. */
void reading_take(struct fixture *fixture, const uint64_t *inodes, struct reading *ret);

/* All that was read before is read again, the same. */
void reading_assert_nothing_lost(const struct reading *before, const struct reading *after);

/* A check ends, a repair leaves no error, and the one after it corrects nothing and finds the same
 * unreadable. */
void check_assert_converges(struct fixture *fixture);

/* A copy of the closed store, under one path, of which `ret` is the fixture. Not torn down. */
void check_copy_store(const struct fixture *original, struct fixture *ret);

/* check_set_up() with names that stand in the same order each time: their hashes' seed is known,
 * and repair sorts them. */
int check_set_up_known(void **state);

#endif
