/*
 * info: what became of a file's bytes, and with "frames": true where they lie, an item for each
 * run.
 */
#include "control/commands.h"
#include "control/place.h"
#include "store/base/error.h"

#include <cjson/cJSON.h>
#include <errno.h>

enum { INFO_SIZE_MAX = 64 * 1024 };

/* The members of user.tensorfs.info become those of the result. */
static int add_summary(struct control_call *call, const struct tfs_attr *attr)
{
    static _Thread_local char text[INFO_SIZE_MAX];
    int64_t size =
        tfs_getxattr(call->volume, attr->inode, "user.tensorfs.info", text, sizeof(text));
    cJSON *info;

    if (size == -ENODATA)
        return control_fail(call, -EINVAL, "that is no regular file");
    if (size < 0)
        return (int)size;
    info = cJSON_ParseWithLength(text, (size_t)size);
    if (!info)
        return -ENOMEM;
    control_add_number(call->result, "inode", attr->inode);
    while (info->child) {
        cJSON *member = cJSON_DetachItemViaPointer(info, info->child);

        (void)cJSON_AddItemToObject(call->result, member->string, member); /* copies the name */
    }
    cJSON_Delete(info);
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
    err = add_summary(call, &attr);
    if (!err && with_frames)
        err = tfs_volume_visit_frames(call->volume, attr.inode, &visitor);
    control_place_put(call, &attr);
    return err;
}
