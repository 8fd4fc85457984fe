/*
 * Statistics over repeated measurements. Pure functions of numbers.
 */
#ifndef TENSORFS_BENCH_STATS_H
#define TENSORFS_BENCH_STATS_H

#include "store/base/defs.h"

/* Empty samples give all zeros and count 0. */
struct stats_summary {
    size_t count;
    double min;
    double median;
    double mean;
    double max;
    double deviation; /* of the sample: divided by n - 1; 0 for a single value */
};

/* Sorts `values` in place. */
void stats_summarise(double *values, size_t count, struct stats_summary *ret);

/*
 * The value below which a share of the samples lies, 0 <= share <= 1, linear between the two
 * nearest ranks: rank = share * (count - 1), as numpy's default does it. `sorted` ascending, count
 * >= 1.
 */
double stats_percentile(const double *sorted, size_t count, double share);

/*
 * By how many per cent `value` takes less than `baseline`: (baseline - value) / baseline * 100.
 * Positive is faster or smaller; twice the time is -100. 0 when the baseline is not positive.
 */
double stats_improvement_percent(double baseline, double value);

/*
 * Whether two means differ by so little that repetitions of the same might: Welch's t-test, which
 * lets 5 of 100 such differences pass for real ones. Of a single value nothing is known, and it may
 * be chance; equal means are no difference, and not called chance.
 */
bool stats_may_be_chance(const struct stats_summary *a, const struct stats_summary *b);

#endif
