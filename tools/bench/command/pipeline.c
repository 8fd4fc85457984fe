/*
 * pipeline: a job of many small checkpoints, where directories and links count. First one item
 * after the other through all phases, then phase by phase with all items at once.
 *
 * The whole is timed around everything, the phases by PHASE_TIMED; their difference is the row
 * "unaccounted".
 */
#include "tools/bench/command/commands.h"

#include "tools/bench/command/measurement.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/workers.h"
#include "tools/bench/target/target.h"
#include "tools/bench/workload/phases.h"
#include "tools/bench/workload/pipeline_item.h"
#include "tools/common/console.h"
#include "tools/common/table.h"
#include "tools/common/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MAX = 10000 };

enum mode { MODE_SEQUENTIAL, MODE_BATCHED, MODE_COUNT };

static const char *const mode_names[MODE_COUNT] = {"sequential", "batched"};

struct pipeline_settings {
    struct common_settings common;
    uint64_t items;
    uint64_t item_size;
    uint64_t threads; /* 0: the cores */
};

#define FIELD(name) offsetof(struct pipeline_settings, name)

static const struct options_row rows[] = {
    {"items", 'n', OPTIONS_COUNT, FIELD(items), "N", NULL, 1, ITEMS_MAX, "items (default 32)"},
    {"item-size", 0, OPTIONS_SIZE, FIELD(item_size), "SIZE", NULL, 4 * TFS_KIB, 1ull << 40,
     "bytes of an item's model, bf16 (default 8M)"},
    {"threads", 't', OPTIONS_COUNT, FIELD(threads), "N", NULL, 1, WORKERS_MAX,
     "threads of the batched pass (default: the cores)"},
};

static const struct options_command command = {
    .name = "pipeline",
    .summary =
        "Run a job of small checkpoints one by one, then batched and concurrent, phase by phase",
    .usage = "--dir=DIR|--store-dir=DIR [--baseline=DIR] [OPTIONS]",
    .details = "Each item is generated, saved (safetensors, fsync), published as a link in a step "
               "directory,\n"
               "loaded through the link, validated (hash, NaN, infinity) and scored. Wall time, "
               "CPU time of this\n"
               "process (not of a filesystem's daemon), calls and share of every phase; "
               "'unaccounted' is what no\n"
               "phase measured. Loads follow their saves at once, so they may come from caches.\n\n"
               "Example:\n"
               "  tensorfs-bench pipeline --dir=/mnt/ckpt --baseline=/data --items=64\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
};

struct pass {
    struct phase phases[PIPELINE_PHASE_COUNT];
    struct phase total;
};

struct place {
    struct target target;
    struct pass passes[MODE_COUNT];
};

struct pipeline {
    const struct pipeline_settings *settings;
    struct place places[TARGET_PLACES_MAX];
    unsigned place_count;
    struct pipeline_item *items;
    unsigned threads;
};

static void items_reset(struct pipeline *pipeline, const struct place *place, enum mode mode)
{
    const struct pipeline_settings *settings = pipeline->settings;

    for (unsigned i = 0; i < settings->items; i++) {
        struct pipeline_item *item = &pipeline->items[i];

        pipeline_item_reset(item);
        *item = (struct pipeline_item){
            .spec = {.parameters = settings->item_size / tensor_kind_width(TENSOR_BF16),
                     .copies = {[TENSOR_BF16] = 1},
                     .seed = settings->common.seed + i,
                     .threads = 1},
            .work = place->target.work,
            .index = i,
            .parents_exist = mode == MODE_BATCHED,
        };
    }
}

static int pass_sequential(struct pipeline *pipeline, struct pass *pass)
{
    for (unsigned i = 0; i < pipeline->settings->items; i++) {
        for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++) {
            int err =
                PHASE_TIMED(&pass->phases[phase], 1, pipeline_steps[phase](&pipeline->items[i]));

            if (err < 0)
                return err;
        }
    }
    return 0;
}

struct batch {
    struct pipeline_item *items;
    pipeline_step *step;
};

static int batch_step(void *argument, size_t index)
{
    const struct batch *batch = argument;

    return batch->step(&batch->items[index]);
}

/* All items through one phase. The parents of all step directories are made once, which is what
 * batching is for. */
static int batch_run(struct pipeline *pipeline, const struct place *place, int phase)
{
    struct batch batch = {.items = pipeline->items, .step = pipeline_steps[phase]};
    int err = phase == PIPELINE_ENSURE_DIR ? pipeline_make_parents(place->target.work) : 0;

    if (err < 0)
        return err;
    return workers_run(pipeline->threads, pipeline->settings->items, batch_step, &batch);
}

static int pass_batched(struct pipeline *pipeline, const struct place *place, struct pass *pass)
{
    for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++) {
        int err = PHASE_TIMED(&pass->phases[phase], pipeline->settings->items,
                              batch_run(pipeline, place, phase));

        if (err < 0)
            return err;
    }
    return 0;
}

