/*
 * The gnuplot scripts. Each is complete: run `gnuplot NAME.gp` in the directory of its data.
 */
#ifndef TENSORFS_BENCH_PLOT_SCRIPTS_H
#define TENSORFS_BENCH_PLOT_SCRIPTS_H

extern const char plot_script_analysis[]; /* reads optimization_analysis.dat */
extern const char plot_script_scan[];     /* reads parameter_scan.dat */

#endif
