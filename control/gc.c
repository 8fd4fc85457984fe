/*
 * gc: reclaim and compact now.
 */
#include "store/space/gc.h"

#include "control/commands.h"
#include "control/json.h"

#include <cjson/cJSON.h>
#include <errno.h>

struct gc_call {
    struct control_call *call;
    int error; /* of sending */
};

static bool tell(void *context, uint64_t done, uint64_t total)
{
    struct gc_call *gc = context;
    const struct control_progress told = {
        .stage = "compacting", .done = done, .total = total, .is_bytes = true};

    if (!gc->error)
        gc->error = control_emit_progress(gc->call, &told);
    return gc->error == 0;
}

int control_run_gc(struct control_call *call)
{
    struct gc_call gc = {.call = call};
    const struct tfs_gc_options options = {.progress = tell, .context = &gc};
    struct tfs_gc_result result;
    int err = tfs_volume_gc(call->volume, &options, &result);

    control_add_number(call->result, "bytes_before", result.bytes_before);
    control_add_number(call->result, "bytes_after", result.bytes_after);
    control_add_number(call->result, "segments_before", result.segments_before);
    control_add_number(call->result, "segments_after", result.segments_after);
    control_add_number(call->result, "moved_frames", result.moved_frames);
    control_add_number(call->result, "moved_bytes", result.moved_bytes);
    control_add_number(call->result, "kept_rows", result.kept_rows);
    if (err == -ENOSPC)
        return control_fail(call, err, "there is no room on the disk for what has to be moved");
    return err == -ECANCELED && gc.error ? gc.error : err;
}
