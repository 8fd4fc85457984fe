/*
 * Pictures of results, drawn by gnuplot. The script and the data stay beside the picture, so that
 * it can be restyled.
 */
#ifndef TENSORFS_BENCH_PLOT_H
#define TENSORFS_BENCH_PLOT_H

#include "store/base/defs.h"

struct cJSON;

/*
 * Draw a sweep's results into `directory`: optimization_analysis.{png,gp,dat}, and where a
 * parameter scan was measured parameter_scan.{png,gp,dat}.
 *
 * Errors: said: -ENOENT (no gnuplot; script and data were written), -EIO (gnuplot failed), of
 * files, -EINVAL when these are not the results of a sweep.
 */
TFS_MUST_CHECK int plot_sweep(const struct cJSON *results, const char *directory);

#endif
