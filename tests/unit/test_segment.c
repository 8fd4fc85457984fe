/*
 * Segments as one thread sees them: appends, reads, what is refused, sealing, resuming, punching,
 * removing, the walk over all.
 */
#include "test_segment_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void segment_path(const struct fixture *fixture, uint64_t number, char *ret, size_t size)
{
    assert_true((size_t)snprintf(ret, size, "%s/%016llx.seg", fixture->directory,
                                 (unsigned long long)number) < size);
}

static struct stat segment_stat(const struct fixture *fixture, uint64_t number)
{
    char path[400];
    struct stat status;

    segment_path(fixture, number, path, sizeof(path));
    assert_int_equal(stat(path, &status), 0);
    return status;
}

static void assert_unreadable(struct fixture *fixture, struct segment_position at, size_t size,
                              int error)
{
    const uint8_t *data = NULL;

    assert_int_equal(
        segments_read(fixture->segments, at, size, fixture->buffer, BUFFER_SIZE, &data), error);
    assert_null(data);
}

static void what_was_appended_is_read_back_at_any_offset_and_size(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 3 * UNIT, 1);

    assert_int_equal(at.number, 1);
    assert_int_equal(at.offset, 0);
    assert_stored(fixture, at, 0, 3 * UNIT, 1);
    assert_stored(fixture, at, 0, 1, 1);
    assert_stored(fixture, at, UNIT - 1, 2, 1);
    assert_stored(fixture, at, 3 * UNIT - 1, 1, 1);
    assert_stored(fixture, at, 17, 2 * UNIT, 1);
    assert_int_equal(segments_sync(fixture->segments), 0);
    fixture_reopen(fixture);
    assert_stored(fixture, at, 0, 3 * UNIT, 1);
    assert_stored(fixture, at, UNIT + 5, 100, 1);
}

static void buffered_segments_hold_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fixture->options.direct = false;
    fixture_reopen(fixture);
    at = append(fixture, 3 * UNIT, 1);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_stored(fixture, at, 17, 2 * UNIT, 1);

    /* And the other way reads it too. */
    fixture->options.direct = true;
    fixture_reopen(fixture);
    assert_stored(fixture, at, 17, 2 * UNIT, 1);
}

static void appends_follow_each_other_and_go_on_in_the_next_segment_when_one_is_full(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position first = append(fixture, TFS_MIB - UNIT, 1);
    struct segment_position second = append(fixture, UNIT, 2); /* fits exactly */
    struct segment_position third = append(fixture, UNIT, 3);
    struct segment_position whole = append(fixture, TFS_MIB, 4); /* a segment of its own */
    struct segment_position last = append(fixture, UNIT, 5);

    assert_int_equal(first.offset, 0);
    assert_int_equal(second.number, first.number);
    assert_int_equal(second.offset, TFS_MIB - UNIT);
    assert_int_equal(third.number, first.number + 1);
    assert_int_equal(third.offset, 0);
    assert_int_equal(whole.number, third.number + 1);
    assert_int_equal(last.number, whole.number + 1);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_stored(fixture, first, 0, TFS_MIB - UNIT, 1);
    assert_stored(fixture, second, 0, UNIT, 2);
    assert_stored(fixture, third, 0, UNIT, 3);
    assert_stored(fixture, whole, 0, TFS_MIB, 4);
    assert_stored(fixture, last, 0, UNIT, 5);
}

static void appends_of_a_wrong_size_or_alignment_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = {.number = 99};

    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, 0, &at), -EINVAL);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, UNIT - 1, &at), -EINVAL);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer + 512, UNIT, &at), -EINVAL);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, TFS_MIB + UNIT, &at),
                     -EINVAL);
    assert_int_equal(at.number, 99);
    assert_int_equal(append(fixture, UNIT, 1).offset, 0); /* nothing was used up */
}

