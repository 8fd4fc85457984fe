/*
 * The course of every command that measures places (saveload, meta, cache, pipeline): read the
 * command line, open, measure, make the results, print them, close, check them.
 */
#ifndef TENSORFS_BENCH_MEASUREMENT_H
#define TENSORFS_BENCH_MEASUREMENT_H

#include "tools/bench/command/common.h"

/* The steps of a command. `state` is the command's own. All say their errors. */
struct measurement {
    const struct options_command *command;
    int (*open)(void *state); /* places and memory; -EINVAL when the settings do not fit together */
    int (*measure)(void *state);
    void (*add_results)(void *state, struct cJSON *results);
    int (*print)(const void *state, const struct cJSON *results); /* for people, without --json */
    void (*close)(void *state);                                   /* also after open has failed */
};

/*
 * Run the command. `settings` is what its command line is read into: the first member of the
 * command's settings, whose other members hold their defaults.
 *
 * Returns: an exit status, see commands.h.
 */
int measurement_main(const struct measurement *measurement, struct common_settings *settings,
                     void *state, int argc, char **argv);

#endif
