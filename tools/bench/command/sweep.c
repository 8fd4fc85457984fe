/*
 * sweep: tests of mount options, each alone and together, with statistics. The command around
 * sweep_run.c.
 */
#include "tools/bench/command/commands.h"

#include "tools/bench/command/common.h"
#include "tools/bench/json/json_file.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/plot.h"
#include "tools/bench/report/results.h"
#include "tools/bench/sweep/sweep_run.h"
#include "tools/bench/target/mount.h"
#include "tools/common/console.h"
#include "tools/common/table.h"
#include "tools/common/units.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sweep_settings {
    struct common_settings common;
    const char *config;
    const char *out;
    uint64_t size; /* 0: as configured */
    uint64_t runs; /* 0: as configured */
    bool scan;
    bool print_config;
};

#define FIELD(name) offsetof(struct sweep_settings, name)

static const struct options_row rows[] = {
    {"config", 'c', OPTIONS_PATH, FIELD(config), "FILE", NULL, 0, 0,
     "tests and model (default: built in)"},
    {"out", 'O', OPTIONS_PATH, FIELD(out), "DIR", NULL, 0, 0,
     "write results.json and the plots here (default .)"},
    {"size", 0, OPTIONS_SIZE, FIELD(size), "SIZE", NULL, 64 * TFS_KIB, 1ull << 50,
     "bytes of the model, instead of the configured size"},
    {"runs", 'n', OPTIONS_COUNT, FIELD(runs), "N", NULL, 1, SWEEP_RUNS_MAX,
     "repeat N times, instead of as configured"},
    {"scan", 0, OPTIONS_FLAG, FIELD(scan), NULL, NULL, 0, 0,
     "run the parameter scan of the configuration too"},
    {"print-config", 0, OPTIONS_FLAG, FIELD(print_config), NULL, NULL, 0, 0,
     "print the built-in configuration and exit"},
};

static const struct options_command command = {
    .name = "sweep",
    .summary = "Compare mount options: each test saves and loads a model on a fresh store, N times",
    .usage = "[--store-dir=DIR] [--config=FILE] [--out=DIR] [OPTIONS]",
    .details =
        "Stores are made below --store-dir (default: the directory of --out) and removed. Written "
        "to\n"
        "--out: results.json (every run, mean, standard deviation, environment), "
        "optimization_analysis.png\n"
        "(save and load time, stored size, improvements, heat map) with the gnuplot script and "
        "data that\n"
        "drew it, and with --scan parameter_scan.png. Improvements are in per cent of the "
        "baseline's "
        "mean:\n(baseline - test) / baseline; negative is slower or larger.\n\n"
        "Examples:\n"
        "  tensorfs-bench sweep --store-dir=/data --out=results\n"
        "  tensorfs-bench sweep --print-config > mine.json; edit mine.json\n"
        "  tensorfs-bench sweep --config=mine.json --store-dir=/data --check=thresholds.json\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
};

static void test_row(struct table *table, const cJSON *test)
{
    table_row(table, "%s\t%.3f\t%s\t%.3f\t%s\t%.3f\t%s\t%.3f\t%s\t%.1f\t%.1f",
              json_text(test, "name"), json_number_in(test, "save", "mean"),
              results_deviation(json_member(test, "save")).text, json_number(test, "save_gb_per_s"),
              results_improvement(test, "save").text, json_number_in(test, "load", "mean"),
              results_deviation(json_member(test, "load")).text, json_number(test, "load_gb_per_s"),
              results_improvement(test, "load").text,
              json_number_in(test, "stored", "mean") / (double)TFS_MIB,
              json_number(test, "stored_percent"));
}

static int list_print(const cJSON *tests)
{
    const cJSON *test;
    struct table table;
    int err;

    if (cJSON_GetArraySize(tests) == 0)
        return 0;
    table_init(&table,
               "test\tsave s\tstd s\tGB/s\t+ %\tload s\tstd s\tGB/s\t+ %\tstored MiB\tstored %");
    cJSON_ArrayForEach(test, tests) test_row(&table, test);
    err = table_print(&table, stdout);
    table_release(&table);
    (void)printf("\n");
    return err;
}

static int sweep_print(const struct sweep *sweep, const cJSON *results)
{
    const struct checkpoint *checkpoint = sweep->checkpoint;
    int err;

    (void)printf(
        "%s, %s, %u rank%s, %u run%s, seed %llu; means, '+ %%' is the improvement on '%s',\n"
        "in brackets where it may be chance (Welch's t-test, 95 %%)\n\n",
        units_bytes(checkpoint->bytes).text, checkpoint->format->name, checkpoint->ranks,
        checkpoint->ranks == 1 ? "" : "s", sweep->config->runs, sweep->config->runs == 1 ? "" : "s",
        (unsigned long long)sweep->config->model.seed, sweep->config->baseline);
    err = list_print(json_member(results, "tests"));
    if (err == 0)
        err = list_print(json_member(results, "parameter_scan"));
    (void)printf("Shannon's bound of the byte planes: %.1f %%. Before each load:\n%s.\n"
                 "Every loaded byte was compared with what was saved.\n",
                 checkpoint->bound_bytes / (double)checkpoint->bytes * 100, sweep->cold);
    return err;
}

