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
    const struct ctl_plain plain = {.command = &command, .print = print_sync};

    return ctl_ask_plain(context, &plain, argc, argv);
}
