/*
 * Nothing here allocates; sorting is in place.
 */
#include "tools/bench/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int stats_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

void stats_summarise(double *values, size_t count, struct stats_summary *ret)
{
    struct stats_summary out = {.count = count};
    double squares = 0;
    double sum = 0;

    *ret = out;
    if (count == 0)
        return;
    qsort(values, count, sizeof(*values), stats_compare);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    out.min = values[0];
    out.max = values[count - 1];
    out.mean = sum / (double)count;
    out.median = stats_percentile(values, count, 0.5);
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

double stats_improvement_percent(double baseline, double value)
{
    if (baseline <= 0)
        return 0;
    return (baseline - value) / baseline * 100;
}
