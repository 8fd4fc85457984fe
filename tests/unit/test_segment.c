/*
 * Segments as one thread sees them.
 */
#include "test_segment_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_appended_is_read_back_at_any_offset_and_size,
                                        fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
