/*
 * Work on several threads: a loop shared out among them, or ranks that start together.
 */
#ifndef TENSORFS_BENCH_WORKERS_H
#define TENSORFS_BENCH_WORKERS_H

#include "store/base/defs.h"

enum { WORKERS_MAX = 1024 };

typedef int workers_function(void *argument, size_t index);

/* Cores that this process may use, at least 1. */
unsigned workers_core_count(void);

/*
 * Call function(argument, i) for every i below `count`, on up to `threads` threads, the caller's
 * among them. The first error stops the handing out of further indices.
 *
 * Returns: 0, or the first error.
 * Errors:  those of the function; -EINTR. Threads that cannot be started are done without.
 */
TFS_MUST_CHECK int workers_run(unsigned threads, size_t count, workers_function *function,
                               void *argument);

/*
 * Call function(argument, r) on `ranks` threads at once, one each, released together by a barrier.
 * The time of rank r, from the barrier to its return, goes to ret_seconds[r].
 *
 * Returns: 0, or an error of one rank.
 * Errors:  those of the function; of pthread_create, said, when a rank could not be started;
 * -ENOMEM.
 */
TFS_MUST_CHECK int workers_run_ranks(unsigned ranks, workers_function *function, void *argument,
                                     double *ret_seconds);

#endif
