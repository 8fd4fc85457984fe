/*
 * What damage keeps from being written back: it is told to who wrote it and to nobody else, takes
 * nothing with it that could be written, and is given up when nobody has the file open.
 *
 * Method: files whose segment is lost or has a bit flipped, which are then written to in places
 * that need the old bytes around them. A test that could wait for ever is ended by alarm(2).
 */
#include "store_crash.h"

#include "store/file/committer.h"
#include "store/inode/data.h"
#include "store/read/memory.h"
#include "store/volume.h"

#include "upcall_notes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TIME_LIMIT_S = 60, LOST_FILES = 12, BLOCK = FRAME_BUFFER_SIZE };

static struct upcall_notes upcalls; /* by the volume of the test */

static int set_up(void **state)
{
    struct fixture *fixture;

    (void)alarm(TIME_LIMIT_S);
    if (fixture_set_up_closed(state) != 0)
        return -1;
    fixture = *state;
    fixture->options.upcalls = upcall_notes_begin(&upcalls);
    fixture_open(fixture);
    return 0;
}

static size_t dirty_buffers(struct fixture *fixture)
{
    struct memory_status status;

    memory_get_status(fixture->volume->memory, &status);
    return status.dirty_count;
}

static void lose_segment(struct fixture *fixture, uint64_t number)
{
    char path[600];

    fixture_close(fixture);
    (void)snprintf(path, sizeof(path), "%s/segments/%016llx.seg", fixture->path,
                   (unsigned long long)number);
    assert_int_equal(unlink(path), 0);
    fixture_open(fixture);
}

/* Damages block `block` of the first file that was made, and nothing else. */
static void damage_block(struct fixture *fixture, uint64_t block)
{
    fixture_close(fixture);
    fixture_flip(fixture, 1, 4096 + block * BLOCK + 77); /* behind the header of a plain frame */
    fixture_open(fixture);
}

static void name_of(int i, char name[16])
{
    (void)snprintf(name, 16, "old%d", i);
}

static void make_lost_files(struct fixture *fixture)
{
    char name[16];

    for (int i = 0; i < LOST_FILES; i++) {
        name_of(i, name);
        fixture_make_file(fixture, name, 4 * TFS_MIB, (uint64_t)i);
    }
    lose_segment(fixture, 1);
}

/* A byte in each block of the file. Returns the first error. */
static int64_t touch_blocks(struct tfs_file *file)
{
    int64_t result = 1;

    for (uint64_t block = 0; block < 16 && result == 1; block++)
        result = tfs_file_write(file, block * BLOCK + 1000, "x", 1, 0);
    return result;
}

static void assert_writes(struct fixture *fixture, const char *name, uint64_t seed)
{
    fixture_make_file(fixture, name, 9 * TFS_MIB, seed);
    fixture_assert_file(fixture, name, 9 * TFS_MIB, seed);
}

/* ---- at the last close ---- */

static void a_lost_segment_does_not_end_the_writing_of_others(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *other;
    char name[16];

    make_lost_files(fixture);
    other = fixture_create(fixture, "other");
    for (int i = 0; i < LOST_FILES; i++) {
        struct tfs_file *file;

        name_of(i, name);
        file = fixture_open_file(fixture, name);
        assert_int_equal(touch_blocks(file), 1);
        assert_int_equal(tfs_file_flush(file), -EIO);
        fixture_write(other, (uint64_t)i, "o", 1);
        tfs_file_close(file);
        assert_true(dirty_buffers(fixture) <= 1);
    }
    assert_int_equal(tfs_file_sync(other, false), 0);
    tfs_file_close(other);
    assert_writes(fixture, "new", 99);
    assert_int_equal(commit_all(fixture->volume, true), 0);
    assert_int_equal(tfs_rename(fixture->volume, &(struct tfs_place){TFS_ROOT_INODE, "old0"},
                                &(struct tfs_place){TFS_ROOT_INODE, "moved"}, 0),
                     0);
}

