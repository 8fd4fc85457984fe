/*
 * The budget of the disk, and disks that are full: a refusal comes before anything is written,
 * leaves the reserve to the index, and ends as soon as there is room.
 */
#include "test_segment_fixture.h"

#include "small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DISK_SIZE = 64 * 1024 * 1024 };

static uint64_t available(struct fixture *fixture)
{
    struct segment_space space;

    assert_int_equal(segments_space(fixture->segments, &space), 0);
    assert_true(space.available <= space.total);
    return space.available;
}

static void a_reservation_is_taken_off_what_is_available_until_it_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = available(fixture);

    if (before < 200 * TFS_MIB)
        skip();
    assert_int_equal(segments_reserve(fixture->segments, 100 * TFS_MIB), 0);
    assert_in_range(available(fixture), 0, before - 90 * TFS_MIB); /* others use this disk too */
    segments_unreserve(fixture->segments, 100 * TFS_MIB);
    assert_in_range(available(fixture), before - 10 * TFS_MIB, UINT64_MAX / 2);
}

static void a_reservation_larger_than_the_disk_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct segment_space space;

    assert_int_equal(segments_space(fixture->segments, &space), 0);
    assert_int_equal(segments_reserve(fixture->segments, space.total + 1), -ENOSPC);
    assert_int_equal(segments_reserve(fixture->segments, UINT64_MAX), -ENOSPC);
    assert_int_equal(segments_reserve(fixture->segments, 0), 0);
}

/* Returns: how many appends of 1 MiB fit. */
static uint64_t append_until_full(struct fixture *fixture)
{
    struct segment_position at;
    uint64_t count = 0;
    int err;

    fill(fixture->buffer, TFS_MIB, 7);
    do
        err = append_bytes(fixture->segments, fixture->buffer, TFS_MIB, &at);
    while (err == 0 && ++count < 1000);
    assert_int_equal(err, -ENOSPC);
    return count;
}

static void fill_up_and_go_on(struct fixture *fixture)
{
    uint64_t count;
    struct segment_position first = append(fixture, UNIT, 1);

    count = append_until_full(fixture);
    assert_in_range(count, 40, 64);
    assert_true(available(fixture) < TFS_MIB);
    assert_int_equal(segments_reserve(fixture->segments, TFS_MIB), -ENOSPC);
    assert_int_equal(segments_sync(fixture->segments), 0); /* what was taken is safe */
    assert_stored(fixture, first, 0, UNIT, 1);

    /* Room is seen when it is there, however short ago the disk said no. */
    assert_int_equal(segments_remove(fixture->segments, first.number), 0);
    small_disk_await(fixture->directory, 8 * TFS_MIB);
    assert_int_equal(segments_reserve(fixture->segments, TFS_MIB), 0);
    segments_unreserve(fixture->segments, TFS_MIB);
    first = append(fixture, UNIT, 2);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_stored(fixture, first, 0, UNIT, 2);
}

static void keep_the_reserve(struct fixture *fixture)
{
    char path[400];
    uint64_t reserve = 16 * TFS_MIB;
    uint64_t count;
    int fd;

    fixture->options.reserve_size_min = fixture->options.reserve_size_max = reserve;
    fixture_reopen(fixture);
    count = append_until_full(fixture);
    assert_in_range(count, 25, 48);
    assert_int_equal(segments_reserve(fixture->segments, TFS_MIB), -ENOSPC);

    /*
     * What stays free can be written by somebody else: the index. Preallocation has not taken it
     * either.
     */
    (void)snprintf(path, sizeof(path), "%s/index", fixture->directory);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    for (uint64_t i = 0; i < reserve / TFS_MIB - 1; i++)
        assert_int_equal(write(fd, fixture->buffer, TFS_MIB), TFS_MIB);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
}

static void be_full_already(struct fixture *fixture)
{
    struct segment_position at = {.number = 99};

    small_disk_fill(fixture->directory, 0);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, UNIT, &at), -ENOSPC);
    assert_int_equal(at.number, 99);
    assert_int_equal(segments_sync(fixture->segments), 0);
    small_disk_free(fixture->directory);
    at = append(fixture, UNIT, 1);
    assert_stored(fixture, at, 0, UNIT, 1);
}

static struct fixture *in_next_pwritev; /* an append is made within it, once */

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    struct fixture *fixture = TAKE_PTR(in_next_pwritev);

    if (fixture)
        (void)append(fixture, UNIT, 3);
    return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
}

/* Buffered: an append beside another goes to a second segment, which takes space in advance, too.
 * Then there is a single writer, who never comes to that one. */
