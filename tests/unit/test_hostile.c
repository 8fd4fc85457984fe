/*
 * A store with hostile or damaged rows is served as far as it can be, and loses nothing that a
 * repair would bring back.
 *
 * Method: rows are planted in the index of a closed store with something of everything in it, the
 * volume is used, and what was there is read after a repair.
 */
#include "check_fixture.h"

#include "store/index/index.h"
#include "store/space/reclaim.h"
#include "store/volume.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOST_COUNT = 60000 };

static void repair(struct fixture *fixture)
{
    struct found *found;

    assert_int_equal(check_run(fixture, true, &found), 0);
    assert_int_equal(found->result.left, 0);
    free(found);
    check_assert_clean(fixture);
}

static void plant_links(struct fixture *fixture, uint64_t inode, uint32_t links)
{
    struct meta_inode record = check_record_of(fixture, inode);

    record.nlink = links;
    check_plant_record(fixture, inode, &record);
}

/* ---- segments without a row ---- */

/* Of a store that did not end in order, or of one that did. */
static void lose_segment_rows(struct fixture *fixture, bool is_clean)
{
    uint8_t key[META_SEGMENT_KEY_SIZE];

    check_plant_setting(fixture, "clean", is_clean);
    check_plant_setting(fixture, "resume_segment", 0);
    for (uint64_t segment = 1; segment < 9; segment++) {
        meta_segment_key(segment, key);
        check_plant(fixture, INDEX_SEGMENT, key, sizeof(key), NULL, 0);
    }
}

static bool is_swept(void *context)
{
    struct fixture *fixture = context;

    return reclaim_is_swept(fixture->volume->reclaim);
}

static void use_without_segment_rows(struct fixture *fixture, bool is_clean)
{
    fixture_open(fixture);
    fixture_make_file(fixture, "goes", 4 * TFS_MIB, 1);
    fixture_make_file(fixture, "stays", 4 * TFS_MIB, 2);
    fixture_close(fixture);
    lose_segment_rows(fixture, is_clean);
    fixture_open(fixture);
    fixture_wait(is_swept, fixture);
    fixture_assert_file(fixture, "stays", 4 * TFS_MIB, 2);
    fixture_remove_file(fixture, "goes");
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    fixture_wait(is_swept, fixture);
    fixture_assert_file(fixture, "stays", 4 * TFS_MIB, 2);
    fixture_remove_file(fixture, "stays");
    fixture_close(fixture);
    repair(fixture);
    check_assert_content(fixture, NULL);
}

static void a_segment_whose_row_is_lost_keeps_what_is_in_use(void **state)
{
    use_without_segment_rows(*state, true);
}

static void a_segment_whose_row_is_lost_keeps_what_is_in_use_after_a_crash(void **state)
{
    use_without_segment_rows(*state, false);
}

/* ---- what is purged ---- */

/* The kernel looks a file up, changes its mode and its bytes, and lets go of it. */
static void use_and_forget(struct fixture *fixture, const char *name)
{
    struct tfs_setattr change = {.fields = TFS_SET_MODE, .mode = 0600};
    uint64_t inode = fixture_lookup(fixture, TFS_ROOT_INODE, name);
    struct tfs_file *file = fixture_open_file(fixture, name);
    uint8_t byte;
    struct tfs_attr attr;

    assert_int_equal(fixture_read(file, 0, &byte, 1), 1);
    fixture_write(file, 0, &byte, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), 0);
    tfs_forget(fixture->volume, inode, 100);
}

static void a_file_without_links_that_has_a_name_is_not_purged(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");

    plant_links(fixture, inode, 0);
    fixture_open(fixture);
    use_and_forget(fixture, "copy");
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    repair(fixture);
    assert_int_equal(check_record_of(fixture, inode).nlink, 1);
    check_assert_content(fixture, NULL);
}

static void removing_a_name_of_a_file_without_links_counts_none_below_zero(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "link");

    plant_links(fixture, inode, 0);
    fixture_open(fixture);
    assert_int_equal(fixture_lookup(fixture, TFS_ROOT_INODE, "link"), inode);
    assert_int_equal(tfs_unlink(fixture->volume, TFS_ROOT_INODE, "link"), 0);
    tfs_forget(fixture->volume, inode, 1);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    assert_int_equal(check_record_of(fixture, inode).nlink, 0);
    repair(fixture);
    check_assert_content(fixture, "link");
}

static void the_root_is_never_purged(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];

    plant_links(fixture, TFS_ROOT_INODE, 0);
    meta_inode_key(TFS_ROOT_INODE, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), "", 0);
    fixture_open(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_reopen(fixture);
    reclaim_hurry(fixture->volume->reclaim);
    fixture_close(fixture);
    assert_true(S_ISDIR(check_record_of(fixture, TFS_ROOT_INODE).mode));
    repair(fixture);
    check_assert_content(fixture, NULL);
}

/* ---- keys and numbers ---- */

