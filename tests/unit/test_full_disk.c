/*
 * A volume on a disk that is full: what a removed file held is there for the next writer, however
 * little of that file was committed.
 *
 * Method: a small tmpfs, and no commits but those that are asked for, so that nothing but the
 * writer itself can bring the space back. A test that could wait for ever is ended by alarm(2).
 */
#include "store_fixture.h"

#include "small_disk.h"
#include "store/segment/engine.h"
#include "store/space/give_back.h"
#include "store/volume.h"
#include "store/writeback/commit.h"
#include "upcall_notes.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DISK_SIZE = 160 * 1024 * 1024,
    WRITTEN_SIZE = 44 * 1024 * 1024, /* whole chunks */
    /* Less, for what is given back first fills up the index's reserve again. */
    WANTED_SIZE = 32 * 1024 * 1024,
    LOOKS_BEFORE = 5, /* the first two are before anybody waits */
    TIME_LIMIT_S = 120,
};

static struct segment_engine engine;
static atomic_bool appends_fail;
static struct upcall_notes told; /* by the volume of the test */

static int append(struct segment_store *store, const struct segment_pieces *from,
                  struct segment_position *ret)
{
    return atomic_load(&appends_fail) ? -ENOSPC : segment_local.append(store, from, ret);
}

static atomic_uint looks; /* for room on the disk */

static int space(struct segment_store *store, struct segment_space *ret)
{
    atomic_fetch_add(&looks, 1);
    return segment_local.space(store, ret);
}

/* Lets go of a file when room has been looked for a few times, as the kernel may. */
static void *release_late(void *file)
{
    while (atomic_load(&looks) < LOOKS_BEFORE)
        (void)sched_yield(); /* cannot fail */
    tfs_file_close(file);
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture;
    int err = fixture_set_up_closed(state);

    if (err)
        return err;
    fixture = *state;
    atomic_store(&appends_fail, false);
    err = small_disk_mount(SMALL_DISK_TMPFS, fixture->directory, DISK_SIZE);
    if (err)
        return err;
    (void)alarm(TIME_LIMIT_S);
    fixture->options.upcalls = upcall_notes_begin(&told);
    engine = segment_local;
    engine.append = append;
    engine.space = space;
    fixture->options.segment_engine = &engine;
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

/* Writes up to `size` bytes that do not compress; returns how many before the disk was full. */
static uint64_t write_until_full_at(struct tfs_file *file, uint64_t offset, uint64_t size)
{
    uint8_t *bytes = malloc(TFS_MIB);
    int64_t written = TFS_MIB;
    uint64_t done = 0;

    assert_non_null(bytes);
    while (written > 0 && done < size) {
        fixture_fill(bytes, TFS_MIB, offset + done + 1);
        written = tfs_file_write(file, offset + done, bytes, TFS_MIB, 0);
        done += written > 0 ? (uint64_t)written : 0;
    }
    assert_true(written > 0 || written == -ENOSPC);
    free(bytes);
    return done;
}

static uint64_t write_until_full(struct tfs_file *file, uint64_t size)
{
    return write_until_full_at(file, 0, size);
}

/* A new file that takes most of the disk. */
static struct tfs_file *fill_disk(struct fixture *fixture, const char *name)
{
    struct tfs_file *file = fixture_create(fixture, name);
    uint64_t written = write_until_full(file, 2ull * DISK_SIZE);

    assert_in_range(written, DISK_SIZE / 4, DISK_SIZE);
    return file;
}

/* The first write that asks for it gets the room that there must be now. */
static void assert_room(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "next");

    assert_int_equal(write_until_full(file, WANTED_SIZE), WANTED_SIZE);
    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
}

static void a_committed_file_that_is_removed_gives_room_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fill_disk(fixture, "file");

    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    fixture_remove_file(fixture, "file");
    assert_room(fixture);
}

static bool much_comes_back(void *context)
{
    struct fixture *fixture = context;

    (void)give_back_space(fixture->volume, NULL);
    return tfs_counter_get(&fixture->volume->stats.reclaimed_bytes) >= DISK_SIZE / 8;
}

/* As when the reclaim thread comes first: the disk may tell late of the blocks that it got back. */
static void space_that_came_back_before_it_is_asked_for_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fill_disk(fixture, "file");

    assert_int_equal(tfs_file_flush(file), 0);
    tfs_file_close(file);
    fixture_remove_file(fixture, "file");
    fixture_wait(much_comes_back, fixture);
    assert_room(fixture);
}

static void a_file_that_is_removed_while_open_gives_room_when_it_is_closed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fill_disk(fixture, "file");

    fixture_remove_file(fixture, "file");
    tfs_file_close(file); /* no flush: as when a mapping of it goes */
    assert_room(fixture);
}

static void a_file_that_was_never_committed_gives_room_when_it_is_removed(void **state)
{
    struct fixture *fixture = *state;

    tfs_file_close(fill_disk(fixture, "file"));
    fixture_remove_file(fixture, "file");
    assert_room(fixture);
}

