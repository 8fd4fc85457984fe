/*
 * tensorfs-bench: the dispatch of its subcommands.
 */
#include "tools/bench/command/commands.h"
#include "tools/bench/command/common.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"
#include "tools/validate/validate.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"sweep", sweep_main, "mount options compared: each optimisation alone and together"},
    {"saveload", saveload_main, "save and load checkpoints, by MLPerf Storage's rules"},
    {"meta", meta_main, "directories, links, renames: time of each operation"},
    {"cache", cache_main, "the chunk cache: latency, hit rate, memory"},
    {"pipeline", pipeline_main, "a job of many small checkpoints, phase by phase"},
    {"validate", validate_main, "check tensors in files, on the GPU where there is one"},
    {"plot", plot_main, "draw the results of a sweep"},
};

static void usage_print(FILE *out)
{
    (void)fprintf(out,
                  "Usage: tensorfs-bench COMMAND [OPTIONS]\n\n"
                  "Measures any directory: a tensorfs mount, the native disk and another "
                  "filesystem side by\nside. 'tensorfs-bench COMMAND --help' explains one.\n\n");
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(out, "\n  -V, --version  print the version\n  -h, --help     print this text\n\n"
                       "Examples:\n"
                       "  tensorfs-bench saveload --dir=/mnt/ckpt --baseline=/data\n"
                       "  tensorfs-bench sweep --store-dir=/data --out=results\n"
                       "  tensorfs-bench meta --store-dir=/data --baseline=/data --json\n\n"
                       "Exit status: 0 ok, 1 failed, 2 usage, 128+N interrupted by signal N.\n");
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    console_init(false);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        (void)printf("tensorfs-bench %s\n", TENSORFS_VERSION);
        return BENCH_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage_print(stdout);
        return BENCH_OK;
    }
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            interrupt_install();
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (*name != '\0')
        (void)fprintf(stderr, "tensorfs-bench: unknown command '%s'\n\n", name);
    usage_print(stderr);
    return BENCH_USAGE;
}

int main(int argc, char **argv)
{
    int status;

    output_begin();
    status = run(argc, argv);
    return output_end(status, BENCH_FAILED);
}
