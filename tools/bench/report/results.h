/*
 * Results as JSON, in the shape that bench/configs/ has schemas for. cJSON reports failure as NULL
 * and accepts NULL, so a result that ran out of memory is incomplete; results_new tells when not
 * even its head could be built.
 */
#ifndef TENSORFS_BENCH_RESULTS_H
#define TENSORFS_BENCH_RESULTS_H

#include "tools/bench/command/common.h"
#include "tools/bench/report/stats.h"

#include <cjson/cJSON.h>

/*
 * Start the results of a command: tool, version, command, seed and environment.
 *
 * Ownership: *ret is freed with cJSON_Delete. Errors: -ENOMEM, said.
 */
TFS_MUST_CHECK int results_new(const char *command, const struct common_settings *settings,
                               cJSON **ret);

/* For tfs_cleanup. */
void results_delete_p(cJSON **results);

/* Add `name`: {"runs": [...], "min", "median", "mean", "max", "stddev"} and return the summary. */
struct stats_summary results_add_summary(cJSON *object, const char *name, const double *values,
                                         size_t count);

/* Write it to a file. Errors: said. */
TFS_MUST_CHECK int results_write(const cJSON *results, const char *path);

/* Read a text file of at most 64 MiB. Ownership: *ret is freed by the caller. Errors: said;
 * -EINVAL: no such file. */
TFS_MUST_CHECK int results_read_text(const char *path, char **ret);

/*
 * Read and parse a JSON file. `ret_text` is for json_place_find.
 *
 * Ownership: *ret_text is freed by the caller, *ret with cJSON_Delete.
 * Errors:    said, with the line of a syntax error.
 */
TFS_MUST_CHECK int results_read(const char *path, char **ret_text, cJSON **ret);

/* A cell of a table. */
struct results_cell {
    char text[32];
};

/* The deviation of a summary; "-" of a single run, which has none. */
struct results_cell results_deviation(const struct cJSON *summary);

/* The improvement of a sweep's test in per cent, in brackets where it may be chance. */
struct results_cell results_improvement(const struct cJSON *test, const char *value);

#endif
