/*
 * What fallocate promises: room that nobody else can take, that stores into the range find, that is
 * given back with the data's place, and that a crash does not forget.
 *
 * Method: a small tmpfs that another file fills up, so that only what was kept is left; sums by
 * statfs. Commits only when they are asked for.
 */
#include "store_crash.h"
#include "store_fixture.h"

#include "small_disk.h"
#include "store/check/check.h"
#include "store/file/file.h"
#include "store/tables/format.h"
#include "store/volume.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    DISK_SIZE = 160 * 1024 * 1024,
    PROMISED_SIZE = 32 * 1024 * 1024, /* whole chunks */
    TIME_LIMIT_S = 120,
    /* What statfs may be off by: preallocation, the index's files. */
    NEAR_SIZE = 4 * 1024 * 1024,
};

static int set_up(void **state)
{
    struct fixture *fixture;
    int err = fixture_set_up_closed(state);

    if (err)
        return err;
    fixture = *state;
    err = small_disk_mount(SMALL_DISK_TMPFS, fixture->directory, DISK_SIZE);
    if (err)
        return err;
    (void)alarm(TIME_LIMIT_S);
    fixture_open(fixture);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    int err = tfs_volume_close(TAKE_PTR(fixture->volume));

    (void)alarm(0);
    small_disk_unmount(fixture->directory);
    return fixture_tear_down(state) ? -EIO : err;
}

static uint64_t available(struct fixture *fixture)
{
    struct statvfs status;

    assert_int_equal(tfs_volume_statfs(fixture->volume, &status), 0);
    return status.f_bavail * status.f_frsize;
}

static void assert_near(uint64_t a, uint64_t b)
{
    assert_in_range(a > b ? a - b : b - a, 0, NEAR_SIZE);
}

static uint64_t blocks_of(struct fixture *fixture, struct tfs_file *file)
{
    return fixture_attr(fixture, tfs_file_inode(file)).blocks * 512;
}

static uint64_t room_of(struct tfs_file *file)
{
    return file->inode->record.allocation.room;
}

/* Another file takes all that can be had. */
static void fill_disk(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "filler");
    uint8_t *bytes = malloc(TFS_MIB);
    int64_t written = TFS_MIB;
    uint64_t done = 0;

    assert_non_null(bytes);
    for (size_t size = TFS_MIB; size >= 4096; size /= 2) {
        do {
            fixture_fill(bytes, size, done + 1);
            written = tfs_file_write(file, done, bytes, size, 0);
            done += written > 0 ? (uint64_t)written : 0;
        } while (written > 0);
        assert_int_equal(written, -ENOSPC);
    }
    assert_int_equal(tfs_file_flush(file), 0);
    free(bytes);
    tfs_file_close(file);
}

static struct tfs_file *promise(struct fixture *fixture, const char *name, uint64_t size)
{
    struct tfs_file *file = fixture_create(fixture, name);

    assert_int_equal(tfs_file_fallocate(file, 0, 0, size), 0);
    return file;
}

static void two_files_are_not_promised_the_same_room(void **state)
{
    struct fixture *fixture = *state;
    uint64_t size = available(fixture) / 10 * 6;
    struct tfs_file *a = promise(fixture, "a", size);
    struct tfs_file *b = fixture_create(fixture, "b");

    assert_int_equal(tfs_file_fallocate(b, 0, 0, size), -ENOSPC);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(b)).size, 0);
    assert_int_equal(fixture_attr(fixture, tfs_file_inode(a)).size, size);
    tfs_file_close(a);
    tfs_file_close(b);
}

static void what_is_promised_is_missing_in_statfs_and_shown_in_the_blocks(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    assert_near(available(fixture) + PROMISED_SIZE, before);
    assert_in_range(blocks_of(fixture, file), PROMISED_SIZE, PROMISED_SIZE + NEAR_SIZE);
    tfs_file_close(file);
}

static void a_range_that_is_promised_can_be_stored_on_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fill_disk(fixture);
    fixture_write_random(file, 0, PROMISED_SIZE, 7);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "file", PROMISED_SIZE, 7);
}

/* Records of 256 KiB, as write-back makes them; with a sync now and then. */
static void the_records_of_a_promised_range_can_be_stored_in_any_order(void **state)
{
    enum { PIECE_SIZE = 256 * 1024, COUNT = PROMISED_SIZE / PIECE_SIZE, STEP = 43 };
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fill_disk(fixture);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t at = i * STEP % COUNT;

        fixture_write_random(file, at * PIECE_SIZE, PIECE_SIZE, at + 1);
        if (i % 7 == 0)
            assert_int_equal(tfs_file_sync(file, false), 0);
    }
    assert_int_equal(tfs_file_sync(file, false), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        fixture_assert_random(file, i * PIECE_SIZE, PIECE_SIZE, i + 1);
    tfs_file_close(file);
}

