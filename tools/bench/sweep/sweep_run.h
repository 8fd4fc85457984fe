/*
 * Measuring a sweep: every test on a fresh store, in rounds, so that a noisy minute hits all tests
 * alike.
 */
#ifndef TENSORFS_BENCH_SWEEP_RUN_H
#define TENSORFS_BENCH_SWEEP_RUN_H

#include "tools/bench/report/results.h"
#include "tools/bench/sweep/sweep_config.h"
#include "tools/bench/workload/checkpoint.h"

struct target_settings;

enum sweep_value {
    SWEEP_SAVE,     /* s: until fsync of the slowest rank returned */
    SWEEP_LOAD,     /* s: cold */
    SWEEP_STORED,   /* bytes of the whole store on disk, its index included */
    SWEEP_SAVE_CPU, /* s: of the daemon while saving */
    SWEEP_LOAD_CPU, /* s: of the daemon while loading */
    SWEEP_VALUE_COUNT
};

struct sweep_samples {
    double values[SWEEP_VALUE_COUNT][SWEEP_RUNS_MAX];
    unsigned count; /* runs that are complete */
};

struct sweep {
    const struct target_settings *target;
    const struct sweep_config *config;
    size_t test_count; /* without those of the scan when it is not asked for */
    struct checkpoint *checkpoint;
    struct sweep_samples *samples; /* one for each test */
    const char *cold;              /* how caches were cleared, for people */
};

/*
 * Generate the model and allocate. Stores are made below target->store_dir. Release it also after a
 * failure.
 *
 * Errors: said: -ENOSPC (no room for the stores), -ENOMEM, -EINVAL (real files and several ranks);
 * of real files; -EINTR.
 */
TFS_MUST_CHECK int sweep_init(struct sweep *sweep, const struct target_settings *target,
                              const struct sweep_config *config, bool with_scan);
void sweep_release(struct sweep *sweep);

/*
 * Run every test as often as configured. What was measured before a failure stays.
 *
 * Errors: -EINTR; said: of target_open, checkpoint_save and checkpoint_load; -ENOSPC.
 */
TFS_MUST_CHECK int sweep_measure(struct sweep *sweep);

/* Is anything of a test measured? */
bool sweep_has_results(const struct sweep *sweep);

/* Add what was measured to the results: the tests that have a run, and whether all have all. */
void sweep_add_results(const struct sweep *sweep, cJSON *results);

#endif
