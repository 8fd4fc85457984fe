#include "tools/ctl/ask.h"

#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

static int collect_item(void *context, struct cJSON *item)
{
    if (cJSON_AddItemToArray(context, item))
        return 0;
    cJSON_Delete(item);
    return -ENOMEM;
}

static int ask_target(const struct ctl_ask *ask, struct ctl_target *target, cJSON **ret_result)
{
    const bool collects = ask->settings->json && ask->items;
    cJSON *items = collects ? cJSON_CreateArray() : NULL;
    const struct ctl_question question = {
        .request = ask->request,
        .on_item = collects ? collect_item : ask->item,
        .context = items,
    };
    int err = collects && !items ? -ENOMEM : ctl_target_call(target, &question, ret_result);

    if (err || !items || !cJSON_AddItemToObject(*ret_result, ask->items, items))
        cJSON_Delete(items);
    return err;
}

int ctl_ask(const struct ctl_ask *ask)
{
    tfs_cleanup(ctl_target_close_p) struct ctl_target *target = NULL;
    tfs_cleanup(ctl_json_free_p) cJSON *request = ask->request;
    tfs_cleanup(ctl_json_free_p) cJSON *result = NULL;
    int err;

    if (!request)
        err = console_fail(-ENOMEM, "the question");
    else if (ask->about_path)
        err = ctl_target_open_path(ask->settings->store, ask->path, request, &target);
    else
        err = ctl_target_open(ask->path, &target);
    if (!err)
        err = ask_target(ask, target, &result);
    if (!err && !ask->settings->json && ask->print)
        ask->print(result);
    return ctl_finish(ask->settings, result, err);
}

int ctl_ask_plain(const struct ctl_context *context, const struct ctl_plain *plain, int argc,
                  char **argv)
{
    struct ctl_settings settings = {.store = NULL};
    const struct ctl_line line = {.command = plain->command,
                                  .settings = &settings,
                                  .operand_count = 1,
                                  .takes_store = plain->about_path};
    const char *path;
    int outcome = ctl_parse(context, &line, argc, argv, &path);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    return ctl_ask(&(struct ctl_ask){.settings = &settings,
                                     .path = path,
                                     .about_path = plain->about_path,
                                     .request = ctl_request_new(plain->command->name),
                                     .print = plain->print});
}
