/*
 * meta: what directories, links and renames cost, operation by operation, beside a baseline. The
 * places take turns in rounds; every call is timed by itself.
 *
 * "Uncached" calls each touch another object after the caches were cleared once, so that none is
 * warmed by the one before it more than a real program's would be (neighbours may share a block).
 */
#include "tools/bench/command/commands.h"

#include "store/base/clock.h"
#include "tools/bench/command/measurement.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/results.h"
#include "tools/bench/system/directory.h"
#include "tools/bench/target/target.h"
#include "tools/bench/workload/meta_ops.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPS_MAX = 32, ROUNDS_MAX = 100 };

struct meta_settings {
    struct common_settings common;
    uint64_t count;
    uint64_t rounds;
};

#define FIELD(name) offsetof(struct meta_settings, name)

static const struct options_row rows[] = {
    {"count", 'n', OPTIONS_COUNT, FIELD(count), "N", NULL, 10, 999999,
     "objects of each kind in a round (default 1000)"},
    {"rounds", 0, OPTIONS_COUNT, FIELD(rounds), "N", NULL, 1, ROUNDS_MAX,
     "rounds, the places in turns (default 3)"},
};

static const struct options_command command = {
    .name = "meta",
    .summary =
        "Time mkdir, create, links, stat, open, rename, readdir, unlink, and checkpoint idioms",
    .usage = "--dir=DIR|--store-dir=DIR [--baseline=DIR] [OPTIONS]",
    .details =
        "Every call is timed by itself: mean, median and 99th percentile in microseconds, calls a\n"
        "second. 'Uncached' is after the caches were cleared, which takes root; a tree is one "
        "call.\n\n"
        "Examples:\n"
        "  tensorfs-bench meta --dir=/mnt/ckpt --baseline=/data\n"
        "  tensorfs-bench meta --store-dir=/data --baseline=/data --count=10000 --json\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
};

struct samples {
    double *us;
    size_t count;
};

struct place {
    struct target target;
    struct samples samples[OPS_MAX];
};

struct meta {
    const struct meta_settings *settings;
    struct place places[TARGET_PLACES_MAX];
    unsigned place_count;
};

static size_t op_calls(const struct meta *meta, const struct meta_op *op)
{
    size_t count = meta->settings->count;

    switch (op->calls) {
    case META_EACH_TREE:
        return META_TREES;
    case META_EACH_TREE_DIRECTORY: /* a second listing would be a cached one */
        return tfs_min_u64(count, META_TREES * META_TREE_DIRECTORIES);
    default:
        return count;
    }
}

static int op_run(const struct meta *meta, struct place *place, size_t op_index)
{
    const struct meta_op *op = &meta_ops[op_index];
    struct samples *samples = &place->samples[op_index];
    size_t calls = op_calls(meta, op);

    for (size_t i = 0; i < calls; i++) {
        uint64_t start_ns = tfs_clock_ns();
        int err = op->run(place->target.work, i);
        uint64_t end_ns = tfs_clock_ns();

        if (err < 0)
            return console_fail(err, "%s number %zu in '%s'", op->title, i, place->target.work);
        if (interrupt_is_pending())
            return -EINTR;
        samples->us[samples->count++] = (double)(end_ns - start_ns) / 1e3;
    }
    console_advance(calls);
    return 0;
}

/* Runs the operation unless it asks for cold caches that cannot be had. */
static int op_run_as_asked(const struct meta *meta, struct place *place, size_t op_index)
{
    uint64_t unused;
    int cold;
    int err;

    if (meta_ops[op_index].cold == META_REWARM) {
        err = directory_stored_bytes(place->target.work, &unused); /* a stat of everything */
        if (err < 0)
            return err;
    }
    if (meta_ops[op_index].cold != META_COLD)
        return op_run(meta, place, op_index);
    cold = target_make_cold(&place->target);
    if (cold < 0)
        return cold;
    if (!(cold & (TARGET_COLD_DROPPED | TARGET_COLD_REMOUNTED)))
        return 0; /* names and inodes cannot be advised out of the cache */
    return op_run(meta, place, op_index);
}

static int place_run(const struct meta *meta, struct place *place, unsigned round)
{
    int err = meta_ops_prepare(place->target.work);

    if (err < 0)
        return console_fail(err, "preparing '%s'", place->target.work);
    for (size_t op = 0; op < meta_op_count && err == 0; op++) {
        console_stage("round %u: %s, %s", round + 1, meta_ops[op].title, place->target.label);
        err = op_run_as_asked(meta, place, op);
    }
    return err < 0 ? err : target_empty(&place->target);
}

static int meta_measure(void *state)
{
    struct meta *meta = state;
    uint64_t rounds = meta->settings->rounds;
    uint64_t calls = 0;
    int err = 0;

    for (size_t op = 0; op < meta_op_count; op++)
        calls += op_calls(meta, &meta_ops[op]);
    console_begin(CONSOLE_OPERATIONS, rounds * meta->place_count * calls);
    for (unsigned round = 0; round < rounds && err == 0; round++) {
        for (unsigned i = 0; i < meta->place_count && err == 0; i++)
            err = place_run(meta, &meta->places[i], round);
    }
    console_end();
    return err;
}

