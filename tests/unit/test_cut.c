/*
 * Truncation of files with many rows: a cut is one record, and what stood behind it is garbage
 * that nobody ever sees again, also when the file grows over it, also after a crash.
 *
 * Method: the removal of cut-off rows is wrapped. A test keeps the background from coming, so that
 * they stay as after a crash, or lets batches remove one row at a time, so that small files go
 * through what large ones do. Copies of the store are what a crash would leave.
 */
#include "check_fixture.h"
#include "store_crash.h"

#include "store/file/committer.h"
#include "store/index/index.h"
#include "store/inode/cut.h"
#include "store/inode/data.h"
#include "store/space/reclaim.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { ROW = 256 * 1024, ROWS = 1500, BYTES = 16 };

static atomic_bool hold_background;
static unsigned rows_a_batch; /* 0: as many as there may be */

int __real_cut_purge(struct tfs_volume *volume, uint64_t inode);
int __wrap_cut_purge(struct tfs_volume *volume, uint64_t inode);
int __real_cut_put(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                   unsigned count_max, struct index_batch *batch, struct refcounts_change *change,
                   struct cut_batch *ret);
int __wrap_cut_put(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                   unsigned count_max, struct index_batch *batch, struct refcounts_change *change,
                   struct cut_batch *ret);

int __wrap_cut_purge(struct tfs_volume *volume, uint64_t inode)
{
    return hold_background ? 0 : __real_cut_purge(volume, inode);
}

int __wrap_cut_put(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                   unsigned count_max, struct index_batch *batch, struct refcounts_change *change,
                   struct cut_batch *ret)
{
    return __real_cut_put(volume, inode, first, rows_a_batch ? rows_a_batch : count_max, batch,
                          change, ret);
}

static int set_up(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    hold_background = false;
    rows_a_batch = 0;
    fixture->options.chunk_size = ROW;
    fixture_open(fixture);
    return err;
}

static int set_up_held(void **state)
{
    int err = set_up(state);

    hold_background = true;
    return err;
}

/* What row `row` begins with. */
static void write_rows(struct tfs_file *file, uint64_t first, uint64_t end, uint64_t version)
{
    for (uint64_t row = first; row < end; row++)
        fixture_write_random(file, row * ROW, BYTES, version * ROWS + row);
}

static void assert_rows(struct tfs_file *file, uint64_t first, uint64_t end, uint64_t version)
{
    for (uint64_t row = first; row < end; row++)
        fixture_assert_random(file, row * ROW, BYTES, version * ROWS + row);
}

static void assert_holes(struct tfs_file *file, uint64_t first, uint64_t end)
{
    for (uint64_t row = first; row < end; row++)
        fixture_assert_zeros(file, row * ROW, BYTES);
}

static struct tfs_file *make_file(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    write_rows(file, 0, ROWS, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    return file;
}

static uint64_t rows_in_index(struct fixture *fixture)
{
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_record record;
    struct index_scan *scan;
    uint64_t count = 0;

    assert_int_equal(index_scan_open(fixture->volume->index, &range, &scan), 0);
    while (index_scan_next(scan, &record) > 0)
        count++;
    index_scan_close(scan);
    return count;
}

static bool has_no_row(void *context)
{
    return rows_in_index(context) == 0;
}

static uint64_t chunks_in_memory(struct fixture *fixture, struct tfs_file *file)
{
    struct tfs_inode *inode;
    uint64_t count;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &inode), 0);
    tfs_mutex_lock(&inode->lock);
    count = inode->data->chunk_count;
    tfs_mutex_unlock(&inode->lock);
    inode_put(fixture->volume, inode);
    return count;
}

static void close_and_check(struct fixture *fixture)
{
    fixture_close(fixture);
    check_assert_clean(fixture);
    fixture_open(fixture);
}

static void a_cut_takes_no_memory_and_the_rows_go_in_the_background(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);

    fixture_truncate(fixture, tfs_file_inode(file), 0);
    assert_int_equal(chunks_in_memory(fixture, file), 0);
    assert_int_equal(rows_in_index(fixture), ROWS); /* nothing is committed yet */
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).blocks, 0);
    assert_int_equal(tfs_file_flush(file), 0);
    fixture_wait(has_no_row, fixture);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(file)).blocks, 0);
    tfs_file_close(file);
    close_and_check(fixture);
}