static int place_run(struct pipeline *pipeline, struct place *place, enum mode mode)
{
    struct pass *pass = &place->passes[mode];
    int err;

    console_stage("%s, %s", mode_names[mode], place->target.label);
    items_reset(pipeline, place, mode);
    err = PHASE_TIMED(&pass->total, 1,
                      mode == MODE_SEQUENTIAL ? pass_sequential(pipeline, pass)
                                              : pass_batched(pipeline, place, pass));
    return err < 0 ? err : target_empty(&place->target);
}

static int pipeline_measure(void *state)
{
    struct pipeline *pipeline = state;
    const struct pipeline_settings *settings = pipeline->settings;
    int err = 0;

    console_begin(CONSOLE_BYTES,
                  2 * MODE_COUNT * pipeline->place_count * settings->items * settings->item_size);
    for (int mode = 0; mode < MODE_COUNT && err == 0; mode++) {
        for (unsigned i = 0; i < pipeline->place_count && err == 0; i++)
            err = place_run(pipeline, &pipeline->places[i], (enum mode)mode);
    }
    console_end();
    return err;
}

static int pipeline_open(void *state)
{
    struct pipeline *pipeline = state;
    const struct pipeline_settings *settings = pipeline->settings;
    struct target *const targets[] = {&pipeline->places[0].target, &pipeline->places[1].target};
    int err = target_open_places(targets, &settings->common.target,
                                 settings->items * settings->item_size, &pipeline->place_count);

    if (err < 0)
        return err;
    pipeline->threads = settings->threads ? (unsigned)settings->threads : workers_core_count();
    pipeline->items = calloc(settings->items, sizeof(*pipeline->items));
    if (!pipeline->items)
        return console_fail(-ENOMEM, "%llu items", (unsigned long long)settings->items);
    /* Each item holds what it made and what it loaded. */
    return model_touch_memory(2 * settings->items * settings->item_size);
}

static void pipeline_close(void *state)
{
    struct pipeline *pipeline = state;
    for (unsigned i = 0; i < TARGET_PLACES_MAX; i++)
        target_close(&pipeline->places[i].target);
    for (unsigned i = 0; pipeline->items && i < pipeline->settings->items; i++)
        pipeline_item_reset(&pipeline->items[i]);
    free(pipeline->items);
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* Wall and CPU time of a pass that no phase has. */
static struct phase pass_unaccounted(const struct pass *pass)
{
    struct phase rest = pass->total;

    for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++) {
        rest.wall_ns -= pass->phases[phase].wall_ns;
        rest.cpu_ns -= tfs_min_u64(rest.cpu_ns, pass->phases[phase].cpu_ns);
    }
    rest.calls = 0;
    return rest;
}

static void add_phase(cJSON *list, const char *name, const struct phase *phase, uint64_t total_ns)
{
    cJSON *entry = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(entry, "name", name);
    (void)cJSON_AddNumberToObject(entry, "calls", (double)phase->calls);
    (void)cJSON_AddNumberToObject(entry, "wall_s", seconds(phase->wall_ns));
    (void)cJSON_AddNumberToObject(entry, "cpu_s", seconds(phase->cpu_ns));
    (void)cJSON_AddNumberToObject(entry, "share_percent",
                                  (double)phase->wall_ns / (double)total_ns * 100);
    (void)cJSON_AddItemToArray(list, entry);
}

static void add_pass(cJSON *place, const struct pass *pass, const char *name)
{
    cJSON *object = cJSON_AddObjectToObject(place, name);
    cJSON *list = cJSON_AddArrayToObject(object, "phases");
    struct phase rest = pass_unaccounted(pass);

    for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++)
        add_phase(list, pipeline_phase_names[phase], &pass->phases[phase], pass->total.wall_ns);
    (void)cJSON_AddNumberToObject(object, "total_s", seconds(pass->total.wall_ns));
    (void)cJSON_AddNumberToObject(object, "total_cpu_s", seconds(pass->total.cpu_ns));
    (void)cJSON_AddNumberToObject(object, "unaccounted_s", seconds(rest.wall_ns));
    (void)cJSON_AddNumberToObject(object, "unaccounted_percent",
                                  (double)rest.wall_ns / (double)pass->total.wall_ns * 100);
}

static double speedup(const struct phase *before, const struct phase *after)
{
    return (double)before->wall_ns / (double)tfs_max_u64(after->wall_ns, 1);
}