static int place_allocate(const struct meta *meta, struct place *place)
{
    for (size_t op = 0; op < meta_op_count; op++) {
        place->samples[op].us =
            calloc(meta->settings->rounds * op_calls(meta, &meta_ops[op]), sizeof(double));
        if (!place->samples[op].us)
            return console_fail(-ENOMEM, "samples");
    }
    return 0;
}

static int meta_open(void *state)
{
    struct meta *meta = state;
    struct target *const targets[] = {&meta->places[0].target, &meta->places[1].target};
    /* A directory or a link takes a block at most on the filesystems that we know. */
    int err = target_open_places(targets, &meta->settings->common.target,
                                 meta->settings->count * 4 * 4096, &meta->place_count);

    assert(meta_op_count <= OPS_MAX);
    for (unsigned i = 0; i < meta->place_count && err == 0; i++)
        err = place_allocate(meta, &meta->places[i]);
    return err;
}

static void meta_close(void *state)
{
    struct meta *meta = state;
    for (unsigned i = 0; i < TARGET_PLACES_MAX; i++) {
        target_close(&meta->places[i].target);
        for (size_t op = 0; op < meta_op_count; op++)
            free(meta->places[i].samples[op].us);
    }
}

/* Sorts the samples of the operation. One that was not measured has no figures. */
static void op_results(const struct meta_op *op, struct samples *samples, cJSON *list)
{
    cJSON *entry = cJSON_CreateObject();
    struct stats_summary summary;

    (void)cJSON_AddStringToObject(entry, "name", op->name);
    (void)cJSON_AddNumberToObject(entry, "calls", (double)samples->count);
    summary = results_add_latencies(entry, samples->us, samples->count);
    if (summary.count > 0)
        (void)cJSON_AddNumberToObject(entry, "per_s", 1e6 / summary.mean);
    (void)cJSON_AddItemToArray(list, entry);
}

static void meta_add_results(void *state, cJSON *results)
{
    struct meta *meta = state;
    cJSON *places = cJSON_AddArrayToObject(results, "places");

    (void)cJSON_AddNumberToObject(results, "count", (double)meta->settings->count);
    (void)cJSON_AddNumberToObject(results, "rounds", (double)meta->settings->rounds);
    for (unsigned i = 0; i < meta->place_count; i++) {
        cJSON *place = cJSON_CreateObject();
        cJSON *list;

        (void)cJSON_AddStringToObject(place, "name", meta->places[i].target.label);
        list = cJSON_AddArrayToObject(place, "operations");
        for (size_t op = 0; op < meta_op_count; op++)
            op_results(&meta_ops[op], &meta->places[i].samples[op], list);
        (void)cJSON_AddItemToArray(places, place);
    }
}

static double op_number(const cJSON *places, int place, size_t op, const char *name)
{
    const cJSON *list = json_member(cJSON_GetArrayItem(places, place), "operations");

    return json_number(cJSON_GetArrayItem(list, (int)op), name);
}

static void op_row(struct table *table, const cJSON *places, size_t op)
{
    double mean = op_number(places, 0, op, "mean_us");
    double baseline = op_number(places, 1, op, "mean_us");
    char against[96] = "";

    if (isnan(mean)) {
        table_row(table, "%s\tnot measured (root only)", meta_ops[op].title);
        return;
    }
    if (!isnan(baseline))
        (void)snprintf(against, sizeof(against), "\t%.1f\t%.1f\t%.1f\t%.2f", baseline,
                       op_number(places, 1, op, "p50_us"), op_number(places, 1, op, "p99_us"),
                       mean / baseline);
    table_row(table, "%s\t%.1f\t%.1f\t%.1f\t%.0f%s", meta_ops[op].title, mean,
              op_number(places, 0, op, "p50_us"), op_number(places, 0, op, "p99_us"),
              op_number(places, 0, op, "per_s"), against);
}

static int meta_print(const void *state, const cJSON *results)
{
    const struct meta *meta = state;
    const cJSON *places = json_member(results, "places");
    struct table table;
    int err;

    (void)printf("%s\n", meta->places[0].target.label);
    if (meta->place_count > 1)
        (void)printf("baseline: %s\n", meta->places[1].target.label);
    (void)printf(
        "%llu objects of each kind, %llu round%s\n\n", (unsigned long long)meta->settings->count,
        (unsigned long long)meta->settings->rounds, meta->settings->rounds == 1 ? "" : "s");
    table_init(&table,
               meta->place_count > 1
                   ? "operation\tmean us\tp50 us\tp99 us\top/s\tbaseline us\tp50 us\tp99 us\ttimes"
                   : "operation\tmean us\tp50 us\tp99 us\top/s");
    for (size_t op = 0; op < meta_op_count; op++)
        op_row(&table, places, op);
    err = table_print(&table, stdout);
    table_release(&table);
    return err;
}

static const struct measurement meta_measurement = {
    .command = &command,
    .open = meta_open,
    .measure = meta_measure,
    .add_results = meta_add_results,
    .print = meta_print,
    .close = meta_close,
};

int meta_main(int argc, char **argv)
{
    struct meta_settings settings = {.count = 1000, .rounds = 3};
    struct meta meta = {.settings = &settings};

    return measurement_main(&meta_measurement, &settings.common, &meta, argc, argv);
}
