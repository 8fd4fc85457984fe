/* What is mounted, since when and how. */
#include "control/commands.h"
#include "control/json.h"
#include "store/base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <unistd.h>

static void add_uuid(cJSON *object, const uint8_t *uuid)
{
    char text[40];

    (void)snprintf(text, sizeof(text),
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", uuid[0],
                   uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9],
                   uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
    (void)cJSON_AddStringToObject(object, "uuid", text);
}

static void add_host(cJSON *object, const struct control_host *host)
{
    cJSON *options;

    (void)cJSON_AddStringToObject(object, "version", host->version);
    (void)cJSON_AddStringToObject(object, "mountpoint", host->mountpoint);
    control_add_number(object, "pid", (uint64_t)getpid());
    control_add_number(object, "start_time", (uint64_t)host->start_time);
    control_add_number(object, "uptime_s", (tfs_clock_ns() - host->start_ns) / TFS_NS_PER_S);
    options = cJSON_AddObjectToObject(object, "options");
    if (host->add_options)
        host->add_options(host->context, options);
}

static int add_space(cJSON *object, struct tfs_volume *volume)
{
    struct statvfs space;
    int err = tfs_volume_statfs(volume, &space);

    if (err)
        return err;
    control_add_number(object, "size", (uint64_t)space.f_blocks * space.f_frsize);
    control_add_number(object, "available", (uint64_t)space.f_bavail * space.f_frsize);
    return 0;
}

int control_run_status(struct control_call *call)
{
    (void)cJSON_AddStringToObject(call->result, "store", call->store);
    (void)cJSON_AddBoolToObject(call->result, "mounted", call->host != NULL);
    control_add_number(call->result, "format", TFS_FORMAT_VERSION);
    add_uuid(call->result, tfs_volume_uuid(call->volume));
    if (call->host)
        add_host(call->result, call->host);
    return add_space(cJSON_AddObjectToObject(call->result, "space"), call->volume);
}