static void what_was_cut_off_is_garbage_after_a_crash(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct fixture *copy;

    fixture_truncate(fixture, tfs_file_inode(file), 10 * ROW);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    assert_true(rows_in_index(fixture) > 10);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 10 * ROW);
    file = fixture_open_file(copy, "file");
    fixture_truncate(copy, tfs_file_inode(file), ROWS * ROW);
    assert_rows(file, 0, 10, 1);
    assert_holes(file, 10, ROWS);
    assert_int_equal(tfs_file_seek(file, 10 * ROW, SEEK_DATA), -ENXIO);
    assert_int_equal(tfs_file_sync(file, false), 0); /* which removes them: it grows over them */
    assert_int_equal(rows_in_index(copy), 10);
    tfs_file_close(file);
    close_and_check(copy);
    file = fixture_open_file(copy, "file");
    assert_holes(file, 10, ROWS);
    tfs_file_close(file);
    crash_end(copy);
}

static uint64_t version_of(struct fixture *fixture, struct tfs_file *file)
{
    struct tfs_inode *inode;
    uint64_t version;

    assert_int_equal(inode_get(fixture->volume, tfs_file_inode(file), &inode), 0);
    version = inode_record(inode).version;
    inode_put(fixture->volume, inode);
    return version;
}

/* A step is a change of its own, for which others wait. */
static void the_background_removes_rows_in_steps(void **state)
{
    enum { STEP_MAX = 512 };
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    uint64_t count;
    uint64_t version;

    fixture_truncate(fixture, tfs_file_inode(file), 0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    count = rows_in_index(fixture);
    version = version_of(fixture, file);
    assert_true(count > STEP_MAX);
    assert_int_equal(__real_cut_purge(fixture->volume, tfs_file_inode(file)), 0);
    assert_int_equal(rows_in_index(fixture), 0);
    assert_true(version_of(fixture, file) - version >= (count + STEP_MAX - 1) / STEP_MAX);
    tfs_file_close(file);
}

/* The background has rows of an earlier cut to remove, and meets one that no commit has seen. */
static void rows_of_a_cut_that_is_not_committed_stay(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct fixture *copy;

    fixture_truncate(fixture, tfs_file_inode(file), 10 * ROW);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_true(rows_in_index(fixture) > 10);
    fixture_truncate(fixture, tfs_file_inode(file), 2 * ROW);
    assert_int_equal(__real_cut_purge(fixture->volume, tfs_file_inode(file)), 0);
    assert_int_equal(rows_in_index(fixture), 10);
    copy = crash_copy(fixture);
    assert_int_equal(crash_size(copy, "file"), 10 * ROW);
    tfs_file_close(file);
    file = fixture_open_file(copy, "file");
    assert_rows(file, 0, 10, 1);
    tfs_file_close(file);
    crash_end(copy);
}

static void a_mount_after_a_crash_removes_them(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct fixture *copy;

    fixture_truncate(fixture, tfs_file_inode(file), 0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    assert_true(rows_in_index(fixture) > 0);
    reclaim_hurry(fixture->volume->reclaim); /* it does not write while the store is copied */
    hold_background = false;
    copy = crash_copy(fixture);
    fixture_wait(has_no_row, copy);
    close_and_check(copy);
    crash_end(copy);
}

static void check_and_repair_let_them_be(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct found *found;
    uint64_t inode = tfs_file_inode(file);
    uint8_t key[META_INODE_KEY_SIZE];

    fixture_truncate(fixture, inode, 3 * ROW + 5);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_close(fixture);
    check_assert_clean(fixture);
    meta_inode_key(inode, key);
    check_plant(fixture, INDEX_ORPHAN, key, sizeof(key), NULL, 0);
    assert_int_equal(check_run(fixture, true, &found), 0);
    (void)check_expect(found, TFS_CHECK_ORPHAN, TFS_CHECK_FIXED);
    free(found);
    check_assert_clean(fixture);
    hold_background = false;
    fixture_open(fixture);
    while (rows_in_index(fixture) > 4)
        (void)sched_yield();
    file = fixture_open_file(fixture, "file");
    assert_int_equal(fixture_attr(fixture, inode).size, 3 * ROW + 5);
    assert_rows(file, 0, 3, 1);
    tfs_file_close(file);
    close_and_check(fixture);
}

/* What the leader of commits finds when it may not remove all of them in one batch. */
static void a_file_that_was_cut_is_written_again_over_garbage(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);

    fixture_truncate(fixture, tfs_file_inode(file), 0);
    write_rows(file, ROWS / 2, ROWS, 2);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(rows_in_index(fixture), ROWS - ROWS / 2);
    assert_holes(file, 0, ROWS / 2);
    assert_rows(file, ROWS / 2, ROWS, 2);
    tfs_file_close(file);
    close_and_check(fixture);
    file = fixture_open_file(fixture, "file");
    assert_holes(file, 0, ROWS / 2);
    assert_rows(file, ROWS / 2, ROWS, 2);
    tfs_file_close(file);
}

static void a_removed_file_that_was_cut_stays_while_it_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);

    fixture_truncate(fixture, tfs_file_inode(file), 2 * ROW);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_remove_file(fixture, "file");
    hold_background = false;
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    assert_rows(file, 0, 2, 1);
    write_rows(file, 5, 7, 2);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_rows(file, 0, 2, 1);
    assert_holes(file, 2, 5);
    assert_rows(file, 5, 7, 2);
    tfs_file_close(file);
    assert_int_equal(tfs_volume_sync(fixture->volume), 0);
    fixture_wait(has_no_row, fixture);
    close_and_check(fixture);
}