/* Past what the index takes from us: RocksDB takes more. */
static void plant_long_key(struct fixture *fixture)
{
    static const char *const names[] = {"inode", "dentry", "extent", "xattr",  "segment",
                                        "share", "orphan", "super",  "default"};
    enum { COUNT = TFS_ARRAY_COUNT(names) };
    rocksdb_options_t *options = rocksdb_options_create();
    const rocksdb_options_t *family_options[COUNT];
    rocksdb_column_family_handle_t *families[COUNT];
    rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
    char *message = NULL;
    char key[3000];
    char path[500];
    rocksdb_t *db;

    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < COUNT; i++)
        family_options[i] = options;
    (void)snprintf(path, sizeof(path), "%s/index/SEAL", fixture->path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/index", fixture->path);
    db = rocksdb_open_column_families(options, path, COUNT, names, family_options, families,
                                      &message);
    assert_null(message);
    for (size_t i = 0; i + 2 < COUNT; i++) /* one of `super` is a setting of another version */
        rocksdb_put_cf(db, write_options, families[i], key, sizeof(key), "v", 1, &message);
    assert_null(message);
    for (size_t i = 0; i < COUNT; i++)
        rocksdb_column_family_handle_destroy(families[i]);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(write_options);
    rocksdb_options_destroy(options);
}

static void a_key_longer_than_any_of_ours_is_removed_by_a_repair(void **state)
{
    struct fixture *fixture = *state;

    plant_long_key(fixture);
    repair(fixture);
    check_assert_content(fixture, NULL);
}

static void a_key_that_is_none_hides_no_row_behind_it(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    uint8_t key[META_EXTENT_KEY_SIZE + 1] = {0};
    struct tfs_file *file;

    fixture_open(fixture);
    file = fixture_open_file(fixture, "copy");
    fixture_write_random(file, 40 * TFS_MIB, TFS_MIB, 5);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_close(fixture);
    meta_extent_key(inode, 5, key);
    check_plant(fixture, INDEX_EXTENT, key, sizeof(key), "", 0);
    fixture_open(fixture);
    file = fixture_open_file(fixture, "copy");
    assert_true(tfs_file_seek(file, 8 * TFS_MIB, SEEK_DATA) == 40 * TFS_MIB);
    fixture_truncate(fixture, inode, 8 * TFS_MIB);
    fixture_truncate(fixture, inode, 41 * TFS_MIB);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_assert_zeros(file, 40 * TFS_MIB, TFS_MIB);
    tfs_file_close(file);
    fixture_close(fixture);
    repair(fixture);
    check_assert_content(fixture, "copy");
}

/* Directories whose records are lost, and inodes behind them. */
static void plant_lost_directories(struct fixture *fixture, uint64_t inode)
{
    struct meta_inode record = check_record_of(fixture, inode);
    struct tfs_index *index = check_open_index(fixture);
    struct index_batch *batch;

    record.size = 0;
    record.stored_bytes = 0;
    assert_int_equal(index_batch_new(&batch), 0);
    for (uint64_t i = 0; i < LOST_COUNT; i++) {
        struct meta_dentry entry = {inode, S_IFREG};
        uint8_t key[META_DENTRY_KEY_SIZE_MAX];
        uint8_t value[META_INODE_SIZE_MAX];
        size_t size = meta_dentry_key(1000 + i, 77, "x", key);

        meta_dentry_encode(&entry, value);
        index_batch_put(batch, INDEX_DENTRY, key, size, value, META_DENTRY_VALUE_SIZE);
        meta_inode_key(1000 + LOST_COUNT + i, key);
        index_batch_put(batch, INDEX_INODE, key, META_INODE_KEY_SIZE, value,
                        meta_inode_encode(&record, NULL, value));
    }
    assert_int_equal(index_commit(index, batch, false), 0);
    index_batch_free(batch);
    check_close_index(index);
}

static void what_many_lost_directories_take_grows_with_their_number(void **state)
{
    struct fixture *fixture = *state;
    struct found *found;

    plant_lost_directories(fixture, check_inode_of(fixture, "copy"));
    (void)alarm(60); /* it was two minutes on a fast machine, and is a second or two */
    assert_int_equal(check_run(fixture, false, &found), 0);
    (void)alarm(0);
    assert_true(found->result.left >= 2 * LOST_COUNT);
    free(found);
}

#define HOSTILE_TEST(name) cmocka_unit_test_setup_teardown(name, check_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTILE_TEST(a_segment_whose_row_is_lost_keeps_what_is_in_use),
        HOSTILE_TEST(a_segment_whose_row_is_lost_keeps_what_is_in_use_after_a_crash),
        HOSTILE_TEST(a_file_without_links_that_has_a_name_is_not_purged),
        HOSTILE_TEST(removing_a_name_of_a_file_without_links_counts_none_below_zero),
        HOSTILE_TEST(the_root_is_never_purged),
        HOSTILE_TEST(a_key_longer_than_any_of_ours_is_removed_by_a_repair),
        HOSTILE_TEST(a_key_that_is_none_hides_no_row_behind_it),
        HOSTILE_TEST(what_many_lost_directories_take_grows_with_their_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
