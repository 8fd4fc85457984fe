/*
 * Nothing here allocates; sorting is in place.
 */
#include "tools/bench/report/stats.h"

#include "store/base/median.h"

#include <assert.h>
#include <math.h>

void stats_summarise(double *values, size_t count, struct stats_summary *ret)
{
    struct stats_summary out = {.count = count};
    double squares = 0;
    double sum = 0;

    *ret = out;
    if (count == 0)
        return;
    out.median = tfs_median(values, count); /* sorts */
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    out.min = values[0];
    out.max = values[count - 1];
    out.mean = sum / (double)count;
    /* In two passes: the one-pass formula loses all digits when the spread is small against the
     * mean. */
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - out.mean) * (values[i] - out.mean);
    if (count > 1)
        out.deviation = sqrt(squares / (double)(count - 1));
    *ret = out;
}

double stats_percentile(const double *sorted, size_t count, double share)
{
    double rank;
    size_t below;

    assert(count > 0);
    assert(share >= 0 && share <= 1);
    rank = share * (double)(count - 1);
    below = (size_t)rank;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* Student's t for 95 %, two-sided, by degrees of freedom from 1; rounded down they are on the safe
 * side. Source: any table of the distribution. */
static double student_t(double freedom)
{
    static const double table[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                                   2.447,  2.365, 2.306, 2.262, 2.228};
    size_t row = (size_t)fmin(freedom, 1000);

    assert(row >= 1);
    return table[row < TFS_ARRAY_COUNT(table) ? row - 1 : TFS_ARRAY_COUNT(table) - 1];
}

bool stats_may_be_chance(const struct stats_summary *a, const struct stats_summary *b)
{
    double difference = fabs(a->mean - b->mean);
    double of_a;
    double of_b;
    double freedom;

    if (difference == 0)
        return false;
    if (a->count < 2 || b->count < 2)
        return true;
    of_a = a->deviation * a->deviation / (double)a->count;
    of_b = b->deviation * b->deviation / (double)b->count;
    if (of_a + of_b == 0)
        return false;
    freedom = (of_a + of_b) * (of_a + of_b) /
              (of_a * of_a / (double)(a->count - 1) + of_b * of_b / (double)(b->count - 1));
    return difference < student_t(fmax(freedom, 1)) * sqrt(of_a + of_b);
}

double stats_improvement_percent(double baseline, double value)
{
    if (baseline <= 0)
        return 0;
    return (baseline - value) / baseline * 100;
}
