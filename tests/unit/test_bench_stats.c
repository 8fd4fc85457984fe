/*
 * Goal: the statistics that every result is given with.
 * Method: against values computed by hand, shown beside each test.
 */
#include "tools/bench/report/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_near(value, expected) assert_float_equal((float)(value), (float)(expected), 1e-5f)

/* Sum 40, mean 5; squared distances 9+1+1+1+0+0+4+16 = 32; 32 / 7 = 4.571428..., root 2.138089935.
 */
static void summary_of_eight_values_is_as_computed_by_hand(void **state)
{
    double values[] = {9, 2, 5, 4, 4, 5, 7, 4};
    struct stats_summary summary;

    (void)state;
    stats_summarise(values, 8, &summary);
    assert_int_equal(summary.count, 8);
    assert_near(summary.min, 2);
    assert_near(summary.max, 9);
    assert_near(summary.mean, 5);
    assert_near(summary.median, 4.5); /* between the fourth, 4, and the fifth, 5 */
    assert_near(summary.deviation, 2.138089935);
}

static void median_of_an_odd_number_is_the_middle_one(void **state)
{
    double values[] = {30, 10, 20};
    struct stats_summary summary;

    (void)state;
    stats_summarise(values, 3, &summary);
    assert_near(summary.median, 20);
    assert_near(summary.deviation, 10); /* (100 + 0 + 100) / 2 = 100 */
}

static void single_value_has_no_deviation(void **state)
{
    double values[] = {3.5};
    struct stats_summary summary;

    (void)state;
    stats_summarise(values, 1, &summary);
    assert_near(summary.mean, 3.5);
    assert_near(summary.median, 3.5);
    assert_near(summary.deviation, 0);
}

static void no_values_give_zeros_and_no_count(void **state)
{
    struct stats_summary summary = {.mean = 1};

    (void)state;
    stats_summarise(NULL, 0, &summary);
    assert_int_equal(summary.count, 0);
    assert_near(summary.mean, 0);
}

/* 1e9 + {1, 2, 3}: the one-pass formula would lose the spread of 1 in the last digits. */
static void small_spread_on_a_large_mean_is_not_lost(void **state)
{
    double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    struct stats_summary summary;

    (void)state;
    stats_summarise(values, 3, &summary);
    assert_near(summary.deviation, 1);
}

/* 1..5: rank 0.99 * 4 = 3.96, so 4 + 0.96 * (5 - 4) = 4.96. */
static void percentile_lies_between_the_nearest_ranks(void **state)
{
    static const double sorted[] = {1, 2, 3, 4, 5};

    (void)state;
    assert_near(stats_percentile(sorted, 5, 0.99), 4.96);
    assert_near(stats_percentile(sorted, 5, 0.5), 3);
    assert_near(stats_percentile(sorted, 5, 0), 1);
    assert_near(stats_percentile(sorted, 5, 1), 5);
    assert_near(stats_percentile(sorted, 1, 0.99), 1);
}

static void improvement_is_the_share_of_the_baseline_that_is_saved(void **state)
{
    (void)state;
    assert_near(stats_improvement_percent(10, 4), 60);
    assert_near(stats_improvement_percent(10, 10), 0);
    assert_near(stats_improvement_percent(10, 20), -100);
    assert_near(stats_improvement_percent(0, 5), 0);
}

/*
 * Means 10 and 12, deviation 1, three runs each: the standard error is sqrt(2/3) = 0.816, the
 * degrees of freedom are 4, t is 2.776: what is less than 2.27 may be chance, and 2 is.
 */
static void a_difference_that_repetitions_show_too_may_be_chance(void **state)
{
    struct stats_summary ten = {.count = 3, .mean = 10, .deviation = 1};
    struct stats_summary twelve = {.count = 3, .mean = 12, .deviation = 1};
    struct stats_summary more = {.count = 3, .mean = 12.3, .deviation = 1};
    struct stats_summary exact = {.count = 3, .mean = 10.1};
    struct stats_summary same = {.count = 3, .mean = 10};
    struct stats_summary single = {.count = 1, .mean = 1000};

    (void)state;
    assert_true(stats_may_be_chance(&ten, &twelve));
    assert_true(stats_may_be_chance(&twelve, &ten));
    assert_false(stats_may_be_chance(&ten, &more));
    assert_false(stats_may_be_chance(&ten, &ten));
    assert_false(stats_may_be_chance(&same, &exact));
    assert_true(stats_may_be_chance(&ten, &single));
    ten.count = 100;
    twelve.count = 100;
    assert_false(stats_may_be_chance(&ten, &twelve));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary_of_eight_values_is_as_computed_by_hand),
        cmocka_unit_test(median_of_an_odd_number_is_the_middle_one),
        cmocka_unit_test(single_value_has_no_deviation),
        cmocka_unit_test(no_values_give_zeros_and_no_count),
        cmocka_unit_test(small_spread_on_a_large_mean_is_not_lost),
        cmocka_unit_test(percentile_lies_between_the_nearest_ranks),
        cmocka_unit_test(improvement_is_the_share_of_the_baseline_that_is_saved),
        cmocka_unit_test(a_difference_that_repetitions_show_too_may_be_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
