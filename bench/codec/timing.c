#include "bench/codec/timing.h"

#include "store/base/median.h"

#include <string.h>
#include <time.h>

double timing_now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* cannot fail */
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

double timing_median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, values, count * sizeof(*values));
    return tfs_median(sorted, count);
}
