#include "control/commands.h"

#include <string.h>

static const struct control_command commands[] = {
    {.name = "status", .run = control_run_status},
    {.name = "stats", .run = control_run_stats, .needs_mount = true},
    {.name = "metrics", .run = control_run_metrics, .needs_mount = true},
    {.name = "info", .run = control_run_info},
    {.name = "du", .run = control_run_du},
    {.name = "sync", .run = control_run_sync, .needs_mount = true},
    {.name = "loglevel", .run = control_run_loglevel, .needs_mount = true},
    {.name = "noatime", .run = control_run_noatime, .needs_mount = true},
    {.name = "layout", .run = control_run_layout},
    {.name = "log", .run = control_run_log, .needs_mount = true},
    {.name = "scrub", .run = control_run_scrub, .changes = true},
    {.name = "gc", .run = control_run_gc, .changes = true},
};

const struct control_command *control_command_find(const char *name)
{
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}
