/*
 * What a volume shows of its inside: the frames of a file, the segments, what the index tells of
 * itself. Reading only; nothing here knows the mount.
 */
#include "store/base/error.h"
#include "store/chunk_map.h"
#include "store/commit.h"
#include "store/data.h"
#include "store/frames.h"
#include "store/namespace.h"
#include "store/segment/segment.h"
#include "store/usage.h"

#include <cjson/cJSON.h>
#include <errno.h>

/* ---- the frames of a file ---- */

static int visit_row(const struct tfs_frame_visitor *visitor, const struct row_shape *shape,
                     uint64_t chunk, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        const struct tfs_frame_place place = {
            .chunk = chunk,
            .offset = chunk * shape->chunk_size + (uint64_t)extent->first_block * shape->block_size,
            .size = extent->visible_size,
            .segment = extent->frame.segment,
            .segment_offset = extent->frame.offset,
            .stored_size = extent->frame.stored_size,
            .raw_size = extent->frame.raw_size,
            .block_count = extent->frame.block_count,
        };
        int err = visitor->visit(visitor->context, &place);

        if (err)
            return err;
    }
    return 0;
}

static int visit_rows(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_frame_visitor *visitor)
{
    for (uint64_t index = 0;;) {
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        int err = chunk_map_next(volume, inode, index, &map);

        if (!err && map.row)
            err = visit_row(visitor, &inode->data->shape, map.index, map.row);
        if (err || map.index == UINT64_MAX)
            return err;
        index = map.index + 1;
    }
}

int tfs_volume_visit_frames(struct tfs_volume *volume, uint64_t number,
                            const struct tfs_frame_visitor *visitor)
{
    struct tfs_inode *inode;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    if (!inode->data)
        err = -ENODATA;
    else if (!volume->options.read_only)
        err = commit_inode(volume, inode, COMMIT_ORDERED); /* tell of all that was written */
    if (!err)
        err = visit_rows(volume, inode, visitor);
    inode_put(volume, inode);
    return err;
}

/* ---- the store ---- */

static void add_number(cJSON *object, const char *name, uint64_t value)
{
    (void)cJSON_AddNumberToObject(object, name, (double)value); /* exact up to 2^53 */
}

struct segment_list {
    struct tfs_volume *volume;
    cJSON *array;
};

static int add_segment(void *context, const struct segment_status *status)
{
    struct segment_list *list = context;
    cJSON *object = cJSON_CreateObject();

    if (!object)
        return -ENOMEM;
    add_number(object, "number", status->number);
    add_number(object, "size", status->size);
    add_number(object, "allocated", status->allocated);
    add_number(object, "live", usage_live_of(list->volume->usage, status->number));
    (void)cJSON_AddBoolToObject(object, "active", status->active);
    (void)cJSON_AddItemToArray(list->array, object);
    return 0;
}

static void add_property(void *context, const char *name, const char *value)
{
    (void)cJSON_AddStringToObject(context, name, value);
}

int tfs_volume_layout_json(struct tfs_volume *volume, char **ret_json)
{
    cJSON *root = cJSON_CreateObject();
    struct segment_list list = {volume, cJSON_AddArrayToObject(root, "segments")};
    int err = list.array ? segments_visit(volume->segments, add_segment, &list) : -ENOMEM;
    char *text = NULL;

    if (!err) {
        index_visit_properties(volume->index, add_property, cJSON_AddObjectToObject(root, "index"));
        text = cJSON_Print(root);
        err = text ? 0 : -ENOMEM;
    }
    cJSON_Delete(root);
    if (!err)
        *ret_json = text;
    return err;
}