static void pieces_of_a_wrong_number_size_or_alignment_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 4 * UNIT, 1);
    struct segment_position odd = {at.number, 512};
    struct segment_position none = {.number = 99};
    struct iovec pieces[SEGMENT_PIECES_MAX + 1];

    for (int i = 0; i <= SEGMENT_PIECES_MAX; i++)
        pieces[i] = segment_piece(fixture->buffer, UNIT);
    assert_int_equal(segments_appendv(fixture->segments, pieces, 0, &none), -EINVAL);
    assert_int_equal(segments_appendv(fixture->segments, pieces, SEGMENT_PIECES_MAX + 1, &none),
                     -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, at, UNIT, pieces, 0), -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, odd, UNIT, pieces, 1), -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, at, UNIT + 1, pieces, 1), -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, at, 0, pieces, 1), -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, at, 4 * UNIT + 1, pieces, 5), -EUCLEAN);
    pieces[1] = segment_piece(fixture->buffer, UNIT - 1);
    assert_int_equal(segments_appendv(fixture->segments, pieces, 2, &none), -EINVAL);
    pieces[1] = segment_piece(fixture->buffer + 512, UNIT);
    assert_int_equal(segments_appendv(fixture->segments, pieces, 2, &none), -EINVAL);
    assert_int_equal(segments_readv(fixture->segments, at, 2 * UNIT, pieces, 2), -EINVAL);
    assert_int_equal(none.number, 99);
    assert_int_equal(append(fixture, UNIT, 1).offset, 4 * UNIT); /* nothing was used up */
}

static void reads_beyond_the_end_are_corruption_not_zeros(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 2 * UNIT, 1);
    struct segment_position end = {at.number, 2 * UNIT};
    struct segment_position far = {at.number, UINT64_MAX - 10};

    /* The active segment is longer on disk, preallocated; not in memory. */
    assert_true(segment_stat(fixture, at.number).st_size > 2 * UNIT || is_in_memory(fixture));
    assert_unreadable(fixture, at, 2 * UNIT + 1, -EUCLEAN);
    assert_unreadable(fixture, end, 1, -EUCLEAN);
    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_unreadable(fixture, at, 2 * UNIT + 1, -EUCLEAN);
    assert_unreadable(fixture, end, 1, -EUCLEAN);
    end.offset += 10 * UNIT;
    assert_unreadable(fixture, end, 1, -EUCLEAN);
    assert_unreadable(fixture, far, 5, -EINVAL); /* no buffer is large enough to be asked for it */
}

static void reads_of_a_segment_that_is_not_there_are_enoent(void **state)
{
    struct fixture *fixture = *state;

    assert_unreadable(fixture, (struct segment_position){12345, 0}, 1, -ENOENT);
}

static void a_read_buffer_must_be_aligned_and_large_enough(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 2 * UNIT, 1);
    const uint8_t *data;

    assert_int_equal(segment_read_capacity(0, UNIT), UNIT);
    assert_int_equal(segment_read_capacity(UNIT - 1, 2), 2 * UNIT);
    assert_int_equal(segment_read_capacity(5, 0), UNIT);
    assert_int_equal(segment_read_capacity(UINT64_MAX, 2), SIZE_MAX);
    at.offset = UNIT - 1;
    assert_int_equal(segments_read(fixture->segments, at, 2, fixture->buffer, 2 * UNIT - 1, &data),
                     -EINVAL);
    assert_int_equal(segments_read(fixture->segments, at, 2, fixture->buffer + 8, 2 * UNIT, &data),
                     -EINVAL);
    assert_int_equal(segments_read(fixture->segments, at, 2, fixture->buffer, 2 * UNIT, &data), 0);
}

static void a_small_store_does_not_look_large_and_gives_back_what_it_does_not_use(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    fixture->options.segment_size_max = 256 * TFS_MIB;
    fixture_reopen(fixture);
    (void)append(fixture, UNIT, 1);
    status = segment_stat(fixture, 1);
    assert_true(status.st_size <= (off_t)TFS_MIB);
    assert_true(status.st_blocks * 512 <= (off_t)TFS_MIB + 64 * 1024);
    for (uint64_t i = 2; i < 20; i++)
        (void)append(fixture, TFS_MIB, i);
    status = segment_stat(fixture, 1);
    assert_true(status.st_size <=
                2 * 19 * (off_t)TFS_MIB); /* never more than twice what was appended */
    assert_int_equal(segments_seal(fixture->segments), 0);
    status = segment_stat(fixture, 1);
    assert_int_equal(status.st_size, UNIT + 18 * TFS_MIB);
    assert_true(status.st_blocks * 512 <= status.st_size + 64 * 1024);
}

