/*
 * Goal: a median is that of the numbers, whatever their order and whether they are even or odd in
 * number. Method: small arrays whose medians are known.
 */
#include "store/base/median.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void of_an_odd_number_it_is_the_one_in_the_middle(void **state)
{
    double values[] = {9, 1, 5};

    (void)state;
    assert_true(tfs_median(values, 3) == 5);
    assert_true(tfs_median(values, 1) == values[0]);
}

static void of_an_even_number_it_is_the_mean_of_the_two_in_the_middle(void **state)
{
    double values[] = {100, 2, -1, 3};

    (void)state;
    assert_true(tfs_median(values, 4) == 2.5);
    assert_true(tfs_median(values, 2) == 0.5); /* sorted by now: -1 and 2 */
}

static void the_values_are_left_sorted(void **state)
{
    double values[] = {0.5, -3, 7, 0.25, -3};

    (void)state;
    assert_true(tfs_median(values, 5) == 0.25);
    for (int i = 1; i < 5; i++)
        assert_true(values[i - 1] <= values[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_an_odd_number_it_is_the_one_in_the_middle),
        cmocka_unit_test(of_an_even_number_it_is_the_mean_of_the_two_in_the_middle),
        cmocka_unit_test(the_values_are_left_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
