/*
 * Thresholds for CI: {"checks": [{"metric": "tests[auto_full].save.median", "min": 1, "max": 2},
 * ...]}, where a metric is a path into the results (json_place_resolve).
 */
#ifndef TENSORFS_BENCH_CHECK_H
#define TENSORFS_BENCH_CHECK_H

#include "store/base/defs.h"

#include <stdio.h>

struct cJSON;

/*
 * Compare and print a table to `out`. A metric that the results do not have is missed.
 *
 * Errors: -EINVAL (the file), said; -ERANGE when a threshold is missed.
 */
TFS_MUST_CHECK int check_file(const char *path, const struct cJSON *results, FILE *out);

/*
 * Whether the file could be used, asked before hours of measuring. What its metrics name shows only
 * in results.
 *
 * Errors: -EINVAL, said.
 */
TFS_MUST_CHECK int check_file_try(const char *path);

#endif
