/*
 * Building JSON and reading files of JSON.
 */
#include "tools/bench/report/results.h"

#include "tools/bench/json/json_place.h"
#include "tools/bench/target/environment.h"
#include "tools/common/console.h"
#include "tools/common/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64ull << 20)

void results_delete_p(cJSON **results)
{
    cJSON_Delete(*results);
}

int results_new(const char *command, const struct common_settings *settings, cJSON **ret)
{
    cJSON *results = cJSON_CreateObject();
    cJSON *environment = environment_json(settings);

    if (!results || !environment) {
        cJSON_Delete(results);
        cJSON_Delete(environment);
        return console_fail(-ENOMEM, "results");
    }
    (void)cJSON_AddStringToObject(results, "tool", "tensorfs-bench");
    (void)cJSON_AddStringToObject(results, "version", TENSORFS_VERSION);
    (void)cJSON_AddStringToObject(results, "command", command);
    (void)cJSON_AddNumberToObject(results, "seed", (double)settings->seed);
    if (settings->mount_options)
        (void)cJSON_AddStringToObject(results, "mount_options", settings->mount_options);
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

int results_write(const cJSON *results, const char *path)
{
    char *raw = cJSON_Print(results);
    char *text = raw ? output_utf8(raw) : NULL; /* paths may hold any bytes */
    FILE *file;
    int err = 0;

    free(raw);
    if (!text)
        return console_fail(-ENOMEM, "writing '%s'", path);
    file = fopen(path, "we");
    if (!file) {
        err = console_fail(-errno, "creating '%s'", path);
        free(text);
        return err;
    }
    if (fprintf(file, "%s\n", text) < 0)
        err = console_fail(-errno, "writing '%s'", path);
    if (fclose(file) != 0 && err == 0)
        err = console_fail(-errno, "writing '%s'", path);
    free(text);
    return err;
}

int results_read_text(const char *path, char **ret)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    int err = 0;

    if (!file)
        return console_reject("'%s': %s", path, strerror(errno));
    errno = 0;
    size = getdelim(&text, &capacity, '\0', file);
    if (size < 0 && errno == 0)
        err = console_reject("'%s' is empty", path);
    else if (size < 0 && errno == EISDIR)
        err = console_reject("'%s' is a directory", path);
    else if (size < 0)
        err = console_fail(-errno, "reading '%s'", path);
    else if ((uint64_t)size > FILE_BYTES_MAX)
        err = console_reject("'%s' is larger than %llu bytes", path, FILE_BYTES_MAX);
    (void)fclose(file); /* read-only, nothing to lose */
    if (err < 0) {
        free(text);
        return err;
    }
    *ret = text;
    return 0;
}

int results_read(const char *path, char **ret_text, cJSON **ret)
{
    char *text = NULL;
    cJSON *root;
    int err = results_read_text(path, &text);

    if (err < 0)
        return err;
    err = json_place_parse(path, text, &root);
    if (err < 0) {
        free(text);
        return err;
    }
    *ret_text = text;
    *ret = root;
    return 0;
}

struct results_cell results_deviation(const cJSON *summary)
{
    const cJSON *runs = cJSON_GetObjectItemCaseSensitive(summary, "runs");
    const cJSON *deviation = cJSON_GetObjectItemCaseSensitive(summary, "stddev");
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
    percent = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(test, name));
    (void)snprintf(name, sizeof(name), "%s_may_be_chance", value);
    (void)snprintf(cell.text, sizeof(cell.text),
                   cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(test, name)) ? "(%+.0f)" : "%+.0f",
                   percent);
    return cell;
}
