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
    struct ctl_settings settings = {.store = NULL};
    const struct ctl_line line = {.command = &command, .settings = &settings, .operand_count = 1};
    const char *path;
    int outcome = ctl_parse(context, &line, argc, argv, &path);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    return ctl_ask(&(struct ctl_ask){.settings = &settings,
                                     .path = path,
                                     .request = ctl_request_new("metrics"),
                                     .print = print_metrics});
}
