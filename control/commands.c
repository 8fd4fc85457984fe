#include "control/commands.h"

#include <string.h>

static const struct control_command commands[] = {
    {.name = "status", .run = control_run_status},
};

const struct control_command *control_command_find(const char *name)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}