static void a_promised_range_can_be_stored_in_small_pieces_from_front_to_end(void **state)
{
    enum { PIECE_SIZE = 4000, COUNT = PROMISED_SIZE / PIECE_SIZE };
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fill_disk(fixture);
    for (uint64_t i = 0; i < COUNT; i++) {
        fixture_write_random(file, i * PIECE_SIZE, PIECE_SIZE, i + 1);
        if (i % 1500 == 0)
            assert_int_equal(tfs_file_sync(file, false), 0);
    }
    assert_int_equal(tfs_file_sync(file, false), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        fixture_assert_random(file, i * PIECE_SIZE, PIECE_SIZE, i + 1);
    tfs_file_close(file);
}

static void room_goes_as_data_is_stored_and_the_rest_at_the_last_close(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fixture_write_random(file, 0, PROMISED_SIZE / 2, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_near(available(fixture) + PROMISED_SIZE, before); /* not twice */
    fixture_write_random(file, PROMISED_SIZE / 2, PROMISED_SIZE / 2, 2);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    assert_near(available(fixture) + PROMISED_SIZE, before);
    file = fixture_open_file(fixture, "file");
    assert_in_range(blocks_of(fixture, file), PROMISED_SIZE, PROMISED_SIZE + NEAR_SIZE / 4);
    tfs_file_close(file);
}

/* Bytes that compress leave nothing behind once all of the range is there. */
static void a_range_that_was_filled_with_little_keeps_nothing_when_it_is_closed(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);
    uint8_t *bytes = calloc(1, TFS_MIB);

    assert_non_null(bytes);
    for (size_t i = 0; i < TFS_MIB; i += 512)
        bytes[i] = 1;
    for (uint64_t at = 0; at < PROMISED_SIZE; at += TFS_MIB)
        fixture_write(file, at, bytes, TFS_MIB);
    assert_int_equal(tfs_file_flush(file), 0);
    assert_near(available(fixture) + PROMISED_SIZE, before);
    tfs_file_close(file);
    assert_near(available(fixture), before);
    free(bytes);
}

static void the_same_range_is_not_promised_twice(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);
    uint64_t before = available(fixture);

    assert_int_equal(tfs_file_fallocate(file, FALLOC_FL_KEEP_SIZE, 0, PROMISED_SIZE), 0);
    assert_int_equal(tfs_file_fallocate(file, 0, 4096, 123456), 0);
    assert_near(available(fixture), before);
    assert_int_equal(tfs_file_fallocate(file, 0, PROMISED_SIZE, PROMISED_SIZE / 2), 0);
    assert_near(available(fixture) + PROMISED_SIZE / 2, before);
    tfs_file_close(file);
}

static void truncation_gives_the_room_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fixture_truncate(fixture, tfs_file_inode(file), PROMISED_SIZE / 4);
    assert_near(available(fixture) + PROMISED_SIZE / 4, before);
    fixture_truncate(fixture, tfs_file_inode(file), PROMISED_SIZE); /* promises nothing */
    assert_near(available(fixture) + PROMISED_SIZE / 4, before);
    fixture_truncate(fixture, tfs_file_inode(file), 0);
    assert_near(available(fixture), before);
    assert_int_equal(blocks_of(fixture, file), 0);
    tfs_file_close(file);
}

static void punching_gives_the_room_back(void **state)
{
    const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);
    uint64_t quarter = PROMISED_SIZE / 4;

    assert_int_equal(tfs_file_fallocate(file, punch, quarter, quarter), 0); /* in the middle */
    assert_near(available(fixture) + 3 * quarter, before);
    assert_int_equal(tfs_file_fallocate(file, punch, 0, 2 * quarter), 0); /* at the beginning */
    assert_near(available(fixture) + 2 * quarter, before);
    assert_int_equal(tfs_file_fallocate(file, punch, 3 * quarter, 2 * quarter), 0); /* the end */
    assert_near(available(fixture) + quarter, before);
    assert_int_equal(tfs_file_fallocate(file, punch, 0, PROMISED_SIZE), 0);
    assert_near(available(fixture), before);
    assert_int_equal(blocks_of(fixture, file), 0);
    tfs_file_close(file);
}

struct promised {
    struct fixture *fixture;
    uint64_t available;
};

static bool has_room_again(void *context)
{
    const struct promised *promised = context;

    assert_int_equal(tfs_volume_sync(promised->fixture->volume), 0);
    return available(promised->fixture) + NEAR_SIZE >= promised->available;
}

/* Dirty data was lent its room: it comes back with the data's end, not twice and not to nobody. */
static void room_of_dirty_data_that_is_cut_off_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct promised before = {fixture, available(fixture)};
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fixture_write_random(file, 0, PROMISED_SIZE / 4 + 5000, 1);
    fixture_truncate(fixture, tfs_file_inode(file), 0);
    fixture_wait(has_room_again, &before);
    assert_near(available(fixture), before.available);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, PROMISED_SIZE), 0);
    assert_near(available(fixture) + PROMISED_SIZE, before.available);
    tfs_file_close(file);
}

