/*
 * info: what became of a file's bytes, and with "frames": true where they lie, an item for each
 * run.
 */
#include "control/commands.h"
#include "control/json.h"
#include "control/place.h"

#include <cjson/cJSON.h>
#include <errno.h>

/* The result is what user.tensorfs.info of the file is, and the inode's number. */
static int tell_file(struct control_call *call, uint64_t inode)
{
    struct tfs_file_info info;
    cJSON *result;
    int err = tfs_volume_get_file_info(call->volume, inode, &info);

    if (err == -ENODATA)
        return control_fail(call, -EINVAL, "that is no regular file");
    if (err)
        return err;
    result = control_json_of_file(&info);
    if (!result)
        return -ENOMEM;
    control_add_number(result, "inode", inode);
    cJSON_Delete(call->result);
    call->result = result;
    return 0;
}

static int emit_frame(void *context, const struct tfs_frame_place *place)
{
    struct control_call *call = context;
    cJSON *item = cJSON_CreateObject();

    control_add_number(item, "offset", place->offset);
    control_add_number(item, "size", place->size);
    control_add_number(item, "chunk", place->chunk);
    control_add_number(item, "segment", place->segment);
    control_add_number(item, "segment_offset", place->segment_offset);
    control_add_number(item, "raw", place->raw_size);
    control_add_number(item, "stored", place->stored_size);
    control_add_number(item, "blocks", place->block_count);
    return control_emit_item(call, item);
}

int control_run_info(struct control_call *call)
{
    const struct tfs_frame_visitor visitor = {emit_frame, call};
    struct tfs_attr attr;
    bool with_frames = false;
    int err = control_request_flag(call->request, "frames", &with_frames);

    if (!err)
        err = control_place_get(call, &attr);
    if (err)
        return err;
    err = tell_file(call, attr.inode);
    if (!err && with_frames)
        err = tfs_volume_visit_frames(call->volume, attr.inode, &visitor);
    control_place_put(call, &attr);
    return err;
}
