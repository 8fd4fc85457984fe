/*
 * What is between segment.h and an engine: which errors stay, what an engine without holes and
 * without resuming looks like, its alignment, its room, and what a crash may take.
 *
 * Method: the engine in memory, and copies of its table with a function of the test in it.
 */
#include "memory_segments.h"
#include "test_segment_fixture.h"

#include <errno.h>
#include <string.h>

enum { SMALL_UNIT = 512 }; /* the alignment of the engine in memory */

static struct segment_engine engine; /* of the test: segment_memory, with functions replaced */
static int sync_error;               /* of all calls from now on; 0: they are the engine's */
static unsigned synced;              /* calls */
static uint64_t disk_size;

static int sync_it(struct segment_store *store)
{
    synced++;
    return sync_error ? sync_error : segment_memory.sync(store);
}

static int space(struct segment_store *store, struct segment_space *ret)
{
    (void)store;
    *ret = (struct segment_space){.total = disk_size, .free = disk_size, .available = disk_size};
    return 0;
}

static int set_up(void **state)
{
    int err = fixture_set_up(state);
    struct fixture *fixture = *state;

    engine = segment_memory;
    engine.sync = sync_it;
    sync_error = 0;
    synced = 0;
    fixture->options.engine = &engine;
    fixture_reopen(fixture);
    return err;
}

static int tear_down(void **state)
{
    int err = fixture_tear_down(state);

    memory_segments_forget_all();
    return err;
}

static void a_sync_that_timed_out_can_be_made_again(void **state)
{
    struct fixture *fixture = *state;

    (void)append(fixture, UNIT, 1);
    sync_error = -ETIMEDOUT;
    assert_int_equal(segments_sync(fixture->segments), -ETIMEDOUT);
    assert_int_equal(segments_health(fixture->segments), 0);
    sync_error = 0;
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(synced, 2);
}

static void any_other_error_of_a_sync_stays(void **state)
{
    struct fixture *fixture = *state;

    (void)append(fixture, UNIT, 1);
    sync_error = -EIO;
    assert_int_equal(segments_sync(fixture->segments), -EIO);
    sync_error = 0;
    assert_int_equal(segments_sync(fixture->segments), -EIO);
    assert_int_equal(synced, 1);
    assert_int_equal(segments_health(fixture->segments), -EIO);
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), -EIO);
}

static void an_engine_that_cannot_punch_or_resume_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, UNIT, 1);

    assert_int_equal(segments_punch(fixture->segments, at, UNIT), -EOPNOTSUPP);
    fixture_reopen(fixture);
    assert_int_equal(segments_resume(fixture->segments, at.number, UNIT), -EOPNOTSUPP);
    assert_int_not_equal(append(fixture, UNIT, 2).number, at.number);
    assert_stored(fixture, at, 0, UNIT, 1);
}

static void the_alignment_is_the_engines(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    assert_int_equal(segments_alignment(fixture->segments), SMALL_UNIT);
    assert_int_equal(append(fixture, SMALL_UNIT, 1).offset, 0);
    at = append(fixture, 3 * SMALL_UNIT, 2);
    assert_int_equal(at.offset, SMALL_UNIT);
    assert_stored(fixture, at, 0, 3 * SMALL_UNIT, 2);
    assert_stored(fixture, at, 17, SMALL_UNIT, 2);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, SMALL_UNIT / 2, &at),
                     -EINVAL);
}

static uint64_t left_of_disk(struct fixture *fixture, uint64_t size)
{
    struct segment_space found;

    disk_size = size;
    engine.space = space;
    fixture->options.reserve_size_min = 4 * TFS_MIB;
    fixture->options.reserve_size_max = 16 * TFS_MIB;
    fixture_reopen(fixture);
    assert_int_equal(segments_space(fixture->segments, &found), 0);
    assert_int_equal(found.total, size);
    return found.available;
}

static void a_part_of_the_engines_room_is_left_free(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(left_of_disk(fixture, 64 * TFS_MIB), 60 * TFS_MIB);   /* not less */
    assert_int_equal(left_of_disk(fixture, 512 * TFS_MIB), 504 * TFS_MIB); /* a 64th */
    assert_int_equal(left_of_disk(fixture, 4 * TFS_GIB), 4 * TFS_GIB - 16 * TFS_MIB);
}

static void a_crash_leaves_what_was_synced(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position synced_at = append(fixture, 2 * UNIT, 1);
    struct segment_position lost;
    const uint8_t *data;

    assert_int_equal(segments_sync(fixture->segments), 0);
    lost = append(fixture, UNIT, 2);
    memory_segments_crash(fixture->options.path, "after");
    assert_stored(fixture, lost, 0, UNIT, 2); /* it lives on */
    assert_int_equal(segments_close(TAKE_PTR(fixture->segments)), 0);
    fixture->options.path = "after";
    assert_int_equal(segments_open(&fixture->options, &fixture->segments), 0);
    assert_stored(fixture, synced_at, 0, 2 * UNIT, 1);
    assert_int_equal(
        segments_read(fixture->segments, lost, UNIT, fixture->buffer, BUFFER_SIZE, &data),
        -EUCLEAN);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sync_that_timed_out_can_be_made_again),       TEST(any_other_error_of_a_sync_stays),
        TEST(an_engine_that_cannot_punch_or_resume_says_so), TEST(the_alignment_is_the_engines),
        TEST(a_part_of_the_engines_room_is_left_free),       TEST(a_crash_leaves_what_was_synced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