static void removing_the_file_gives_the_room_back(void **state)
{
    struct fixture *fixture = *state;
    struct promised before = {fixture, available(fixture)};

    for (int committed = 0; committed < 2; committed++) {
        struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

        if (committed)
            assert_int_equal(tfs_file_sync(file, false), 0);
        tfs_file_close(file);
        assert_near(available(fixture) + PROMISED_SIZE, before.available);
        fixture_remove_file(fixture, "file");
        fixture_wait(has_room_again, &before);
    }
    fixture_reopen(fixture);
    assert_near(available(fixture), before.available);
}

static void a_remount_keeps_the_promise(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    fixture_write_random(file, 0, PROMISED_SIZE / 4, 1);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    assert_near(available(fixture) + PROMISED_SIZE, before);
    fill_disk(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_write_random(file, PROMISED_SIZE / 4, 3 * PROMISED_SIZE / 4, 2);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
}

/* What was lent and is lost is promised again. */
static void a_crash_keeps_the_promise(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);
    struct fixture *copy;
    struct tfs_file *copied;

    fixture_write_random(file, 0, PROMISED_SIZE / 4, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    fixture_write_random(file, PROMISED_SIZE / 4, PROMISED_SIZE / 4 + 4096, 2);
    copy = crash_copy(fixture);
    copied = fixture_open_file(copy, "file");
    assert_in_range(blocks_of(copy, copied), PROMISED_SIZE, PROMISED_SIZE + NEAR_SIZE);
    assert_int_equal(copy->volume->allocated, room_of(copied));
    tfs_file_close(copied);
    crash_end(copy);
    tfs_file_close(file);
}

/* Fallocate asks for room as a write does, so that removed files make place for it. */
static void a_promise_finds_the_room_of_a_removed_file(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fill_disk(fixture);
    fixture_remove_file(fixture, "filler");
    file = promise(fixture, "file", PROMISED_SIZE);
    tfs_file_close(file);
}

static void assert_check(struct fixture *fixture, bool repair, uint64_t errors)
{
    struct tfs_check_options options = {.path = fixture->path, .repair = repair};
    struct tfs_check_result result;
    struct tfs_message message;

    assert_int_equal(tfs_check(&options, &message, &result), 0);
    assert_int_equal(repair ? result.fixed : result.left, errors);
    assert_int_equal(result.unreadable, 0);
}

static void a_wrong_sum_is_found_and_repaired(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = promise(fixture, "file", PROMISED_SIZE);

    tfs_file_close(file);
    fixture_close(fixture);
    assert_check(fixture, false, 0);
    fixture_open(fixture);
    fixture->volume->allocated += 12345; /* so that the next commit writes a wrong one */
    file = fixture_open_file(fixture, "file");
    fixture_truncate(fixture, tfs_file_inode(file), PROMISED_SIZE / 2);
    tfs_file_close(file);
    fixture_close(fixture);
    assert_check(fixture, true, 1);
    assert_check(fixture, false, 0);
    fixture_open(fixture);
}

/* Programs made before would take such a record for a damaged one. */
static void a_store_that_promised_nothing_stays_readable_by_programs_made_before(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    uint8_t uuid[16];

    memcpy(uuid, tfs_volume_uuid(fixture->volume), sizeof(uuid));
    fixture_write_random(file, 0, TFS_MIB, 1);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, TFS_MIB), 0); /* it is all there */
    assert_int_equal(tfs_file_sync(file, false), 0);
    assert_int_equal(fixture_features(fixture), 0);
    assert_int_equal(tfs_file_fallocate(file, 0, 0, PROMISED_SIZE), 0);
    assert_int_equal(fixture_features(fixture), FORMAT_FEATURE_ALLOCATION);
    tfs_file_close(file);
    fixture_reopen(fixture);
    assert_int_equal(fixture_features(fixture), FORMAT_FEATURE_ALLOCATION);
    assert_memory_equal(uuid, tfs_volume_uuid(fixture->volume), sizeof(uuid));
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, TFS_MIB, 1);
    tfs_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_store_that_promised_nothing_stays_readable_by_programs_made_before, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(two_files_are_not_promised_the_same_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_promised_is_missing_in_statfs_and_shown_in_the_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_range_that_is_promised_can_be_stored_on_a_full_disk,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_records_of_a_promised_range_can_be_stored_in_any_order,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_promised_range_can_be_stored_in_small_pieces_from_front_to_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(room_goes_as_data_is_stored_and_the_rest_at_the_last_close,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_range_that_was_filled_with_little_keeps_nothing_when_it_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_range_is_not_promised_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncation_gives_the_room_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(punching_gives_the_room_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(room_of_dirty_data_that_is_cut_off_is_given_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(removing_the_file_gives_the_room_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_remount_keeps_the_promise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_keeps_the_promise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_promise_finds_the_room_of_a_removed_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_sum_is_found_and_repaired, set_up, tear_down),
    };

    if (small_disk_enter() < 0) {
        (void)fputs("a mount namespace is needed\n", stderr);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
