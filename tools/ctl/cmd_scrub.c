/* tensorfsctl scrub: every stored byte against its checksum. */
#include "tools/common/console.h"
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/target.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

struct scrub_settings {
    struct ctl_settings common;
    uint64_t rate;
    bool deep;
    bool restart;
};

#define FIELD(name) offsetof(struct scrub_settings, name)

static const struct options_row rows[] = {
    {"rate", 'r', OPTIONS_SIZE, FIELD(rate), "SIZE", NULL, 1, INT64_MAX,
     "read at most so much a second"},
    {"deep", 'd', OPTIONS_FLAG, FIELD(deep), NULL, NULL, 0, 0,
     "decode too, and verify what comes out"},
    {"restart", 0, OPTIONS_FLAG, FIELD(restart), NULL, NULL, 0, 0,
     "from the beginning, also when the last run was stopped"},
};

static const struct options_command command = {
    .name = "scrub",
    .summary = "Verify every stored byte against its checksum",
    .usage = "[OPTIONS] TARGET",
    .details =
        "TARGET is a store, or any path on its mount. Lists each range that cannot be read.\n"
        "A run that is stopped is gone on with by the next one.\n",
    .rows = rows,
    .row_count = TFS_ARRAY_COUNT(rows),
    .takes_operands = true,
};

static void print_damage(const cJSON *item)
{
    const char *path = answer_text(item, "path");
    double offset = answer_number(item, "offset");

    if (*path)
        answer_print_safe(path);
    else
        (void)printf("inode %.0f", answer_number(item, "inode"));
    (void)printf(": bytes %.0f-%.0f: %s\n", offset, offset + answer_number(item, "size") - 1,
                 answer_text(item, "reason"));
}

/* With --json the ranges are kept for the end. */
static int take_item(void *context, cJSON *item)
{
    cJSON *damage = context;

    if (damage)
        return cJSON_AddItemToArray(damage, item) ? 0 : -ENOMEM;
    print_damage(item);
    cJSON_Delete(item);
    return 0;
}

static void print_result(const cJSON *result)
{
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "resumed")))
        console_note("went on where the last run was stopped");
    (void)printf("%s in %.0f frames verified, %.0f ranges (%s) cannot be read\n",
                 units_bytes((uint64_t)answer_number(result, "bytes")).text,
                 answer_number(result, "frames"), answer_number(result, "damaged"),
                 units_bytes((uint64_t)answer_number(result, "damaged_bytes")).text);
}

static cJSON *request_new(const struct scrub_settings *settings)
{
    cJSON *request = ctl_request_new(command.name);

    (void)cJSON_AddNumberToObject(request, "rate", (double)settings->rate);
    (void)cJSON_AddBoolToObject(request, "deep", settings->deep);
    (void)cJSON_AddBoolToObject(request, "restart", settings->restart);
    return request;
}

int ctl_scrub(const struct ctl_context *context, int argc, char **argv)
{
    struct scrub_settings settings = {.rate = 0};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    tfs_cleanup(ctl_target_close_p) struct ctl_target *target = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *request = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *result = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *damage = NULL;
    struct ctl_question question = {.on_item = take_item};
    bool damaged = false;
    const char *path;
    int status;
    int err = ctl_parse(context, &line, argc, argv, &path);

    if (err != OPTIONS_RUN)
        return ctl_exit_of_parse(err);
    request = request_new(&settings);
    question.request = request;
    question.context = damage = settings.common.json ? cJSON_CreateArray() : NULL;
    err = ctl_target_open(path, &target);
    if (!err)
        err = ctl_target_call(target, &question, &result);
    if (err == -ECANCELED)
        console_note("stopped; the next scrub goes on from here");
    if (!err) {
        damaged = answer_number(result, "damaged") > 0;
        if (settings.common.json)
            (void)cJSON_AddItemToObject(result, "damage", TAKE_PTR(damage));
        else
            print_result(result);
    }
    status = ctl_finish(&settings.common, result, err);
    return status == CTL_OK && damaged ? CTL_FAILED : status;
}
