/*
 * stats, and what does something small: sync, loglevel, noatime, layout, log.
 */
#include "control/commands.h"
#include "control/json.h"
#include "control/log_ring.h"
#include "store/base/clock.h"
#include "store/base/log.h"

#include <cjson/cJSON.h>
#include <errno.h>

struct cJSON *control_stats(struct tfs_volume *volume, const struct control_host *host)
{
    struct tfs_volume_stats counters;
    cJSON *stats;

    tfs_volume_get_stats(volume, &counters);
    stats = control_json_of_stats(&counters);
    if (!stats)
        return NULL;
    control_add_number(stats, "time_ns", tfs_clock_ns());
    control_add_number(stats, "uptime_s", (tfs_clock_ns() - host->start_ns) / TFS_NS_PER_S);
    if (host->add_stats)
        host->add_stats(host->context, stats);
    return stats;
}

int control_run_stats(struct control_call *call)
{
    cJSON *stats = control_stats(call->volume, call->host);

    if (!stats)
        return -ENOMEM;
    cJSON_Delete(call->result);
    call->result = stats;
    return 0;
}

int control_run_sync(struct control_call *call)
{
    uint64_t start_ns = tfs_clock_ns();
    int err = tfs_volume_sync(call->volume);

    if (!err)
        control_add_number(call->result, "took_ns", tfs_clock_ns() - start_ns);
    return err;
}

/* For mount -o remount. Without "set" it only tells. */
int control_run_noatime(struct control_call *call)
{
    bool noatime = tfs_volume_is_noatime(call->volume);
    int err = control_request_flag(call->request, "set", &noatime);

    if (err)
        return control_fail(call, err, "'set' is true or false");
    tfs_volume_set_noatime(call->volume, noatime);
    (void)cJSON_AddBoolToObject(call->result, "noatime", noatime);
    return 0;
}

/* Without "level" it only tells. */
int control_run_loglevel(struct control_call *call)
{
    const char *name = NULL;
    enum tfs_log_level level = tfs_log_get_level();
    const char *before = tfs_log_level_name(level);
    int err = control_request_text(call->request, "level", 16, &name);

    if (!err && name)
        err = tfs_log_level_parse(name, &level);
    if (err)
        return control_fail(call, err, "a level is error, warn, info or debug");
    if (name) {
        tfs_log_set_level(level);
        tfs_info("log level: %s, was %s", tfs_log_level_name(level), before);
    }
    (void)cJSON_AddStringToObject(call->result, "level", tfs_log_level_name(level));
    (void)cJSON_AddStringToObject(call->result, "before", before);
    return 0;
}

static int add_segment(void *context, const struct tfs_segment_info *segment)
{
    cJSON *object = cJSON_CreateObject();

    control_add_number(object, "number", segment->number);
    control_add_number(object, "size", segment->size);
    control_add_number(object, "allocated", segment->allocated);
    control_add_number(object, "live", segment->live);
    (void)cJSON_AddBoolToObject(object, "active", segment->active);
    return cJSON_AddItemToArray(context, object) ? 0 : -ENOMEM;
}

static void add_property(void *context, const char *name, const char *value)
{
    (void)cJSON_AddStringToObject(context, name, value);
}

int control_run_layout(struct control_call *call)
{
    cJSON *segments = cJSON_AddArrayToObject(call->result, "segments");
    int err = tfs_volume_visit_segments(call->volume, add_segment, segments);

    if (!err)
        tfs_volume_visit_index(call->volume, add_property,
                               cJSON_AddObjectToObject(call->result, "index"));
    return err;
}

static int emit_log_line(void *context, const struct log_ring_line *line)
{
    cJSON *item = cJSON_CreateObject();

    control_add_number(item, "time", (uint64_t)line->time);
    (void)cJSON_AddStringToObject(item, "level", tfs_log_level_name(line->level));
    (void)cJSON_AddStringToObject(item, "text", line->text);
    return control_emit_item(context, item);
}

/* The newest lines, oldest first; with "names": true what is in quotes is told, too. */
int control_run_log(struct control_call *call)
{
    bool names = false;
    int err = control_request_flag(call->request, "names", &names);

    return err ? err : log_ring_visit(names, emit_log_line, call);
}
