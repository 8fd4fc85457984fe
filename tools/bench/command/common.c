/*
 * The options that all commands share, and the one place that makes an exit status of an error.
 */
#include "tools/bench/command/common.h"

#include "tools/bench/report/check.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct common_settings, name)

static const struct options_row common_rows[] = {
    {"dir", 'd', OPTIONS_PATH, FIELD(target.dir), "DIR", NULL, 0, 0, "measure in this directory"},
    {"baseline", 'b', OPTIONS_PATH, FIELD(target.baseline), "DIR", NULL, 0, 0,
     "measure here too, in turns, and compare"},
    {"store-dir", 's', OPTIONS_PATH, FIELD(target.store_dir), "DIR", NULL, 0, 0,
     "mount a fresh tensorfs below DIR and measure that"},
    {"mount-options", 'o', OPTIONS_STRING, FIELD(target.mount_options), "OPTS", NULL, 0, 0,
     "options of that mount: name=value,..."},
    {"tensorfs", 0, OPTIONS_PATH, FIELD(target.tensorfs), "PATH", NULL, 0, 0,
     "the tensorfs binary (default: beside this one, else PATH)"},
    {"seed", 0, OPTIONS_COUNT, FIELD(seed), "N", NULL, 0, 1ull << 53 /* JSON */,
     "seed of data and order (default 20)"},
    {"json", 'j', OPTIONS_FLAG, FIELD(json), NULL, NULL, 0, 0,
     "print the results as JSON instead of tables"},
    {"check", 0, OPTIONS_PATH, FIELD(check), "FILE", NULL, 0, 0,
     "compare with thresholds; exit 1 when one is missed"},
    {"quiet", 'q', OPTIONS_FLAG, FIELD(quiet), NULL, NULL, 0, 0, "no progress, no notes"},
    {"help", 'h', OPTIONS_FLAG, FIELD(help), NULL, NULL, 0, 0, "this text"},
};
const struct options_tool options_tool = {
    .name = "tensorfs-bench",
    .rows = common_rows,
    .row_count = TFS_ARRAY_COUNT(common_rows),
};

void common_init(struct common_settings *settings)
{
    *settings = (struct common_settings){.seed = 20};
}

int common_parse(const struct options_command *command, int argc, char **argv,
                 struct common_settings *settings, char ***ret_operands)
{
    int outcome = options_parse(command, argc, argv, settings, ret_operands);

    if (outcome != OPTIONS_RUN)
        return outcome;
    console_init(settings->quiet);
    if (settings->check && check_file_try(settings->check) < 0)
        return -EINVAL;
    return OPTIONS_RUN;
}

int common_demand_directory(const struct options_command *command,
                            const struct common_settings *settings)
{
    if (settings->target.dir && settings->target.store_dir)
        return console_reject("give --dir or --store-dir, not both");
    if (!settings->target.dir && !settings->target.store_dir)
        return console_reject(
            "%s needs --dir=DIR (measure there) or --store-dir=DIR (mount a fresh "
            "tensorfs below it)",
            command->name);
    if (settings->target.mount_options && !settings->target.store_dir)
        return console_reject("-o is for the mount of --store-dir");
    return 0;
}

int common_finish(const struct common_settings *settings, const struct cJSON *results, int error)
{
    console_end();
    if (interrupt_is_pending()) {
        (void)fprintf(stderr, "tensorfs-bench: interrupted, cleaned up\n");
        return 128 + interrupt_signal();
    }
    if (error < 0)
        return error == -EINVAL ? BENCH_USAGE : BENCH_FAILED;
    if (settings->json && output_json(cJSON_Print(results)) < 0)
        return BENCH_FAILED;
    if (!settings->check)
        return BENCH_OK;
    error = check_file(settings->check, results, settings->json ? stderr : stdout);
    if (error == -EINVAL)
        return BENCH_USAGE;
    return error < 0 ? BENCH_FAILED : BENCH_OK;
}