static int sweep_write(const struct sweep_settings *settings, const cJSON *results)
{
    char path[PATH_MAX];
    int err;

    if (snprintf(path, sizeof(path), "%s/results.json", settings->out) >= (int)sizeof(path))
        return console_fail(-ENAMETOOLONG, "'%s'", settings->out);
    err = json_file_write(results, path);
    if (err < 0)
        return err;
    console_note("wrote %s", path);
    err = plot_sweep(results, settings->out);
    return err == -ENOENT ? 0 : err; /* without gnuplot there are the script and the data */
}

/* Keep what a sweep measured that ended early, under a name that no results have yet. Errors: said.
 */
static void sweep_keep(const struct sweep_settings *settings, const struct sweep *sweep)
{
    static const char *const names[] = {"results.json", "results.partial.json"};
    tfs_cleanup(json_delete_p) cJSON *results = NULL;
    char path[PATH_MAX];

    if (!sweep_has_results(sweep) ||
        results_new("sweep", &settings->common.target, settings->common.seed, &results) < 0)
        return;
    sweep_add_results(sweep, results);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", settings->out, names[i]); /* it did fit */
        if (access(path, F_OK) < 0)
            break;
    }
    if (json_file_write(results, path) == 0)
        console_note("wrote %s: what was measured so far", path);
}

static int sweep_run(const struct sweep_settings *settings, const struct sweep_config *config,
                     cJSON **ret_results)
{
    tfs_cleanup(sweep_release) struct sweep sweep = {0};
    int err = sweep_init(&sweep, &settings->common.target, config, settings->scan);

    if (err < 0)
        return err;
    err = sweep_measure(&sweep);
    if (err < 0) {
        sweep_keep(settings, &sweep);
        return err;
    }
    err = results_new("sweep", &settings->common.target, settings->common.seed, ret_results);
    if (err < 0)
        return err;
    sweep_add_results(&sweep, *ret_results);
    err = sweep_write(settings, *ret_results);
    if (err < 0)
        return err;
    return settings->common.json ? 0 : sweep_print(&sweep, *ret_results);
}

/* Check, before anything is measured, that results can be written. */
static int out_prepare(const char *out)
{
    char path[PATH_MAX];

    if (mkdir(out, 0777) < 0 && errno != EEXIST)
        return console_fail(-errno, "creating '%s'", out);
    if (snprintf(path, sizeof(path), "%s/.", out) >= (int)sizeof(path))
        return console_fail(-ENAMETOOLONG, "'%s'", out);
    if (access(path, W_OK | X_OK) < 0)
        return console_fail(-errno, "writing results into '%s'", out);
    return 0;
}

static int settings_complete(struct sweep_settings *settings, struct sweep_config *config)
{
    char binary[PATH_MAX];
    int err;

    if (settings->common.target.dir || settings->common.target.baseline)
        return console_reject(
            "sweep mounts its own stores: give --store-dir, not --dir or --baseline");
    if (settings->size > 0 && config->model.path)
        return console_reject("--size: the configuration names real files");
    config->model.seed = settings->common.seed;
    if (settings->runs > 0)
        config->runs = (unsigned)settings->runs;
    if (settings->size > 0) {
        config->model.parameters = 0;
        config->model_bytes = settings->size;
    }
    err = out_prepare(settings->out);
    if (err < 0)
        return err;
    if (!settings->common.target.store_dir)
        settings->common.target.store_dir = settings->out;
    return mount_find_binary(settings->common.target.tensorfs,
                             binary); /* before the model is made */
}

int sweep_main(int argc, char **argv)
{
    struct sweep_settings settings = {.out = "."};
    tfs_cleanup(json_delete_p) cJSON *results = NULL;
    struct sweep_config *config = NULL;
    char **operands;
    int err;

    common_init(&settings.common);
    err = common_parse(&command, argc, argv, &settings.common, &operands);
    if (err == OPTIONS_DONE)
        return BENCH_OK;
    if (err < 0)
        return BENCH_USAGE;
    if (settings.print_config)
        return fputs(sweep_default_config, stdout) < 0 ? BENCH_FAILED : BENCH_OK;
    err = sweep_config_read(settings.config, &config);
    if (err == 0)
        err = settings_complete(&settings, config);
    if (err == 0)
        err = sweep_run(&settings, config, &results);
    sweep_config_free(config);
    return common_finish(&settings.common, results, err);
}
