/*
 * The JSON of figures: every command names the same figure alike.
 */
#include "tools/bench/report/results.h"
#include "tools/bench/json/json_value.h"

#include "tools/bench/target/environment.h"
#include "tools/bench/target/target_settings.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int results_new(const char *command, const struct target_settings *target, uint64_t seed,
                cJSON **ret)
{
    cJSON *results = cJSON_CreateObject();
    cJSON *environment = environment_json(target);

    if (!results || !environment) {
        cJSON_Delete(results);
        cJSON_Delete(environment);
        return console_fail(-ENOMEM, "results");
    }
    (void)cJSON_AddStringToObject(results, "tool", "tensorfs-bench");
    (void)cJSON_AddStringToObject(results, "version", TENSORFS_VERSION);
    (void)cJSON_AddStringToObject(results, "command", command);
    (void)cJSON_AddNumberToObject(results, "seed", (double)seed);
    if (target->mount_options)
        (void)cJSON_AddStringToObject(results, "mount_options", target->mount_options);
    (void)cJSON_AddItemToObject(results, "environment", environment);
    *ret = results;
    return 0;
}

struct stats_summary results_add_summary(cJSON *object, const char *name, const double *values,
                                         size_t count)
{
    struct stats_summary summary = {0};
    cJSON *entry = cJSON_AddObjectToObject(object, name);
    double *sorted = malloc(tfs_max_u64(count, 1) * sizeof(*sorted));

    if (!sorted)
        return summary;
    if (count > 0)
        (void)memcpy(sorted, values, count * sizeof(*sorted));
    stats_summarise(sorted, count, &summary);
    free(sorted);
    (void)cJSON_AddItemToObject(entry, "runs", cJSON_CreateDoubleArray(values, (int)count));
    (void)cJSON_AddNumberToObject(entry, "min", summary.min);
    (void)cJSON_AddNumberToObject(entry, "median", summary.median);
    (void)cJSON_AddNumberToObject(entry, "mean", summary.mean);
    (void)cJSON_AddNumberToObject(entry, "max", summary.max);
    (void)cJSON_AddNumberToObject(entry, "stddev", summary.deviation);
    return summary;
}

struct stats_summary results_add_latencies(cJSON *object, double *us, size_t count)
{
    struct stats_summary summary;

    stats_summarise(us, count, &summary);
    if (count == 0)
        return summary;
    (void)cJSON_AddNumberToObject(object, "mean_us", summary.mean);
    (void)cJSON_AddNumberToObject(object, "p50_us", summary.median);
    (void)cJSON_AddNumberToObject(object, "p99_us", stats_percentile(us, count, 0.99));
    return summary;
}

struct results_cell results_deviation(const cJSON *summary)
{
    const cJSON *runs = json_member(summary, "runs");
    const cJSON *deviation = json_member(summary, "stddev");
    struct results_cell cell = {.text = "-"};

    if (cJSON_GetArraySize(runs) > 1)
        (void)snprintf(cell.text, sizeof(cell.text), "%.3f", cJSON_GetNumberValue(deviation));
    return cell;
}

struct results_cell results_improvement(const cJSON *test, const char *value)
{
    struct results_cell cell;
    char name[64];
    double percent;

    (void)snprintf(name, sizeof(name), "%s_improvement_percent", value);
    percent = json_number(test, name);
    (void)snprintf(name, sizeof(name), "%s_may_be_chance", value);
    (void)snprintf(cell.text, sizeof(cell.text),
                   cJSON_IsTrue(json_member(test, name)) ? "(%+.0f)" : "%+.0f", percent);
    return cell;
}
