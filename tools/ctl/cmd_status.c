/* tensorfsctl status: what is mounted, since when, with which options. */
#include "tools/common/units.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/ask.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static const struct options_command command = {
    .name = "status",
    .summary = "What is mounted, since when, with which options",
    .usage = "TARGET",
    .details = "TARGET is a store, or any path on its mount.\n",
    .takes_operands = true,
};

static void print_options(const cJSON *options)
{
    const cJSON *option;
    const char *separator = "options     ";

    cJSON_ArrayForEach(option, options)
    {
        (void)printf("%s%s=", separator, option->string);
        answer_print_value(option);
        separator = ",";
    }
    (void)printf("\n");
}

static void print_mount(const cJSON *status)
{
    answer_print_text("mounted on", answer_text(status, "mountpoint"));
    answer_print_text("version", answer_text(status, "version"));
    (void)printf("%-11s %.0f\n", "process", answer_number(status, "pid"));
    (void)printf("%-11s %s\n", "uptime", units_seconds(answer_number(status, "uptime_s")).text);
    print_options(cJSON_GetObjectItemCaseSensitive(status, "options"));
}

static void print_status(const cJSON *status)
{
    const cJSON *space = cJSON_GetObjectItemCaseSensitive(status, "space");

    answer_print_text("store", answer_text(status, "store"));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(status, "mounted")))
        print_mount(status);
    else
        (void)printf("%-11s\n", "not mounted");
    answer_print_text("uuid", answer_text(status, "uuid"));
    (void)printf("%-11s %.0f\n", "format", answer_number(status, "format"));
    (void)printf("%-11s %s of %s available\n", "disk",
                 units_bytes((uint64_t)answer_number(space, "available")).text,
                 units_bytes((uint64_t)answer_number(space, "size")).text);
}

int ctl_status(const struct ctl_context *context, int argc, char **argv)
{
    const struct ctl_plain plain = {.command = &command, .print = print_status};

    return ctl_ask_plain(context, &plain, argc, argv);
}
