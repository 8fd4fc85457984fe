/*
 * Results as JSON, in the shape that bench/configs/ has schemas for. cJSON reports failure as NULL
 * and accepts NULL, so a result that ran out of memory is incomplete; results_new tells when not
 * even its head could be built.
 */
#ifndef TENSORFS_BENCH_RESULTS_H
#define TENSORFS_BENCH_RESULTS_H

#include "tools/bench/report/stats.h"

#include <cjson/cJSON.h>

struct target_settings;

/*
 * Start the results of a command: tool, version, command, seed and environment.
 *
 * Ownership: *ret is freed with cJSON_Delete. Errors: -ENOMEM, said.
 */
TFS_MUST_CHECK int results_new(const char *command, const struct target_settings *target,
                               uint64_t seed, cJSON **ret);

/* Add `name`: {"runs": [...], "min", "median", "mean", "max", "stddev"} and return the summary. */
struct stats_summary results_add_summary(cJSON *object, const char *name, const double *values,
                                         size_t count);

/*
 * Sort the latencies, in microseconds, and add "mean_us", "p50_us" and "p99_us"; of none, nothing.
 *
 * Returns: their summary.
 */
struct stats_summary results_add_latencies(cJSON *object, double *us, size_t count);

/* A cell of a table. */
struct results_cell {
    char text[32];
};

/* The deviation of a summary; "-" of a single run, which has none. */
struct results_cell results_deviation(const struct cJSON *summary);

/* The improvement of a sweep's test in per cent, in brackets where it may be chance. */
struct results_cell results_improvement(const struct cJSON *test, const char *value);

#endif