/* Nobody flushed before the last close: the next commit of all finds it. */
static void what_fails_behind_the_last_close_is_given_up_by_a_commit(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    make_lost_files(fixture);
    file = fixture_open_file(fixture, "old0");
    assert_int_equal(touch_blocks(file), 1);
    tfs_file_close(file);
    assert_int_equal(commit_all(fixture->volume, true), -EIO);
    assert_int_equal(dirty_buffers(fixture), 0);
    assert_int_equal(commit_all(fixture->volume, true), 0);
}

static void what_stands_in_blocks_of_its_own_is_written(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    struct tfs_read read;
    uint8_t byte;

    fixture_make_file(fixture, "file", 4 * TFS_MIB, 1);
    damage_block(fixture, 5);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(touch_blocks(file), 1);
    assert_int_equal(tfs_file_flush(file), -EIO);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    for (uint64_t block = 0; block < 16; block++) {
        if (block == 5)
            continue;
        assert_int_equal(fixture_read(file, block * BLOCK + 1000, &byte, 1), 1);
        assert_int_equal(byte, 'x');
    }
    assert_int_equal(tfs_file_read(file, 5 * BLOCK, 1, &read), -EIO);
    tfs_file_close(file);
}

static void what_is_appended_to_a_damaged_end_never_reads_as_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture_make_file(fixture, "file", 4 * TFS_MIB + 100000, 1);
    fixture_close(fixture);
    fixture_flip(fixture, 1, 4096 + 4 * TFS_MIB + 4096); /* the second frame, which is packed */
    fixture_open(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_write_random(file, 4 * TFS_MIB + 100000, TFS_MIB, 2);
    assert_int_equal(tfs_file_flush(file), -EIO);
    tfs_file_close(file);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).size, 4 * TFS_MIB + 100000);
    fixture_assert_random(file, 0, 4 * TFS_MIB, 1);
    tfs_file_close(file);
}

/* ---- what is told of it ---- */

static void assert_told_once(const struct tfs_inode_change *expected)
{
    struct tfs_inode_change found = upcall_notes_last(&upcalls);

    assert_int_equal(upcall_notes_count(&upcalls), 1);
    assert_int_equal(found.inode, expected->inode);
    assert_int_equal(found.from, expected->from);
    assert_int_equal(found.to, expected->to);
    assert_int_equal(found.is_cut, expected->is_cut);
}

static void what_is_given_up_at_the_last_close_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    uint64_t inode;

    fixture_make_file(fixture, "file", 4 * TFS_MIB, 1);
    damage_block(fixture, 5);
    file = fixture_open_file(fixture, "file");
    inode = tfs_file_inode(file);
    assert_int_equal(touch_blocks(file), 1);
    assert_int_equal(tfs_file_flush(file), -EIO);
    assert_int_equal(upcall_notes_count(&upcalls), 0); /* nothing has changed yet */
    tfs_file_close(file);
    assert_told_once(&(struct tfs_inode_change){
        .inode = inode, .from = 5 * BLOCK + 1000, .to = 5 * BLOCK + 1001});
}

static void a_file_that_is_cut_before_what_is_given_up_is_told_to_be_shorter(void **state)
{
    enum { APPENDED = 1000 };
    struct fixture *fixture = *state;
    uint64_t size = 4 * TFS_MIB + 100000;
    struct tfs_file *file;
    uint64_t inode;

    fixture_make_file(fixture, "file", size, 1);
    fixture_close(fixture);
    fixture_flip(fixture, 1, 4096 + 4 * TFS_MIB + 4096);
    fixture_open(fixture);
    file = fixture_open_file(fixture, "file");
    inode = tfs_file_inode(file);
    fixture_write_random(file, size, APPENDED, 2);
    assert_int_equal(tfs_file_flush(file), -EIO);
    tfs_file_close(file);
    assert_int_equal(fixture_attr(fixture, inode).size, size);
    assert_told_once(
        &(struct tfs_inode_change){.inode = inode, .from = size, .to = UINT64_MAX, .is_cut = true});
}

