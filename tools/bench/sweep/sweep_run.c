/*
 * A test owns its store for one run: made, mounted, saved to, unmounted, mounted, loaded from,
 * removed. Rounds are the outer loop and tests the inner one.
 */
#include "tools/bench/sweep/sweep_run.h"

#include "tools/bench/system/directory.h"
#include "tools/bench/target/mount.h"
#include "tools/bench/target/target.h"
#include "tools/bench/target/target_settings.h"
#include "tools/common/console.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const value_names[SWEEP_VALUE_COUNT] = {"save", "load", "stored", "save_cpu",
                                                           "load_cpu"};
static const char *const axis_names[] = {"", "chunk_size", "concurrency", "compression"};

/* An index of tiny chunks can come close to the size of the data. */
static int demand_space(const struct sweep *sweep, uint64_t model_bytes)
{
    return directory_demand_space(sweep->target->store_dir, 2 * model_bytes);
}

int sweep_init(struct sweep *sweep, const struct target_settings *target,
               const struct sweep_config *config, bool with_scan)
{
    struct checkpoint_spec spec = {.model = config->model,
                                   .format = format_by_index(config->format),
                                   .ranks = config->ranks,
                                   .durable = true};
    size_t count = 0;

    while (count < config->test_count &&
           (with_scan || config->tests[count].axis == SWEEP_AXIS_NONE))
        count++;
    *sweep = (struct sweep){
        .target = target, .config = config, .test_count = count, .cold = "not measured"};
    assert(count > 0);
    sweep->samples = calloc(count, sizeof(*sweep->samples));
    if (!sweep->samples)
        return console_fail(-ENOMEM, "%zu tests", count);
    if (spec.model.parameters == 0)
        spec.model.parameters =
            (uint64_t)((double)config->model_bytes / model_bytes_per_parameter(&spec.model));
    if (!spec.model.path) { /* found out before the model is made */
        int err = demand_space(sweep, (uint64_t)((double)spec.model.parameters *
                                                 model_bytes_per_parameter(&spec.model)));

        if (err < 0)
            return err;
    }
    return checkpoint_new(&spec, &sweep->checkpoint);
}

void sweep_release(struct sweep *sweep)
{
    checkpoint_free(sweep->checkpoint);
    free(sweep->samples);
}

static int test_save(struct sweep *sweep, struct target *target, struct sweep_samples *samples,
                     unsigned run)
{
    double cpu = mount_cpu_seconds(target->mount);
    int err = checkpoint_save(sweep->checkpoint, target->work, &samples->values[SWEEP_SAVE][run]);

    samples->values[SWEEP_SAVE_CPU][run] = mount_cpu_seconds(target->mount) - cpu;
    return err;
}

static int test_load(struct sweep *sweep, struct target *target, struct sweep_samples *samples,
                     unsigned run)
{
    enum source_method method = sweep->config->load_by_mmap ? SOURCE_MMAP : SOURCE_READ;
    uint64_t stored = 0;
    double cpu;
    int cold;
    int err = mount_stop(target->mount);

    /* The whole directory of a store that is closed, so that nothing in it is provisional. */
    if (err == 0)
        err = directory_stored_bytes(mount_store(target->mount), &stored);
    if (err < 0)
        return err;
    samples->values[SWEEP_STORED][run] = (double)stored;
    cold = target_make_cold(target);
    if (cold < 0)
        return cold;
    sweep->cold = target_cold_text(target, cold);
    cpu = mount_cpu_seconds(target->mount);
    err =
        checkpoint_load(sweep->checkpoint, target->work, method, &samples->values[SWEEP_LOAD][run]);
    samples->values[SWEEP_LOAD_CPU][run] = mount_cpu_seconds(target->mount) - cpu;
    return err;
}

static int test_run(struct sweep *sweep, size_t index, unsigned run)
{
    const struct sweep_test *test = &sweep->config->tests[index];
    struct target_settings settings = *sweep->target;
    struct target target = {0};
    char options[2 * SWEEP_OPTIONS_BYTES_MAX];
    int err;

    (void)snprintf(options, sizeof(options), "%s%s%.*s", test->options,
                   settings.mount_options && test->options[0] != '\0' ? "," : "",
                   SWEEP_OPTIONS_BYTES_MAX, settings.mount_options ? settings.mount_options : "");
    settings.mount_options = options;
    err = target_open(&target, &settings);
    if (err == 0) {
        console_stage("run %u/%u %s: save", run + 1, sweep->config->runs, test->name);
        err = test_save(sweep, &target, &sweep->samples[index], run);
    }
    if (err == 0) {
        console_stage("run %u/%u %s: load", run + 1, sweep->config->runs, test->name);
        err = test_load(sweep, &target, &sweep->samples[index], run);
    }
    target_close(&target);
    return err;
}

int sweep_measure(struct sweep *sweep)
{
    unsigned runs = sweep->config->runs;
    int err = demand_space(sweep, sweep->checkpoint->bytes); /* real files are known now */

    if (err < 0)
        return err;
    console_begin(CONSOLE_BYTES, 2 * (runs * sweep->test_count + 1) * sweep->checkpoint->bytes);
    /* Not counted: the first run meets memory that the machine has not touched yet. */
    err = test_run(sweep, sweep->test_count - 1, 0);
    for (unsigned run = 0; run < runs && err == 0; run++) {
        checkpoint_vary(sweep->checkpoint, run);
        /* Each round begins with another test, so that none always runs behind the same one. */
        for (size_t turn = 0; turn < sweep->test_count && err == 0; turn++) {
            size_t index = (turn + run) % sweep->test_count;

            err = test_run(sweep, index, run);
            if (err == 0)
                sweep->samples[index].count = run + 1;
        }
    }
    console_end();
    return err;
}

