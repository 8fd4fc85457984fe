/*
 * scrub: every stored byte against its checksum. Items are the ranges that cannot be read.
 */
#include "store/check/scrub.h"

#include "control/commands.h"
#include "control/json.h"

#include <cjson/cJSON.h>
#include <errno.h>

struct scrub_call {
    struct control_call *call;
    int error; /* of sending */
};

static bool tell(void *context, const struct tfs_scrub_progress *progress)
{
    struct scrub_call *scrub = context;
    const struct control_progress told = {
        .stage = "scrubbing", .done = progress->bytes, .total = progress->total, .is_bytes = true};

    if (!scrub->error)
        scrub->error = control_emit_progress(scrub->call, &told);
    return scrub->error == 0;
}

static void list(void *context, const struct tfs_scrub_damage *damage)
{
    struct scrub_call *scrub = context;
    cJSON *item = cJSON_CreateObject();

    if (damage->path)
        (void)cJSON_AddStringToObject(item, "path", damage->path);
    control_add_number(item, "inode", damage->inode);
    control_add_number(item, "offset", damage->offset);
    control_add_number(item, "size", damage->size);
    (void)cJSON_AddStringToObject(item, "reason", damage->reason);
    if (!scrub->error)
        scrub->error = control_emit_item(scrub->call, item);
    else
        cJSON_Delete(item);
}

int control_run_scrub(struct control_call *call)
{
    struct scrub_call scrub = {.call = call};
    struct tfs_scrub_options options = {.progress = tell, .damage = list, .context = &scrub};
    struct tfs_scrub_result result;
    int err = control_request_number(call->request, "rate", 0, INT64_MAX, &options.rate);

    if (!err)
        err = control_request_flag(call->request, "deep", &options.deep);
    if (!err)
        err = control_request_flag(call->request, "restart", &options.restart);
    if (err)
        return control_fail(call, err, "scrub takes a rate in bytes a second, deep and restart");
    err = tfs_scrub(call->volume, &options, &result);
    if (err == -EBUSY)
        return control_fail(call, err, "the store is being scrubbed already");
    control_add_number(call->result, "bytes", result.bytes);
    control_add_number(call->result, "frames", result.frames);
    control_add_number(call->result, "damaged", result.damaged);
    control_add_number(call->result, "damaged_bytes", result.damaged_bytes);
    (void)cJSON_AddBoolToObject(call->result, "resumed", result.resumed);
    return err == -ECANCELED && scrub.error ? scrub.error : err;
}