static void what_calls_change_is_not_told(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK),
                     0);
    fixture_truncate(fixture, tfs_file_inode(file), BLOCK);
    tfs_file_close(file);
    fixture_remove_file(fixture, "file");
    fixture_close(fixture);
    assert_int_equal(upcall_notes_count(&upcalls), 0);
}

/* ---- while it is open ---- */

static void a_damaged_file_can_be_restored_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    uint8_t *bytes = malloc(4 * TFS_MIB);

    assert_non_null(bytes);
    fixture_fill(bytes, 4 * TFS_MIB, 1);
    fixture_make_file(fixture, "file", 4 * TFS_MIB, 1);
    damage_block(fixture, 0);
    file = fixture_open_file(fixture, "file");
    fixture_write(file, 0, bytes, BLOCK / 2 + 10);
    assert_int_equal(tfs_file_sync(file, false), -EIO);
    assert_int_equal(tfs_file_sync(file, false), -EIO); /* it still is not on the disk */
    fixture_write(file, BLOCK / 2 + 10, bytes + BLOCK / 2 + 10, BLOCK / 2 - 10);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    free(bytes);
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "file", 4 * TFS_MIB, 1);
}

/* The last close does not drop what the writer has completed behind the last flush. */
static void what_was_completed_is_not_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;
    uint8_t *bytes = malloc(BLOCK);

    assert_non_null(bytes);
    fixture_fill(bytes, BLOCK, 1);
    fixture_make_file(fixture, "file", 4 * TFS_MIB, 1);
    damage_block(fixture, 0);
    file = fixture_open_file(fixture, "file");
    fixture_write(file, 0, bytes, 1000);
    fixture_write(file, 3 * BLOCK, "x", 1);
    assert_int_equal(tfs_file_flush(file), -EIO);
    fixture_write(file, 1000, bytes + 1000, BLOCK - 1000);
    tfs_file_close(file);
    free(bytes);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, 3 * BLOCK, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
}

static void open_damaged_files_leave_memory_to_others(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *files[LOST_FILES];
    int64_t told[LOST_FILES];
    char name[16];

    make_lost_files(fixture);
    for (int i = 0; i < LOST_FILES; i++) { /* all of them together are more than the memory */
        name_of(i, name);
        files[i] = fixture_open_file(fixture, name);
        told[i] = touch_blocks(files[i]);
    }
    assert_writes(fixture, "new", 99);
    assert_true(upcall_notes_count(&upcalls) > 0); /* while the files are open */
    for (int i = 0; i < LOST_FILES; i++) {         /* also when it was given up already */
        int err = tfs_file_flush(files[i]);

        assert_true(told[i] == -EIO || err == -EIO);
        tfs_file_close(files[i]);
    }
    assert_int_equal(dirty_buffers(fixture), 0);
}

#define STUCK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUCK_TEST(a_lost_segment_does_not_end_the_writing_of_others),
        STUCK_TEST(what_fails_behind_the_last_close_is_given_up_by_a_commit),
        STUCK_TEST(what_stands_in_blocks_of_its_own_is_written),
        STUCK_TEST(what_is_appended_to_a_damaged_end_never_reads_as_zeros),
        STUCK_TEST(what_is_given_up_at_the_last_close_is_told),
        STUCK_TEST(a_file_that_is_cut_before_what_is_given_up_is_told_to_be_shorter),
        STUCK_TEST(what_calls_change_is_not_told),
        STUCK_TEST(a_damaged_file_can_be_restored_in_pieces),
        STUCK_TEST(what_was_completed_is_not_given_up),
        STUCK_TEST(open_damaged_files_leave_memory_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