static void a_resumed_segment_goes_on_where_told_and_forgets_what_lies_behind(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position kept = append(fixture, UNIT, 1);
    struct segment_position dropped = append(fixture, 2 * UNIT, 2);
    struct segment_position at;

    fixture_reopen(fixture);
    assert_int_equal(segments_resume(fixture->segments, kept.number, UNIT), 0);
    assert_unreadable(fixture, dropped, UNIT, -EUCLEAN);
    at = append(fixture, UNIT, 3);
    assert_int_equal(at.number, kept.number);
    assert_int_equal(at.offset, UNIT);
    assert_stored(fixture, kept, 0, UNIT, 1);
    assert_stored(fixture, at, 0, UNIT, 3);
    assert_unreadable(fixture, at, 2 * UNIT, -EUCLEAN);
    fixture_reopen(fixture);
    assert_stored(fixture, kept, 0, UNIT, 1);
    assert_stored(fixture, at, 0, UNIT, 3);
    assert_int_equal(segment_stat(fixture, kept.number).st_size, 2 * UNIT);
}

static void a_segment_resumed_at_its_limit_is_followed_by_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, TFS_MIB, 1);

    fixture_reopen(fixture);
    assert_int_equal(segments_resume(fixture->segments, at.number, TFS_MIB), 0);
    assert_int_equal(append(fixture, UNIT, 2).number, at.number + 1);
    assert_stored(fixture, at, 0, TFS_MIB, 1);
}

static void resuming_what_cannot_be_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(segments_resume(fixture->segments, 77, 0), -ENOENT);
    (void)append(fixture, UNIT, 1);
    assert_int_equal(segments_resume(fixture->segments, 1, UNIT),
                     -EBUSY); /* one is active already */
    fixture_reopen(fixture);
    assert_int_equal(segments_resume(fixture->segments, 1, UNIT + 1), -EUCLEAN);
    assert_int_equal(segments_resume(fixture->segments, 1, 2 * TFS_MIB), -EUCLEAN);
    assert_int_equal(segments_resume(fixture->segments, 1, 2 * UNIT),
                     -EUCLEAN); /* shorter than that */
    assert_int_equal(segments_resume(fixture->segments, 1, UNIT), 0);
}

static void a_number_whose_file_exists_is_not_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, UNIT, 1);

    assert_int_equal(segments_seal(fixture->segments), 0);
    fixture->number = 0; /* the counter was lost */
    fill(fixture->buffer, UNIT, 2);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, UNIT, &at), -EUCLEAN);
    assert_stored(fixture, at, 0, UNIT, 1);
    assert_int_equal(append(fixture, UNIT, 3).number, 2);
}

static void punching_gives_back_whole_units_inside_the_range_only(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 64 * UNIT, 1);
    struct segment_position inside = {at.number, UNIT - 1};
    struct segment_position small = {at.number, 40 * UNIT + 1};
    blkcnt_t before;
    const uint8_t *data;
    int err;

    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_int_equal(segments_sync(fixture->segments), 0);
    before = segment_stat(fixture, at.number).st_blocks;
    err = segments_punch(fixture->segments, inside, 31 * UNIT + 2); /* units 1 to 31 */
    if (err == -EOPNOTSUPP) {
        print_message("no holes on this filesystem\n");
        skip();
    }
    assert_int_equal(err, 0);
    assert_int_equal(segments_punch(fixture->segments, small, UNIT), 0); /* no whole unit */
    assert_int_equal(segments_punch(fixture->segments, small, 0), 0);
    assert_true(segment_stat(fixture, at.number).st_blocks <= before - 31 * UNIT / 512);
    assert_int_equal(segment_stat(fixture, at.number).st_size, 64 * UNIT);
    assert_stored(fixture, at, 0, UNIT, 1);
    assert_stored(fixture, at, 32 * UNIT, 32 * UNIT, 1);
    at.offset = UNIT;
    assert_int_equal(
        segments_read(fixture->segments, at, UNIT, fixture->buffer, BUFFER_SIZE, &data), 0);
    assert_int_equal(data[0], 0);
    at.number = 55;
    assert_int_equal(segments_punch(fixture->segments, at, UNIT), -ENOENT);
}