static void use_what_was_taken_in_advance_elsewhere(struct fixture *fixture)
{
    uint64_t reserve = 16 * TFS_MIB;
    uint64_t count = 0;
    struct statvfs disk;

    fixture->options.direct = false;
    fixture->options.reserve_size_min = fixture->options.reserve_size_max = reserve;
    fixture_reopen(fixture);
    while (count < 8)
        (void)append(fixture, TFS_MIB, count++);
    in_next_pwritev = fixture;
    (void)append(fixture, TFS_MIB, 2);
    count += append_until_full(fixture);
    assert_in_range(count, 25, 48);
    assert_int_equal(statvfs(fixture->directory, &disk), 0);
    assert_in_range(disk.f_bavail * disk.f_frsize, reserve - TFS_MIB, DISK_SIZE);
}

/* Others fill the disk between the look and the write: preallocation or the write itself finds out.
 */
static void be_overtaken(struct fixture *fixture)
{
    struct segment_position at;
    int err;
    int count = 0;

    (void)append(fixture, TFS_MIB, 1);
    small_disk_fill(fixture->directory, 3 * TFS_MIB);
    do
        err = append_bytes(fixture->segments, fixture->buffer, TFS_MIB, &at);
    while (err == 0 && ++count < 100);
    assert_int_equal(err, -ENOSPC);
    assert_in_range(count, 0, 8);
    small_disk_free(fixture->directory);
    at = append(fixture, TFS_MIB, 2);
    assert_stored(fixture, at, 0, TFS_MIB, 2);
    assert_int_equal(segments_sync(fixture->segments), 0);
}

static void run_on(enum small_disk_kind kind, void (*test)(struct fixture *fixture), void **state)
{
    struct fixture *fixture = *state;
    int err;

    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), 0);
    err = small_disk_mount(kind, fixture->directory, DISK_SIZE);
    if (err < 0) {
        print_message("no small disk (%s), root is needed\n", strerror(-err));
        skip();
    }
    fixture->options.segment_size_max = 24 * TFS_MIB;
    assert_int_equal(segments_open(&fixture->options, &fixture->segments), 0);
    test(fixture);
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), 0);
    small_disk_unmount(fixture->directory);
}

static void a_full_tmpfs_takes_appends_again_when_a_segment_was_removed(void **state)
{
    run_on(SMALL_DISK_TMPFS, fill_up_and_go_on, state);
}

static void a_full_ext4_takes_appends_again_when_a_segment_was_removed(void **state)
{
    run_on(SMALL_DISK_EXT4, fill_up_and_go_on, state);
}

static void appends_leave_the_reserve_of_a_tmpfs_free(void **state)
{
    run_on(SMALL_DISK_TMPFS, keep_the_reserve, state);
}

static void appends_leave_the_reserve_of_an_ext4_free(void **state)
{
    run_on(SMALL_DISK_EXT4, keep_the_reserve, state);
}

static void appends_side_by_side_leave_the_reserve_of_an_ext4_free(void **state)
{
    run_on(SMALL_DISK_EXT4, use_what_was_taken_in_advance_elsewhere, state);
}

static void an_append_to_a_disk_that_is_full_already_fails_and_harms_nothing(void **state)
{
    run_on(SMALL_DISK_EXT4, be_full_already, state);
}

static void an_append_overtaken_by_others_fails_with_enospc_on_tmpfs(void **state)
{
    run_on(SMALL_DISK_TMPFS, be_overtaken, state);
}

static void an_append_overtaken_by_others_fails_with_enospc_on_ext4(void **state)
{
    run_on(SMALL_DISK_EXT4, be_overtaken, state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reservation_is_taken_off_what_is_available_until_it_is_given_back),
        TEST(a_reservation_larger_than_the_disk_is_refused),
        TEST(a_full_tmpfs_takes_appends_again_when_a_segment_was_removed),
        TEST(a_full_ext4_takes_appends_again_when_a_segment_was_removed),
        TEST(appends_leave_the_reserve_of_a_tmpfs_free),
        TEST(appends_leave_the_reserve_of_an_ext4_free),
        TEST(appends_side_by_side_leave_the_reserve_of_an_ext4_free),
        TEST(an_append_to_a_disk_that_is_full_already_fails_and_harms_nothing),
        TEST(an_append_overtaken_by_others_fails_with_enospc_on_tmpfs),
        TEST(an_append_overtaken_by_others_fails_with_enospc_on_ext4),
    };

    if (small_disk_enter() < 0)
        print_message("no mount namespace, root is needed\n"); /* the tests skip themselves */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
