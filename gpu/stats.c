/*
 * A tensor's statistics out of its leaves'. On the host for every device, one addition after the
 * other.
 */
#include "gpu/gpu.h"

#include <math.h>

void gpu_stats_init(struct gpu_stats *stats)
{
    *stats = (struct gpu_stats){.min = INFINITY, .max = -INFINITY};
}

void gpu_stats_add(struct gpu_stats *stats, const struct gpu_leaf *leaf, uint64_t element_count)
{
    stats->element_count += element_count;
    stats->nan_count += leaf->nan_count;
    stats->inf_count += leaf->inf_count;
    stats->zero_count += leaf->zero_count;
    stats->sum += leaf->sum;
    stats->square_sum += leaf->square_sum;
    stats->min = leaf->min < stats->min ? leaf->min : stats->min;
    stats->max = leaf->max > stats->max ? leaf->max : stats->max;
}

void gpu_stats_summarise(const struct gpu_stats *stats, struct gpu_summary *ret)
{
    uint64_t finite_count = stats->element_count - stats->nan_count - stats->inf_count;

    if (finite_count == 0) {
        *ret = (struct gpu_summary){.min = NAN, .max = NAN, .mean = NAN, .norm = NAN};
        return;
    }
    ret->min = stats->min;
    ret->max = stats->max;
    ret->mean = stats->sum / (double)finite_count;
    ret->norm = sqrt(stats->square_sum);
}