static void a_clone_over_a_file_that_was_cut_shows_no_garbage(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct tfs_file *source = fixture_create(fixture, "source");
    struct tfs_copy copy = {.source = source, .target = file, .size = 2 * ROW};

    fixture_write_random(source, 0, 2 * ROW, 77);
    fixture_truncate(fixture, tfs_file_inode(file), ROW);
    assert_int_equal(tfs_file_sync(file, false), 0);
    copy.target_offset = 1200 * ROW;
    assert_int_equal(tfs_file_copy(&copy), 2 * ROW);
    assert_rows(file, 0, 1, 1);
    assert_holes(file, 1, 1200);
    fixture_assert_random(file, 1200 * ROW, 2 * ROW, 77);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(source);
    tfs_file_close(file);
    close_and_check(fixture);
    file = fixture_open_file(fixture, "file");
    assert_holes(file, 1, 1200);
    tfs_file_close(file);
}

static void a_damaged_row_does_not_keep_a_file_from_being_cut(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct tfs_file *file = make_file(fixture);
    uint64_t inode = tfs_file_inode(file);
    struct tfs_setattr change = {.fields = TFS_SET_SIZE, .size = 7 * ROW + 3};
    struct tfs_attr attr;

    tfs_file_close(file);
    fixture_close(fixture);
    meta_extent_key(inode, 7, key);
    check_plant(fixture, INDEX_EXTENT, key, sizeof(key), "nonsense", 8);
    fixture_open(fixture);
    /* Into the damaged row: nothing is changed. */
    assert_int_equal(tfs_setattr(fixture->volume, inode, &change, &attr), -EIO);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(fixture_attr(fixture, inode).size, (ROWS - 1) * ROW + BYTES);
    assert_rows(file, 0, 7, 1);
    assert_rows(file, 8, ROWS, 1);
    fixture_truncate(fixture, inode, 7 * ROW);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_rows(file, 0, 7, 1);
    tfs_file_close(file);
    while (rows_in_index(fixture) > 7)
        (void)sched_yield();
}

/* ---- punching ---- */

static int punch(struct tfs_file *file, uint64_t from, uint64_t to)
{
    return tfs_file_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from);
}

static void a_long_range_is_punched_without_holding_its_rows(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct fixture *copy;

    write_rows(file, 900, 1000, 2); /* not committed, and punched too but for the last */
    assert_int_equal(punch(file, 10 * ROW + BYTES, 999 * ROW), 0);
    assert_in_range(chunks_in_memory(fixture, file), 1, 3);
    assert_rows(file, 0, 11, 1);
    assert_holes(file, 11, 999);
    assert_rows(file, 999, 1000, 2);
    assert_rows(file, 1000, ROWS, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    copy = crash_copy(fixture);
    tfs_file_close(file);
    file = fixture_open_file(copy, "file");
    assert_rows(file, 0, 11, 1);
    assert_holes(file, 11, 999);
    assert_rows(file, 999, 1000, 2);
    assert_rows(file, 1000, ROWS, 1);
    tfs_file_close(file);
    close_and_check(copy);
    crash_end(copy);
    close_and_check(fixture);
}

static void a_long_range_is_punched_over_what_was_cut_and_written_again(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);

    fixture_truncate(fixture, tfs_file_inode(file), 20 * ROW);
    write_rows(file, 700, 800, 2);
    assert_int_equal(punch(file, 5 * ROW, 750 * ROW), 0);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(punch(file, 760 * ROW, ROWS * ROW), 0);
    assert_rows(file, 0, 5, 1);
    assert_holes(file, 5, 750);
    assert_rows(file, 750, 760, 2);
    assert_holes(file, 760, 800);
    tfs_file_close(file);
    close_and_check(fixture);
    file = fixture_open_file(fixture, "file");
    assert_rows(file, 750, 760, 2);
    assert_holes(file, 760, 800);
    tfs_file_close(file);
}

/* ---- against a model ---- */

enum { MODEL_ROWS = 24, MODEL_SIZE = MODEL_ROWS * ROW, STEPS = 250 };

struct model {
    struct fixture *fixture;
    struct tfs_file *file;
    uint64_t dice;
    uint64_t size;
    uint8_t bytes[MODEL_SIZE];
    uint8_t found[MODEL_SIZE];
};

