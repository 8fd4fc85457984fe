/*
 * Every entry is read, also after one was missed, so that one run tells all.
 */
#include "tools/bench/report/check.h"

#include "tools/bench/json/json_file.h"
#include "tools/bench/json/json_place.h"
#include "tools/common/console.h"
#include "tools/common/table.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct json_document document;
    const cJSON *results;
    struct table table;
    unsigned missed;
};

#define check_reject(check, ...) json_place_reject(&(check)->document, __VA_ARGS__)

/* *ret stays as it is when the limit is not given. */
static int limit_read(const struct check *check, const cJSON *entry, const char *name, double *ret)
{
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(entry, name);

    if (!limit)
        return 0;
    if (!cJSON_IsNumber(limit))
        return check_reject(check, limit, "it must be a number");
    *ret = limit->valuedouble;
    return 0;
}

static int entry_check_keys(const struct check *check, const cJSON *entry)
{
    const cJSON *member;

    if (!cJSON_IsObject(entry))
        return check_reject(check, entry, "a check is an object");
    cJSON_ArrayForEach(member, entry)
    {
        if (strcmp(member->string, "metric") != 0 && strcmp(member->string, "min") != 0 &&
            strcmp(member->string, "max") != 0 && strcmp(member->string, "description") != 0)
            return check_reject(check, member, "unknown key (metric, min, max, description)");
    }
    return 0;
}

/* A number, or a truth as 1 or 0. */
static bool metric_number(const cJSON *value, double *ret)
{
    if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
        return false;
    *ret = cJSON_IsNumber(value) ? value->valuedouble : cJSON_IsTrue(value);
    return true;
}

struct figure_text {
    char text[32];
};

static struct figure_text figure_text(double number)
{
    struct figure_text out;

    (void)snprintf(out.text, sizeof(out.text), isinf(number) ? "-" : "%.6g", number);
    return out;
}

static int entry_check(struct check *check, const cJSON *entry)
{
    double lowest = -HUGE_VAL;
    double highest = HUGE_VAL;
    const char *metric;
    const cJSON *value;
    double number = 0;
    bool measured;
    bool met;
    int err = entry_check_keys(check, entry);

    if (err < 0)
        return err;
    metric = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "metric"));
    if (!metric)
        return check_reject(check, entry, "no metric");
    err = limit_read(check, entry, "min", &lowest);
    if (err == 0)
        err = limit_read(check, entry, "max", &highest);
    if (err < 0)
        return err;
    if (lowest == -HUGE_VAL && highest == HUGE_VAL)
        return check_reject(check, entry, "neither min nor max");
    value = json_place_resolve(check->results, metric);
    measured = metric_number(value, &number);
    met = measured && number >= lowest && number <= highest;
    check->missed += !met;
    table_row(&check->table, "%s\t%s\t%s\t%s\t%s", metric,
              measured ? figure_text(number).text : "not measured", figure_text(lowest).text,
              figure_text(highest).text, met ? "ok" : "MISSED");
    return 0;
}

/* out NULL: only read. */
static int check_all(struct check *check, FILE *out)
{
    const cJSON *checks = cJSON_GetObjectItemCaseSensitive(check->document.root, "checks");
    const cJSON *entry;
    int err;

    if (!cJSON_IsArray(checks) || cJSON_GetArraySize(checks) == 0)
        return check_reject(check, check->document.root,
                            "it must hold a list 'checks' with entries");
    cJSON_ArrayForEach(entry, checks)
    {
        err = entry_check(check, entry);
        if (err < 0)
            return err;
    }
    if (!out)
        return 0;
    (void)fputc('\n', out);
    err = table_print(&check->table, out);
    if (err < 0)
        return console_fail(err, "printing the checks");
    return check->missed ? -ERANGE : 0;
}

int check_file(const char *path, const cJSON *results, FILE *out)
{
    struct check check = {.results = results};
    char *text;
    cJSON *root;
    int err = json_file_read(path, &text, &root);

    if (err < 0)
        return err;
    check.document = (struct json_document){path, text, root};
    table_init(&check.table, "check\tmeasured\tmin\tmax\t");
    err = check_all(&check, out);
    table_release(&check.table);
    cJSON_Delete(root);
    free(text);
    return err;
}

int check_file_try(const char *path)
{
    return check_file(path, NULL, NULL);
}
