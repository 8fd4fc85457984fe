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

#endif