static void assert_model(struct model *model, struct tfs_file *file)
{
    assert_int_equal(fixture_read(file, 0, model->found, MODEL_SIZE), model->size);
    assert_memory_equal(model->found, model->bytes, model->size);
}

static void write_some(struct model *model)
{
    uint64_t offset = fixture_dice_below(&model->dice, MODEL_SIZE - 5000);
    size_t size = 1 + fixture_dice_below(&model->dice, 5000);

    fixture_fill(model->bytes + offset, size, fixture_dice(&model->dice));
    fixture_write(model->file, offset, model->bytes + offset, size);
    if (offset + size > model->size)
        model->size = offset + size;
}

static void truncate_some(struct model *model)
{
    uint64_t size = fixture_dice_below(&model->dice, MODEL_SIZE);

    if (fixture_dice_below(&model->dice, 3) == 0)
        size = size / ROW * ROW;
    if (size < model->size)
        memset(model->bytes + size, 0, model->size - size);
    model->size = size;
    fixture_truncate(model->fixture, tfs_file_inode(model->file), size);
}

static void punch_some(struct model *model)
{
    uint64_t offset = fixture_dice_below(&model->dice, MODEL_SIZE);
    uint64_t size = 1 + fixture_dice_below(&model->dice, MODEL_SIZE - offset);

    if (fixture_dice_below(&model->dice, 2) == 0)
        size = tfs_min_u64(size, 3 * ROW);
    assert_int_equal(
        tfs_file_fallocate(model->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size),
        0);
    memset(model->bytes + offset, 0, size);
}

static void look_at_crash(struct model *model)
{
    struct fixture *copy;
    struct tfs_file *file;

    hold_background = true;
    assert_int_equal(tfs_file_sync(model->file, false), 0);
    reclaim_hurry(model->fixture->volume->reclaim);
    copy = crash_copy(model->fixture);
    file = fixture_open_file(copy, "file");
    assert_model(model, file);
    fixture_truncate(copy, tfs_file_inode(file), MODEL_SIZE);
    fixture_assert_zeros(file, model->size, MODEL_SIZE - model->size);
    tfs_file_close(file);
    fixture_close(copy);
    check_assert_clean(copy);
    fixture_open(copy);
    crash_end(copy);
}

static void reopen(struct model *model)
{
    tfs_file_close(model->file);
    close_and_check(model->fixture);
    model->file = fixture_open_file(model->fixture, "file");
}

static void step(struct model *model)
{
    switch (fixture_dice_below(&model->dice, 16)) {
    case 0 ... 5:
        write_some(model);
        break;
    case 6 ... 9:
        truncate_some(model);
        break;
    case 10 ... 11:
        punch_some(model);
        break;
    case 12:
        hold_background = !hold_background;
        break;
    case 13:
        assert_int_equal(commit_all(model->fixture->volume, false), 0);
        break;
    case 14:
        assert_int_equal(tfs_file_flush(model->file), 0);
        break;
    default:
        if (fixture_dice_below(&model->dice, 3) == 0)
            look_at_crash(model);
        else if (fixture_dice_below(&model->dice, 3) == 0)
            reopen(model);
    }
}

static void random_cuts_and_writes_show_what_a_plain_file_would(void **state)
{
    struct fixture *fixture = *state;
    struct model *model = calloc(1, sizeof(*model));

    assert_non_null(model);
    model->fixture = fixture;
    model->dice = fixture_seed();
    model->file = fixture_create(fixture, "file");
    rows_a_batch = 1;
    for (int i = 0; i < STEPS; i++) {
        step(model);
        assert_model(model, model->file);
    }
    hold_background = false;
    tfs_file_close(model->file);
    free(model);
    close_and_check(fixture);
}

#define CUT_TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
#define HELD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_held, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CUT_TEST(a_cut_takes_no_memory_and_the_rows_go_in_the_background),
        HELD_TEST(what_was_cut_off_is_garbage_after_a_crash),
        HELD_TEST(the_background_removes_rows_in_steps),
        HELD_TEST(rows_of_a_cut_that_is_not_committed_stay),
        HELD_TEST(a_mount_after_a_crash_removes_them),
        HELD_TEST(check_and_repair_let_them_be),
        HELD_TEST(a_file_that_was_cut_is_written_again_over_garbage),
        HELD_TEST(a_removed_file_that_was_cut_stays_while_it_is_open),
        HELD_TEST(a_clone_over_a_file_that_was_cut_shows_no_garbage),
        CUT_TEST(a_damaged_row_does_not_keep_a_file_from_being_cut),
        CUT_TEST(a_long_range_is_punched_without_holding_its_rows),
        HELD_TEST(a_long_range_is_punched_over_what_was_cut_and_written_again),
        CUT_TEST(random_cuts_and_writes_show_what_a_plain_file_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