static void place_add_results(const struct place *place, cJSON *places)
{
    const struct pass *sequential = &place->passes[MODE_SEQUENTIAL];
    const struct pass *batched = &place->passes[MODE_BATCHED];
    cJSON *entry = cJSON_CreateObject();
    cJSON *ratios;

    (void)cJSON_AddStringToObject(entry, "name", place->target.label);
    for (int mode = 0; mode < MODE_COUNT; mode++)
        add_pass(entry, &place->passes[mode], mode_names[mode]);
    ratios = cJSON_AddObjectToObject(entry, "speedup");
    for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++)
        (void)cJSON_AddNumberToObject(ratios, pipeline_phase_names[phase],
                                      speedup(&sequential->phases[phase], &batched->phases[phase]));
    (void)cJSON_AddNumberToObject(ratios, "total", speedup(&sequential->total, &batched->total));
    (void)cJSON_AddItemToArray(places, entry);
}

static void table_phase(struct table *table, const char *name, const struct phase *sequential,
                        const struct phase *batched, const struct place *place)
{
    double total = (double)place->passes[MODE_SEQUENTIAL].total.wall_ns;
    double batched_total = (double)place->passes[MODE_BATCHED].total.wall_ns;

    table_row(table, "%s\t%llu\t%.6f\t%.6f\t%.2f\t%llu\t%.6f\t%.6f\t%.2f\t%.2fx", name,
              (unsigned long long)sequential->calls, seconds(sequential->wall_ns),
              seconds(sequential->cpu_ns), (double)sequential->wall_ns / total * 100,
              (unsigned long long)batched->calls, seconds(batched->wall_ns),
              seconds(batched->cpu_ns), (double)batched->wall_ns / batched_total * 100,
              speedup(sequential, batched));
}

static int place_print(const struct pipeline *pipeline, const struct place *place)
{
    const struct pass *sequential = &place->passes[MODE_SEQUENTIAL];
    const struct pass *batched = &place->passes[MODE_BATCHED];
    struct phase rest = pass_unaccounted(sequential);
    struct phase batched_rest = pass_unaccounted(batched);
    const struct phase *validate = &sequential->phases[PIPELINE_VALIDATE];
    const struct phase *validate_batched = &batched->phases[PIPELINE_VALIDATE];
    struct table table;
    int err;

    (void)printf("%s:\n%llu items of %s; one after the other, then in batches on %u threads\n\n",
                 place->target.label, (unsigned long long)pipeline->settings->items,
                 units_bytes(pipeline->settings->item_size).text, pipeline->threads);
    table_init(&table, "phase\tcalls\twall s\tcpu s\t%\tbatched calls\twall s\tcpu s\t%\tspeed-up");
    for (int phase = 0; phase < PIPELINE_PHASE_COUNT; phase++)
        table_phase(&table, pipeline_phase_names[phase], &sequential->phases[phase],
                    &batched->phases[phase], place);
    table_phase(&table, "total", &sequential->total, &batched->total, place);
    table_row(&table, "unaccounted\t\t%.6f\t%.6f\t%.2f\t\t%.6f\t%.6f\t%.2f", seconds(rest.wall_ns),
              seconds(rest.cpu_ns), (double)rest.wall_ns / (double)sequential->total.wall_ns * 100,
              seconds(batched_rest.wall_ns), seconds(batched_rest.cpu_ns),
              (double)batched_rest.wall_ns / (double)batched->total.wall_ns * 100);
    err = table_print(&table, stdout);
    table_release(&table);
    (void)printf("\nvalidation: %s one after the other, ",
                 units_seconds(seconds(validate->wall_ns)).text);
    (void)printf("%s on %u threads: %.2fx\n\n",
                 units_seconds(seconds(validate_batched->wall_ns)).text, pipeline->threads,
                 speedup(validate, validate_batched));
    return err;
}

static void pipeline_add_results(void *state, cJSON *results)
{
    const struct pipeline *pipeline = state;
    cJSON *places = cJSON_AddArrayToObject(results, "places");

    (void)cJSON_AddNumberToObject(results, "items", (double)pipeline->settings->items);
    (void)cJSON_AddNumberToObject(results, "item_bytes", (double)pipeline->settings->item_size);
    (void)cJSON_AddNumberToObject(results, "threads", pipeline->threads);
    for (unsigned i = 0; i < pipeline->place_count; i++)
        place_add_results(&pipeline->places[i], places);
}

static int pipeline_print(const void *state, const cJSON *results)
{
    const struct pipeline *pipeline = state;
    int err = 0;

    (void)results; /* the phases are at hand */
    for (unsigned i = 0; i < pipeline->place_count && err == 0; i++)
        err = place_print(pipeline, &pipeline->places[i]);
    return err;
}

static const struct measurement pipeline_measurement = {
    .command = &command,
    .open = pipeline_open,
    .measure = pipeline_measure,
    .add_results = pipeline_add_results,
    .print = pipeline_print,
    .close = pipeline_close,
};

int pipeline_main(int argc, char **argv)
{
    struct pipeline_settings settings = {.items = 32, .item_size = 8 * TFS_MIB};
    struct pipeline pipeline = {.settings = &settings};

    return measurement_main(&pipeline_measurement, &settings.common, &pipeline, argc, argv);
}