bool sweep_has_results(const struct sweep *sweep)
{
    for (size_t index = 0; index < sweep->test_count; index++) {
        if (sweep->samples[index].count > 0)
            return true;
    }
    return false;
}

static bool is_complete(const struct sweep *sweep)
{
    for (size_t index = 0; index < sweep->test_count; index++) {
        if (sweep->samples[index].count < sweep->config->runs)
            return false;
    }
    return true;
}

static void add_model(const struct sweep *sweep, cJSON *results)
{
    const struct sweep_config *config = sweep->config;
    const struct checkpoint *checkpoint = sweep->checkpoint;
    cJSON *model = cJSON_AddObjectToObject(results, "model");
    cJSON *mix = cJSON_AddObjectToObject(model, "mix");

    for (int kind = 0; kind < TENSOR_BYTES; kind++) {
        if (config->model.copies[kind] > 0 && !config->model.path)
            (void)cJSON_AddNumberToObject(mix, tensor_kinds[kind].name, config->model.copies[kind]);
    }
    if (config->model.path)
        (void)cJSON_AddStringToObject(model, "path", config->model.path);
    (void)cJSON_AddNumberToObject(model, "bytes", (double)checkpoint->bytes);
    (void)cJSON_AddNumberToObject(model, "bound_bytes", checkpoint->bound_bytes);
    (void)cJSON_AddNumberToObject(model, "bound_percent",
                                  checkpoint->bound_bytes / (double)checkpoint->bytes * 100);
}

static void add_test(const struct sweep *sweep, size_t index, const struct stats_summary *baseline,
                     cJSON *list)
{
    struct stats_summary means[SWEEP_VALUE_COUNT];
    const struct sweep_test *test = &sweep->config->tests[index];
    double bytes = (double)sweep->checkpoint->bytes;
    cJSON *entry = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(entry, "name", test->name);
    (void)cJSON_AddStringToObject(entry, "mount_options", test->options);
    if (test->axis != SWEEP_AXIS_NONE) {
        (void)cJSON_AddStringToObject(entry, "axis", axis_names[test->axis]);
        (void)cJSON_AddStringToObject(entry, "value", test->value);
    }
    for (int value = 0; value < SWEEP_VALUE_COUNT; value++)
        means[value] =
            results_add_summary(entry, value_names[value], sweep->samples[index].values[value],
                                sweep->samples[index].count);
    (void)cJSON_AddNumberToObject(entry, "save_gb_per_s", bytes / means[SWEEP_SAVE].mean / 1e9);
    (void)cJSON_AddNumberToObject(entry, "load_gb_per_s", bytes / means[SWEEP_LOAD].mean / 1e9);
    (void)cJSON_AddNumberToObject(entry, "stored_percent", means[SWEEP_STORED].mean / bytes * 100);
    for (int value = SWEEP_SAVE; value <= SWEEP_STORED; value++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%s_improvement_percent", value_names[value]);
        (void)cJSON_AddNumberToObject(
            entry, name, stats_improvement_percent(baseline[value].mean, means[value].mean));
        (void)snprintf(name, sizeof(name), "%s_may_be_chance", value_names[value]);
        (void)cJSON_AddBoolToObject(entry, name,
                                    stats_may_be_chance(&baseline[value], &means[value]));
    }
    (void)cJSON_AddItemToArray(list, entry);
}

/* The means of the baseline, before anything is compared with it. */
static void summarise_baseline(const struct sweep *sweep, struct stats_summary *ret)
{
    long index = sweep_config_find(sweep->config, sweep->config->baseline);
    cJSON *unused = cJSON_CreateObject();

    for (int value = 0; value < SWEEP_VALUE_COUNT; value++)
        ret[value] =
            results_add_summary(unused, value_names[value], sweep->samples[index].values[value],
                                sweep->samples[index].count);
    cJSON_Delete(unused);
}

void sweep_add_results(const struct sweep *sweep, cJSON *results)
{
    const struct sweep_config *config = sweep->config;
    struct stats_summary baseline[SWEEP_VALUE_COUNT];
    cJSON *tests;
    cJSON *scan;

    (void)cJSON_AddStringToObject(results, "config", config->name);
    add_model(sweep, results);
    (void)cJSON_AddStringToObject(results, "format", sweep->checkpoint->format->name);
    (void)cJSON_AddNumberToObject(results, "ranks", config->ranks);
    (void)cJSON_AddNumberToObject(results, "runs", config->runs);
    (void)cJSON_AddBoolToObject(results, "complete", is_complete(sweep));
    (void)cJSON_AddStringToObject(results, "load_method", config->load_by_mmap ? "mmap" : "read");
    (void)cJSON_AddStringToObject(results, "cold", sweep->cold);
    (void)cJSON_AddBoolToObject(results, "verified", true); /* a mismatch ends the command */
    (void)cJSON_AddStringToObject(results, "baseline", config->baseline);
    tests = cJSON_AddArrayToObject(results, "tests");
    scan = cJSON_AddArrayToObject(results, "parameter_scan");
    summarise_baseline(sweep, baseline);
    for (size_t index = 0; index < sweep->test_count; index++) {
        if (sweep->samples[index].count > 0)
            add_test(sweep, index, baseline,
                     config->tests[index].axis == SWEEP_AXIS_NONE ? tests : scan);
    }
}
