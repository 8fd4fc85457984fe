/* What is mounted, since when and how. */
#include "control/commands.h"
#include "control/json.h"
#include "store/base/clock.h"
#include "store/base/uuid.h"

#include <cjson/cJSON.h>
#include <unistd.h>

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
    char uuid[TFS_UUID_TEXT_SIZE];

    (void)cJSON_AddStringToObject(call->result, "store", call->store);
    (void)cJSON_AddBoolToObject(call->result, "mounted", call->host != NULL);
    control_add_number(call->result, "format", TFS_FORMAT_VERSION);
    tfs_uuid_text(tfs_volume_uuid(call->volume), uuid);
    (void)cJSON_AddStringToObject(call->result, "uuid", uuid);
    if (call->host)
        add_host(call->result, call->host);
    return add_space(cJSON_AddObjectToObject(call->result, "space"), call->volume);
}
