/* tensorfsctl sync: everything written so far becomes durable. */
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "sync",
    .summary = "Make everything durable that was written to a mount",
    .usage = "TARGET",
    .details = "TARGET is a store, or any path on its mount. Returns when it is done.\n",
    .takes_operands = true,
};

static void print_sync(const cJSON *result)
{
    (void)printf("durable after %s\n", units_seconds(answer_number(result, "took_ns") / 1e9).text);
}

int ctl_sync(const struct ctl_context *context, int argc, char **argv)
{
    struct ctl_settings settings = {.store = NULL};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    const char *path;
    int outcome = ctl_parse(context, &line, argc, argv, &path);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    return ctl_ask(&(struct ctl_ask){.settings = &settings,
                                     .path = path,
                                     .request = ctl_request_new("sync"),
                                     .print = print_sync});
}
