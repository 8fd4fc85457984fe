/*
 * saveload: a checkpoint is saved (fsync included), made cold and loaded by read() and by mmap(), N
 * times, in turns with a baseline directory. The rules are those of MLPerf Storage's checkpoint
 * benchmark: durable when the save ends, caches cleared in between, the slowest rank counts.
 *
 * What is not timed: generating, varying the content between runs, comparing what was loaded.
 */
#include "tools/bench/command/commands.h"

#include "tools/bench/command/measurement.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/directory.h"
#include "tools/bench/system/workers.h"
#include "tools/bench/target/mount.h"
#include "tools/bench/target/target.h"
#include "tools/bench/workload/checkpoint.h"
#include "tools/common/console.h"
#include "tools/common/table.h"
#include "tools/common/units.h"

#include <math.h>
#include <stdio.h>

enum { RUNS_MAX = 1000 };

enum step { STEP_SAVE, STEP_LOAD_READ, STEP_LOAD_MMAP, STEP_COUNT };

static const char *const step_names[STEP_COUNT] = {"save", "load_read", "load_mmap"};
static const char *const step_titles[STEP_COUNT] = {"save, durable", "load, read()",
                                                    "load, mmap()"};

struct saveload_settings {
    struct common_settings common;
    unsigned format;
    uint64_t ranks;
    uint64_t size;
    uint64_t runs;
    const char *mix;
    const char *model; /* real files instead of a synthetic model */
    bool no_fsync;
    bool no_warm_up;
};

#define FIELD(name) offsetof(struct saveload_settings, name)

static const struct options_row rows[] = {
    {"format", 'f', OPTIONS_CHOICE, FIELD(format), "NAME", FORMAT_CHOICES, 0, 0,
     "safetensors (default), torch, npy or raw"},
    {"ranks", 'r', OPTIONS_COUNT, FIELD(ranks), "N", NULL, 1, WORKERS_MAX,
     "save and load from N ranks at once (default 1)"},
    {"size", 0, OPTIONS_SIZE, FIELD(size), "SIZE", NULL, 64 * TFS_KIB, 1ull << 50,
     "bytes of the checkpoint, all ranks (default 512M)"},
    {"runs", 'n', OPTIONS_COUNT, FIELD(runs), "N", NULL, 1, RUNS_MAX, "repeat N times (default 3)"},
    {"mix", 'm', OPTIONS_STRING, FIELD(mix), "MIX", NULL, 0, 0,
     "bf16 (default), fp32, fp16, train, or bf16=1,adam_m=1"},
    {"model", 0, OPTIONS_PATH, FIELD(model), "PATH", NULL, 0, 0,
     "save these real files instead of a synthetic model"},
    {"no-fsync", 0, OPTIONS_FLAG, FIELD(no_fsync), NULL, NULL, 0, 0,
     "write as the library does, without fsync"},
    {"no-warm-up", 0, OPTIONS_FLAG, FIELD(no_warm_up), NULL, NULL, 0, 0,
     "leave out the first round, which is not counted"},
};

static const struct options_command command = {
    .name = "saveload",
    .summary =
        "Save a checkpoint, clear the caches, load it by read() and by mmap(), compare every byte",
    .usage = "--dir=DIR|--store-dir=DIR [OPTIONS]",
    .details = "The synthetic model is a transformer with normal weights whose rows have "
               "log-normal scales;\n"
               "'train' adds Adam's moments in fp32. It lies in memory before a save begins, and "
               "each run\n"
               "flips mantissa bits, so that no run's bytes are known to the store. Shannon's "
               "bound of the\n"
               "byte planes is printed beside the stored size.\n\n"
               "Examples:\n"
               "  tensorfs-bench saveload --dir=/mnt/ckpt --baseline=/data --size=4G --ranks=4\n"
               "  tensorfs-bench saveload --store-dir=/data -o compression=zstd --format=torch "
               "--mix=train\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
};

struct place {
    struct target target;
    double seconds[STEP_COUNT][RUNS_MAX];
    double stored[RUNS_MAX];
    int cold; /* bits of enum target_cold */
};

struct saveload {
    const struct saveload_settings *settings;
    struct checkpoint *checkpoint;
    struct place *places; /* the target, then the baseline */
    unsigned place_count;
};

static int load_step(struct saveload *saveload, struct place *place, enum step step, unsigned run)
{
    enum source_method method = step == STEP_LOAD_MMAP ? SOURCE_MMAP : SOURCE_READ;

    place->cold = target_make_cold(&place->target);
    if (place->cold < 0)
        return place->cold;
    console_stage("run %u: %s %s", run + 1, step_titles[step], place->target.label);
    return checkpoint_load(saveload->checkpoint, place->target.work, method,
                           &place->seconds[step][run]);
}