static void punching_the_active_segment_beyond_its_end_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, 2 * UNIT, 1);

    assert_int_equal(segments_punch(fixture->segments, at, 3 * UNIT), -EUCLEAN);
    assert_stored(fixture, at, 0, 2 * UNIT, 1);
    assert_int_equal(segments_punch(fixture->segments, at, UNIT), 0);
    assert_stored(fixture, at, UNIT, UNIT, 1);
}

static void a_sealed_segment_can_be_removed_and_the_active_one_not(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, UNIT, 1);

    assert_int_equal(segments_remove(fixture->segments, at.number), -EBUSY);
    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_int_equal(segments_seal(fixture->segments), 0); /* nothing to seal is no error */
    assert_stored(fixture, at, 0, UNIT, 1);
    assert_int_equal(segments_remove(fixture->segments, at.number), 0); /* not even synced yet */
    assert_unreadable(fixture, at, UNIT, -ENOENT);
    assert_int_equal(segments_remove(fixture->segments, at.number), -ENOENT);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(append(fixture, UNIT, 2).number, at.number + 1);
}

static void more_segments_are_read_than_files_are_kept_open(void **state)
{
    enum { COUNT = 150 };
    struct fixture *fixture = *state;
    struct segment_position at[COUNT];

    for (uint64_t i = 0; i < COUNT; i++) {
        at[i] = append(fixture, UNIT, i);
        assert_int_equal(segments_seal(fixture->segments), 0);
    }
    assert_int_equal(segments_sync(fixture->segments), 0);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < COUNT; i++)
            assert_stored(fixture, at[i], 0, UNIT, i);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(segments_remove(fixture->segments, at[i].number), 0);
}

struct walk {
    struct segment_status seen[8];
    size_t count;
    int result;
};

static int walk_visit(void *context, const struct segment_status *status)
{
    struct walk *walk = context;

    if (walk->count < TFS_ARRAY_COUNT(walk->seen))
        walk->seen[walk->count] = *status;
    walk->count++;
    return walk->result;
}

static void touch(const struct fixture *fixture, const char *name)
{
    char path[400];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void the_walk_visits_all_segments_by_number_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct walk walk = {.result = 0};

    assert_int_equal(segments_visit(fixture->segments, walk_visit, &walk), 0);
    assert_int_equal(walk.count, 0);
    fixture->number = 0x1f; /* the order of numbers, not of names made shorter */
    (void)append(fixture, 2 * UNIT, 1);
    assert_int_equal(segments_seal(fixture->segments), 0);
    fixture->number = 0x9;
    (void)append(fixture, UNIT, 2);
    assert_int_equal(segments_seal(fixture->segments), 0);
    (void)append(fixture, UNIT, 3);
    touch(fixture, "0000000000000000.seg");
    touch(fixture, "000000000000000A.seg");
    touch(fixture, "0000000000000001.seg.old");
    touch(fixture, "1.seg");
    touch(fixture, "notes");

    assert_int_equal(segments_visit(fixture->segments, walk_visit, &walk), 0);
    assert_int_equal(walk.count, 3);
    assert_int_equal(walk.seen[0].number, 0xa);
    assert_int_equal(walk.seen[0].size, UNIT);
    assert_false(walk.seen[0].active);
    assert_int_equal(walk.seen[1].number, 0xb);
    assert_int_equal(walk.seen[1].size, UNIT); /* not what is preallocated */
    assert_true(walk.seen[1].active);
    assert_int_equal(walk.seen[2].number, 0x20);
    assert_int_equal(walk.seen[2].size, 2 * UNIT);
    assert_true(walk.seen[2].allocated >= 2 * UNIT);
}

