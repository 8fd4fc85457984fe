/*
 * What the tests of the check share: a closed store with something of everything in it, its tables
 * to be read and damaged, and a check whose problems are kept.
 */
#ifndef TFS_TEST_CHECK_FIXTURE_H
#define TFS_TEST_CHECK_FIXTURE_H

#include "store_fixture.h"

#include "store/check/check.h"
#include "store/index/index.h"
#include "store/tables/meta.h"

enum { FOUND_MAX = 4096 };

struct found {
    struct tfs_check_result result;
    struct {
        enum tfs_check_kind kind;
        enum tfs_check_outcome outcome;
        uint64_t inode;
        uint64_t offset;
        uint64_t size;
        char path[256];
        char text[320];
    } problems[FOUND_MAX];
    size_t count;
};

/*
 * Closed, with: dir/ (large: 5 MiB, two rows; small: a row with its frame inside), copy (shares the
 * frames of dir/large), link (a second name of dir/small), symlink, dir/deep/deeper/, an attribute
 * of dir/large.
 */
int check_set_up(void **state);

/* The index of the closed store, opened for writing; and closed. */
struct tfs_index *check_open_index(struct fixture *fixture);
void check_close_index(struct tfs_index *index);

/* One change of the index of the closed store. */
void check_plant(struct fixture *fixture, enum index_table table, const void *key, size_t key_size,
                 const void *value, size_t value_size); /* value NULL: the key is deleted */

/* The inode of a path, from the closed store's index. */
uint64_t check_inode_of(struct fixture *fixture, const char *path);
struct meta_inode check_record_of(struct fixture *fixture, uint64_t inode);

/* Change one inode's record. */
void check_plant_record(struct fixture *fixture, uint64_t inode, const struct meta_inode *record);

/* What the checks here have for frames: see struct tfs_check_options. */
extern uint64_t check_frames_size_max;

/* Checks the closed store. Returns what tfs_check() does; *ret is the test's, to be freed. */
int check_run(struct fixture *fixture, bool repair, struct found **ret);

/* The first problem of this kind and outcome; fails the test when there is none. */
size_t check_expect(const struct found *found, enum tfs_check_kind kind,
                    enum tfs_check_outcome outcome);

/* Nothing is wrong; nothing but notes. */
void check_assert_clean(struct fixture *fixture);

/* All files of check_set_up() but the one that is named have what was written; opens and closes the
 * volume. */
void check_assert_content(struct fixture *fixture, const char *but);

/* Found without repair, corrected with it, and gone afterwards; with _all: every file is as it was.
 */
void check_assert_repairs(struct fixture *fixture, enum tfs_check_kind kind);
void check_assert_repairs_all(struct fixture *fixture, enum tfs_check_kind kind);

/* A number as a value; as a setting; and a setting's. */
void check_plant_number(struct fixture *fixture, enum index_table table, const void *key,
                        size_t key_size, uint64_t number);
void check_plant_setting(struct fixture *fixture, const char *name, uint64_t number);
uint64_t check_setting_of(struct fixture *fixture, const char *name);

/* A checksum over all records of all tables. */
uint64_t check_sum_of_index(struct fixture *fixture);

#endif