static int place_run(struct saveload *saveload, struct place *place, unsigned run)
{
    const char *work = place->target.work;
    uint64_t stored = 0;
    int err;

    console_stage("run %u: save %s", run + 1, place->target.label);
    err = checkpoint_save(saveload->checkpoint, work, &place->seconds[STEP_SAVE][run]);
    if (err < 0)
        return err;
    err = load_step(saveload, place, STEP_LOAD_READ, run);
    if (err < 0)
        return err;
    err = load_step(saveload, place, STEP_LOAD_MMAP, run);
    if (err < 0)
        return err;
    /* Our own store is measured as a whole, anything else by what the filesystem says of its files.
     */
    err = directory_stored_bytes(place->target.mount ? mount_store(place->target.mount) : work,
                                 &stored);
    if (err < 0)
        return err;
    place->stored[run] = (double)stored;
    return target_empty(&place->target);
}

static int round_run(struct saveload *saveload, unsigned run)
{
    int err = 0;

    checkpoint_vary(saveload->checkpoint, run);
    for (unsigned i = 0; i < saveload->place_count && err == 0; i++) /* each is first in turns */
        err = place_run(saveload, &saveload->places[(i + run) % saveload->place_count], run);
    return err;
}

/* The first round is thrown away: it meets memory that the machine has not touched yet. */
static int saveload_measure(void *state)
{
    struct saveload *saveload = state;
    uint64_t runs = saveload->settings->runs;
    unsigned warm_ups = saveload->settings->no_warm_up ? 0 : 1;
    int err = 0;

    console_begin(CONSOLE_BYTES, (runs + warm_ups) * saveload->place_count * STEP_COUNT *
                                     saveload->checkpoint->bytes);
    for (unsigned i = 0; i < warm_ups && err == 0; i++)
        err = round_run(saveload, 0); /* its figures are written over by run 0 */
    for (unsigned run = 0; run < runs && err == 0; run++)
        err = round_run(saveload, run);
    console_end();
    return err;
}

/* The places first: whether they have room is known before the model is made. */
static int saveload_open(void *state)
{
    struct saveload *saveload = state;
    const struct saveload_settings *settings = saveload->settings;
    struct target *const targets[] = {&saveload->places[0].target, &saveload->places[1].target};
    struct checkpoint_spec spec = {
        .model = {.seed = settings->common.seed, .path = settings->model},
        .format = format_by_index(settings->format),
        .ranks = (unsigned)settings->ranks,
        .durable = !settings->no_fsync,
    };
    int err;

    if (model_parse_mix(settings->mix, &spec.model) < 0)
        return console_reject("--mix=%s: give bf16, fp16, fp32, train or kind=copies,... with the "
                              "kinds bf16 fp16 fp32 adam_m adam_v",
                              settings->mix);
    spec.model.parameters =
        (uint64_t)((double)settings->size / model_bytes_per_parameter(&spec.model));
    err = target_open_places(targets, &settings->common.target,
                             settings->model ? 0 : settings->size, &saveload->place_count);
    if (err < 0)
        return err;
    err = checkpoint_new(&spec, &saveload->checkpoint);
    for (unsigned i = 0; err == 0 && i < saveload->place_count; i++) /* real files are known now */
        err = directory_demand_space(saveload->places[i].target.work, saveload->checkpoint->bytes);
    return err;
}

static void place_results(const struct saveload *saveload, const struct place *place, cJSON *list)
{
    size_t runs = saveload->settings->runs;
    double bytes = (double)saveload->checkpoint->bytes;
    cJSON *entry = cJSON_CreateObject();
    struct stats_summary stored;

    (void)cJSON_AddStringToObject(entry, "name", place->target.label);
    (void)cJSON_AddStringToObject(entry, "cold", target_cold_text(&place->target, place->cold));
    for (int step = 0; step < STEP_COUNT; step++) {
        cJSON *object = cJSON_AddObjectToObject(entry, step_names[step]);
        struct stats_summary summary =
            results_add_summary(object, "seconds", place->seconds[step], runs);

        (void)cJSON_AddNumberToObject(object, "gb_per_s", bytes / summary.median / 1e9);
    }
    stored = results_add_summary(entry, "stored_bytes", place->stored, runs);
    (void)cJSON_AddNumberToObject(entry, "stored_percent", stored.median / bytes * 100);
    (void)cJSON_AddItemToArray(list, entry);
}