static void a_visitor_that_fails_ends_the_walk(void **state)
{
    struct fixture *fixture = *state;
    struct walk walk = {.result = -EINTR};

    (void)append(fixture, UNIT, 1);
    assert_int_equal(segments_seal(fixture->segments), 0);
    (void)append(fixture, UNIT, 2);
    assert_int_equal(segments_visit(fixture->segments, walk_visit, &walk), -EINTR);
    assert_int_equal(walk.count, 1);
}

static void read_only_segments_are_read_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at = append(fixture, UNIT, 1);
    struct segment_position none;
    struct walk walk = {.result = 0};

    fixture->options.read_only = true;
    fixture_reopen(fixture);
    assert_stored(fixture, at, 0, UNIT, 1);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, UNIT, &none), -EROFS);
    assert_int_equal(segments_punch(fixture->segments, at, UNIT), -EROFS);
    assert_int_equal(segments_remove(fixture->segments, at.number), -EROFS);
    assert_int_equal(segments_resume(fixture->segments, at.number, UNIT), -EROFS);
    assert_int_equal(segments_seal(fixture->segments), 0);
    assert_int_equal(segments_sync(fixture->segments), 0);
    assert_int_equal(segments_visit(fixture->segments, walk_visit, &walk), 0);
    assert_int_equal(walk.count, 1);
}

static int number_refuse(void *context, uint64_t *ret)
{
    (void)context;
    (void)ret;
    return -EDQUOT;
}

static void an_append_that_gets_no_number_fails_with_that_error(void **state)
{
    struct fixture *fixture = *state;
    struct segment_position at;

    fixture->options.take_number = number_refuse;
    fixture_reopen(fixture);
    assert_int_equal(append_bytes(fixture->segments, fixture->buffer, UNIT, &at), -EDQUOT);
}

static void opening_with_a_bad_size_or_path_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct segments_options options = fixture->options;
    struct tfs_segments *segments;

    options.segment_size_max = UNIT - 1;
    assert_int_equal(segments_open(&options, &segments), -EINVAL);
    options.segment_size_max = UINT64_MAX;
    assert_int_equal(segments_open(&options, &segments), -EINVAL);
    options.segment_size_max = UNIT;
    options.path = "/nowhere/at/all";
    assert_int_equal(segments_open(&options, &segments), -ENOENT);
    assert_int_equal(segments_close(NULL), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_appended_is_read_back_at_any_offset_and_size),
        TEST(buffered_segments_hold_the_same),
        TEST(appends_follow_each_other_and_go_on_in_the_next_segment_when_one_is_full),
        TEST(appends_of_a_wrong_size_or_alignment_are_refused),
        TEST(pieces_of_a_wrong_number_size_or_alignment_are_refused),
        TEST(reads_beyond_the_end_are_corruption_not_zeros),
        TEST(reads_of_a_segment_that_is_not_there_are_enoent),
        TEST(a_read_buffer_must_be_aligned_and_large_enough),
        TEST(a_small_store_does_not_look_large_and_gives_back_what_it_does_not_use),
        TEST(a_resumed_segment_goes_on_where_told_and_forgets_what_lies_behind),
        TEST(a_segment_resumed_at_its_limit_is_followed_by_a_new_one),
        TEST(resuming_what_cannot_be_is_refused),
        TEST(a_number_whose_file_exists_is_not_overwritten),
        TEST(punching_gives_back_whole_units_inside_the_range_only),
        TEST(punching_the_active_segment_beyond_its_end_is_refused),
        TEST(a_sealed_segment_can_be_removed_and_the_active_one_not),
        TEST(more_segments_are_read_than_files_are_kept_open),
        TEST(the_walk_visits_all_segments_by_number_and_nothing_else),
        TEST(a_visitor_that_fails_ends_the_walk),
        TEST(read_only_segments_are_read_and_nothing_else),
        TEST(an_append_that_gets_no_number_fails_with_that_error),
        TEST(opening_with_a_bad_size_or_path_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
