/*
 * Goal: rounding and checked arithmetic are right at their limits, cleanup runs once and in order.
 * Method: hand-computed values around powers of two and around the largest integer.
 */
#include "store/base/clock.h"
#include "store/base/defs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void alignment_rounds_to_the_unit_and_keeps_multiples(void **state)
{
    (void)state;
    assert_true(tfs_align_up(0, 4096) == 0);
    assert_true(tfs_align_up(1, 4096) == 4096);
    assert_true(tfs_align_up(4096, 4096) == 4096);
    assert_true(tfs_align_up(4097, 4096) == 8192);
    assert_true(tfs_align_down(4095, 4096) == 0);
    assert_true(tfs_align_down(4096, 4096) == 4096);
    assert_true(tfs_align_down(UINT64_MAX, 4096) == UINT64_MAX - 4095);
    assert_true(tfs_align_up(7, 1) == 7);
}

static void powers_of_two_are_told_from_their_neighbours(void **state)
{
    (void)state;
    assert_false(tfs_is_power_of_two(0));
    assert_true(tfs_is_power_of_two(1));
    assert_true(tfs_is_power_of_two(1ull << 63));
    for (unsigned bit = 2; bit < 64; bit++) {
        assert_true(tfs_is_power_of_two(1ull << bit));
        assert_false(tfs_is_power_of_two((1ull << bit) - 1));
        assert_false(tfs_is_power_of_two((1ull << bit) + 1));
    }
}

static void sums_and_products_that_do_not_fit_are_reported(void **state)
{
    uint64_t result = 0;

    (void)state;
    assert_false(tfs_add_overflows(UINT64_MAX - 1, 1, &result));
    assert_true(result == UINT64_MAX);
    assert_true(tfs_add_overflows(UINT64_MAX, 1, &result));
    assert_false(tfs_mul_overflows(1ull << 32, (1ull << 32) - 1, &result));
    assert_true(result == ((1ull << 32) - 1) << 32);
    assert_true(tfs_mul_overflows(1ull << 32, 1ull << 32, &result));
    assert_false(tfs_mul_overflows(UINT64_MAX, 0, &result));
    assert_true(result == 0);
}

static void the_smaller_and_the_larger_are_found_whatever_the_order(void **state)
{
    (void)state;
    assert_true(tfs_min_u64(1, UINT64_MAX) == 1);
    assert_true(tfs_min_u64(UINT64_MAX, 1) == 1);
    assert_true(tfs_max_u64(1, UINT64_MAX) == UINT64_MAX);
    assert_true(tfs_max_u64(UINT64_MAX, 1) == UINT64_MAX);
}

static void count_cleanup(int **counter)
{
    if (*counter)
        (**counter)++;
}

static int *hand_on(int *counter)
{
    tfs_cleanup(count_cleanup) int *owned = counter;

    return TAKE_PTR(owned);
}

static void cleanup_runs_once_and_not_for_what_was_taken(void **state)
{
    int count = 0;

    (void)state;
    {
        tfs_cleanup(count_cleanup) int *owned = &count;

        assert_int_equal(*owned, 0);
    }
    assert_int_equal(count, 1);
    assert_ptr_equal(hand_on(&count), &count);
    assert_int_equal(count, 1);
}

static void a_member_leads_back_to_its_container(void **state)
{
    struct pair {
        char first;
        uint64_t second;
    } pair = {0};

    (void)state;
    assert_ptr_equal(tfs_container_of(&pair.second, struct pair, second), &pair);
    assert_int_equal(TFS_ARRAY_COUNT(((uint32_t[7]){0})), 7);
}

static void the_clock_never_goes_back(void **state)
{
    uint64_t before = tfs_clock_ns();

    (void)state;
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = tfs_clock_ns();

        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_rounds_to_the_unit_and_keeps_multiples),
        cmocka_unit_test(powers_of_two_are_told_from_their_neighbours),
        cmocka_unit_test(sums_and_products_that_do_not_fit_are_reported),
        cmocka_unit_test(the_smaller_and_the_larger_are_found_whatever_the_order),
        cmocka_unit_test(cleanup_runs_once_and_not_for_what_was_taken),
        cmocka_unit_test(a_member_leads_back_to_its_container),
        cmocka_unit_test(the_clock_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
