/*
 * What the benches of the codec share: the thread's clock, and medians of rounds.
 */
#ifndef TFS_BENCH_CODEC_TIMING_H
#define TFS_BENCH_CODEC_TIMING_H

enum { ROUNDS_MAX = 99 };

/* The thread's processor time in seconds. */
double timing_now(void);

/* Of 1..ROUNDS_MAX values. */
double timing_median(const double *values, unsigned count);

#endif
