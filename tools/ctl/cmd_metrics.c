/* tensorfsctl metrics: the counters as Prometheus reads them. */
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "metrics",
    .summary = "Print the counters of a mount as Prometheus reads them",
    .usage = "TARGET",
    .details = "The same text as the mount option metrics= serves over HTTP.\n",
    .takes_operands = true,
};

static void print_metrics(const cJSON *result)
{
    (void)fputs(answer_text(result, "text"), stdout);
}

int ctl_metrics(const struct ctl_context *context, int argc, char **argv)
{
    const struct ctl_plain plain = {.command = &command, .print = print_metrics};

    return ctl_ask_plain(context, &plain, argc, argv);
}
