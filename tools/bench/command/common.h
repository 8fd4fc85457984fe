/*
 * Settings that every measuring subcommand has, and the way each of them ends: print, check, exit
 * status.
 */
#ifndef TENSORFS_BENCH_COMMON_H
#define TENSORFS_BENCH_COMMON_H

#include "tools/bench/target/target_settings.h"
#include "tools/common/options.h"

enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* First member of every command's settings, so that the offsets of the common rows fit all of them.
 */
struct common_settings {
    struct target_settings target;
    const char *check; /* --check: file of thresholds, or NULL */
    uint64_t seed;
    bool json;
    bool quiet;
    bool help; /* never set: options_parse acts on it */
};

struct cJSON;

/* The defaults: the seed is fixed, so that two runs write the same data. */
void common_init(struct common_settings *settings);

/*
 * Parse, start the console, and demand --dir or --store-dir where the command measures a directory.
 *
 * Returns: OPTIONS_RUN or OPTIONS_DONE. Errors: -EINVAL, said.
 */
TFS_MUST_CHECK int common_parse(const struct options_command *command, int argc, char **argv,
                                struct common_settings *settings, char ***ret_operands);
TFS_MUST_CHECK int common_demand_directory(const struct options_command *command,
                                           const struct common_settings *settings);

/*
 * The end of every command: print `results` as JSON when asked for (tables were printed before),
 * compare them with --check, and turn `error` into the exit status.
 *
 * Ownership: results is borrowed and may be NULL when error is negative.
 * Returns:   an exit status; 128 + the signal's number when interrupted.
 */
int common_finish(const struct common_settings *settings, const struct cJSON *results, int error);

#endif
