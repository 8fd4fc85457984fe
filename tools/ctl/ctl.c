#include "tools/ctl/ctl.h"

#include "tools/common/console.h"
#include "tools/common/interrupt.h"
#include "tools/common/output.h"

#include <cjson/cJSON.h>

#define FIELD(name) offsetof(struct ctl_settings, name)

static const struct options_row common_rows[] = {
    {"store", 's', OPTIONS_PATH, FIELD(store), "STORE", NULL, 0, 0,
     "PATH is one within this store"},
    {"json", 'j', OPTIONS_FLAG, FIELD(json), NULL, NULL, 0, 0, "print JSON"},
    {"quiet", 'q', OPTIONS_FLAG, FIELD(quiet), NULL, NULL, 0, 0, "no progress, no notes"},
    {"help", 'h', OPTIONS_FLAG, FIELD(help), NULL, NULL, 0, 0, "this text"},
};

const struct options_tool options_tool = {
    .name = "tensorfsctl",
    .rows = common_rows,
    .row_count = TFS_ARRAY_COUNT(common_rows),
};

int ctl_parse(const struct ctl_context *context, const struct ctl_line *line, int argc, char **argv,
              const char **operands)
{
    struct ctl_settings *settings = line->settings;
    unsigned count = 0;
    char **words;
    int outcome;

    settings->json = settings->json || context->json;
    settings->quiet = settings->quiet || context->quiet;
    outcome = options_parse(line->command, argc, argv, settings, &words);
    if (outcome != OPTIONS_RUN)
        return outcome;
    console_init(settings->quiet);
    if (settings->store && !line->takes_store)
        return console_reject(
            "--store: '%s' is about a whole store; the usage is: tensorfsctl %s %s",
            line->command->name, line->command->name, line->command->usage);
    for (unsigned i = 0; i < line->operand_count; i++) {
        operands[i] = words[count];
        if (words[count])
            count++;
    }
    if (words[count])
        return console_reject("unexpected argument '%s'; the usage is: tensorfsctl %s %s",
                              words[count], line->command->name, line->command->usage);
    if (count + line->optional < line->operand_count)
        return console_reject("an argument is missing; the usage is: tensorfsctl %s %s",
                              line->command->name, line->command->usage);
    return OPTIONS_RUN;
}

int ctl_exit_of_parse(int outcome)
{
    return outcome == OPTIONS_DONE ? CTL_OK : CTL_USAGE;
}

int ctl_print_json(const struct cJSON *value)
{
    return output_json(cJSON_PrintUnformatted(value));
}

int ctl_finish(const struct ctl_settings *settings, const struct cJSON *result, int error)
{
    if (error == 0 && settings->json)
        error = ctl_print_json(result);
    if (interrupt_is_pending())
        return 128 + interrupt_signal();
    return error == 0 ? CTL_OK : CTL_FAILED;
}