static void a_file_that_could_not_be_written_back_gives_room_when_it_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, WRITTEN_SIZE, 1);
    assert_int_equal(tfs_file_flush(file), 0);
    atomic_store(&appends_fail, true);
    fixture_write_random(file, WRITTEN_SIZE, TFS_MIB, 2);
    assert_int_equal(tfs_file_flush(file), -ENOSPC);
    atomic_store(&appends_fail, false);
    tfs_file_close(fill_disk(fixture, "filler"));
    tfs_file_close(file);
    fixture_remove_file(fixture, "file");
    assert_room(fixture);
}

static void a_file_that_the_kernel_lets_go_of_a_little_late_is_waited_for(void **state)
{
    struct fixture *fixture = *state;

    struct tfs_file *file = fill_disk(fixture, "file");
    pthread_t kernel;

    fixture_remove_file(fixture, "file");
    atomic_store(&looks, 0);
    assert_int_equal(pthread_create(&kernel, NULL, release_late, file), 0);
    assert_room(fixture);
    assert_int_equal(pthread_join(kernel, NULL), 0);
}

static void a_removed_file_that_is_open_keeps_what_was_written_on_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "open");
    struct tfs_file *filler;

    fixture_write_random(file, 0, TFS_MIB + 4321, 7);
    fixture_remove_file(fixture, "open");
    filler = fill_disk(fixture, "filler");
    fixture_assert_random(file, 0, TFS_MIB + 4321, 7);
    tfs_file_close(filler);
    tfs_file_close(file);
}

/* Also what is free again once everything is written back. */
static void fill_disk_to_the_brim(struct fixture *fixture)
{
    struct tfs_file *file = fill_disk(fixture, "filler");
    uint64_t end = 2ull * DISK_SIZE;
    uint64_t written = 1;

    while (written > 0) {
        assert_int_equal(tfs_file_sync(file, false), 0);
        written = write_until_full_at(file, end, DISK_SIZE);
        end += written;
    }
    tfs_file_close(file);
}

/* What the kernel hands over of a mapping and there is no room for. */
static void what_is_lost_of_a_mapping_is_told_to_all_until_it_is_stored_again(void **state)
{
    enum { PART_SIZE = 2 * 1024 * 1024 };
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "mapped");
    struct tfs_file *other = fixture_open_file(fixture, "mapped");
    uint8_t *bytes = malloc(PART_SIZE);
    struct tfs_read read;

    assert_non_null(bytes);
    fixture_fill(bytes, PART_SIZE, 1);
    fixture_truncate(fixture, tfs_file_inode(file), 4 * PART_SIZE);
    fixture_write(file, 0, bytes, PART_SIZE);
    fill_disk_to_the_brim(fixture);
    assert_int_equal(tfs_file_write(file, PART_SIZE, bytes, PART_SIZE, TFS_WRITE_BACK), -ENOSPC);
    assert_int_equal(upcall_notes_last(&told).to, 2 * PART_SIZE);
    assert_int_equal(tfs_file_write(file, 2 * PART_SIZE, bytes, PART_SIZE, TFS_WRITE_BACK),
                     -ENOSPC);
    assert_int_equal(upcall_notes_count(&told), 2);
    assert_int_equal(upcall_notes_last(&told).inode, tfs_file_inode(file));
    assert_true(upcall_notes_last(&told).from >= 2 * PART_SIZE);
    assert_int_equal(upcall_notes_last(&told).to, 3 * PART_SIZE);
    assert_int_equal(tfs_file_read(other, 2 * PART_SIZE - 1, 10, &read), -EIO);
    assert_int_equal(tfs_file_sync(other, false), -ENOSPC);
    assert_int_equal(tfs_file_sync(other, false), 0); /* once */
    assert_int_equal(tfs_file_flush(file), -ENOSPC);
    fixture_assert_random(other, 0, 4096, 1);
    fixture_remove_file(fixture, "filler");
    fixture_write(file, PART_SIZE, bytes, PART_SIZE);
    fixture_write(file, 2 * PART_SIZE, bytes, PART_SIZE);
    fixture_assert_random(other, 2 * PART_SIZE, 4096, 1);
    tfs_file_close(other);
    tfs_file_close(file);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(space_that_came_back_before_it_is_asked_for_is_waited_for,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_committed_file_that_is_removed_gives_room_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_is_removed_while_open_gives_room_when_it_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_was_never_committed_gives_room_when_it_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_could_not_be_written_back_gives_room_when_it_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_the_kernel_lets_go_of_a_little_late_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_removed_file_that_is_open_keeps_what_was_written_on_a_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_lost_of_a_mapping_is_told_to_all_until_it_is_stored_again, set_up, tear_down),
    };

    if (small_disk_enter() < 0)
        return 77; /* not root */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