static void saveload_add_results(void *state, cJSON *results)
{
    struct saveload *saveload = state;
    const struct saveload_settings *settings = saveload->settings;
    const struct checkpoint *checkpoint = saveload->checkpoint;
    cJSON *list;

    (void)cJSON_AddStringToObject(results, "format", checkpoint->format->name);
    (void)cJSON_AddStringToObject(results, "mix", settings->model ? "files" : settings->mix);
    (void)cJSON_AddNumberToObject(results, "ranks", checkpoint->ranks);
    (void)cJSON_AddNumberToObject(results, "runs", (double)settings->runs);
    (void)cJSON_AddNumberToObject(results, "bytes", (double)checkpoint->bytes);
    (void)cJSON_AddBoolToObject(results, "durable", checkpoint->durable);
    (void)cJSON_AddNumberToObject(results, "bound_bytes", checkpoint->bound_bytes);
    (void)cJSON_AddNumberToObject(results, "bound_percent",
                                  checkpoint->bound_bytes / (double)checkpoint->bytes * 100);
    (void)cJSON_AddBoolToObject(results, "verified", true); /* a mismatch ends the command */
    list = cJSON_AddArrayToObject(results, "places");
    for (unsigned i = 0; i < saveload->place_count; i++)
        place_results(saveload, &saveload->places[i], list);
}

static void step_row(struct table *table, const cJSON *places, const cJSON *place, int step)
{
    const cJSON *object = json_member(place, step_names[step]);
    double rate = json_number(object, "gb_per_s");
    const cJSON *baseline = cJSON_GetArrayItem(places, 1);
    char against[24] = "";

    if (baseline && baseline != place)
        (void)snprintf(against, sizeof(against), "%.2fx",
                       rate / json_number_in(baseline, step_names[step], "gb_per_s"));
    table_row(table, "%s\t%s\t%.3f\t%.3f\t%.3f\t%s\t%.3f\t%s", step_titles[step],
              json_text(place, "name"), json_number_in(object, "seconds", "min"),
              json_number_in(object, "seconds", "median"),
              json_number_in(object, "seconds", "mean"),
              results_deviation(json_member(object, "seconds")).text, rate, against);
}

static int saveload_print(const void *state, const cJSON *results)
{
    const struct saveload *saveload = state;
    const struct checkpoint *checkpoint = saveload->checkpoint;
    const cJSON *places = json_member(results, "places");
    const cJSON *place;
    struct table table;
    int err;

    (void)printf("%s, %s, %u rank%s, %s, %llu run%s, seed %llu%s\n\n", checkpoint->format->name,
                 json_text(results, "mix"), checkpoint->ranks, checkpoint->ranks == 1 ? "" : "s",
                 units_bytes(checkpoint->bytes).text, (unsigned long long)saveload->settings->runs,
                 saveload->settings->runs == 1 ? "" : "s",
                 (unsigned long long)saveload->settings->common.seed,
                 checkpoint->durable ? "" : ", without fsync");
    table_init(&table, "step\t<place\tmin s\tmedian s\tmean s\tstd s\tGB/s\tbaseline");
    for (int step = 0; step < STEP_COUNT; step++) {
        cJSON_ArrayForEach(place, places) step_row(&table, places, place, step);
    }
    err = table_print(&table, stdout);
    table_release(&table);
    (void)printf("\n");
    cJSON_ArrayForEach(place, places)
    {
        (void)printf("%s:\n  stored %s = %.1f %% (Shannon's bound of the byte planes %.1f %%)\n",
                     json_text(place, "name"),
                     units_bytes((uint64_t)json_number_in(place, "stored_bytes", "median")).text,
                     json_number(place, "stored_percent"),
                     checkpoint->bound_bytes / (double)checkpoint->bytes * 100);
        (void)printf("  before each load:\n    %s\n", json_text(place, "cold"));
    }
    (void)printf("Every loaded byte was compared with what was saved.\n");
    return err;
}

static void saveload_close(void *state)
{
    struct saveload *saveload = state;

    for (unsigned i = 0; i < TARGET_PLACES_MAX; i++)
        target_close(&saveload->places[i].target);
    checkpoint_free(saveload->checkpoint);
}

static const struct measurement saveload_measurement = {
    .command = &command,
    .open = saveload_open,
    .measure = saveload_measure,
    .add_results = saveload_add_results,
    .print = saveload_print,
    .close = saveload_close,
};

int saveload_main(int argc, char **argv)
{
    struct saveload_settings settings = {
        .size = 512 * TFS_MIB, .ranks = 1, .runs = 3, .mix = "bf16"};
    static struct place places[TARGET_PLACES_MAX];
    struct saveload saveload = {.settings = &settings, .places = places};

    return measurement_main(&saveload_measurement, &settings.common, &saveload, argc, argv);
}
