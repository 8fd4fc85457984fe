/* tensorfsctl loglevel: how much a mount logs, told or changed. */
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "loglevel",
    .summary = "Tell how much a mount logs, or change it",
    .usage = "TARGET [error|warn|info|debug]",
    .details = "The level holds until the mount ends; the option log_level sets the first one.\n",
    .takes_operands = true,
};

static void print_level(const cJSON *result)
{
    (void)printf("%s\n", answer_text(result, "level"));
}

int ctl_loglevel(const struct ctl_context *context, int argc, char **argv)
{
    struct ctl_settings settings = {.store = NULL};
    const struct ctl_line line = {
        .command = &command, .settings = &settings, .operand_count = 2, .optional = 1};
    const char *operands[2];
    cJSON *request;
    int outcome = ctl_parse(context, &line, argc, argv, operands);

    if (outcome != OPTIONS_RUN)
        return ctl_exit_of_parse(outcome);
    request = ctl_request_new("loglevel");
    if (operands[1])
        (void)cJSON_AddStringToObject(request, "level", operands[1]);
    return ctl_ask(&(struct ctl_ask){
        .settings = &settings, .path = operands[0], .request = request, .print = print_level});
}
