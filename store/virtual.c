/*
 * Virtual extended attributes: what is inherited, what became of a file's bytes, and the volume's
 * counters.
 */
#include "store/base/error.h"
#include "store/base/size.h"
#include "store/chunk_map.h"
#include "store/commit.h"
#include "store/data.h"
#include "store/frames.h"
#include "store/namespace.h"
#include "store/xattr.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIRTUAL_PREFIX      "user.tensorfs."
#define VIRTUAL_CHUNK_SIZE  VIRTUAL_PREFIX "chunk_size"
#define VIRTUAL_COMPRESSION VIRTUAL_PREFIX "compression"
#define VIRTUAL_INFO        TFS_XATTR_INFO
#define VIRTUAL_STATS       VIRTUAL_PREFIX "stats"

bool virtual_xattr_is_ours(const char *name)
{
    return strncmp(name, VIRTUAL_PREFIX, strlen(VIRTUAL_PREFIX)) == 0;
}

static void add_number(cJSON *object, const char *name, uint64_t value)
{
    (void)cJSON_AddNumberToObject(object, name, (double)value); /* exact up to 2^53 */
}

/* {"bf16": {"raw": .., "stored": ..}, ..} of what is not zero. */
static void add_table(cJSON *object, const char *name, size_t count, const char *(*name_of)(int),
                      const uint64_t *raw, const uint64_t *stored)
{
    cJSON *table = cJSON_AddObjectToObject(object, name);

    for (size_t i = 0; table && i < count; i++) {
        cJSON *row;

        if (!raw[i])
            continue;
        row = cJSON_AddObjectToObject(table, name_of((int)i));
        add_number(row, "raw", raw[i]);
        add_number(row, "stored", stored[i]);
    }
}

static const char *kind_name(int kind)
{
    return codec_kind_name((enum codec_kind)kind);
}

static const char *method_name(int method)
{
    return codec_method_name((enum codec_method)method);
}

static const char *codec_name(int codec)
{
    return codec_id_name((enum codec_id)codec);
}

struct file_info {
    struct frame_stats frames;
    uint64_t stored;
    uint64_t chunks;
    uint64_t holes;
};

static int add_frame(struct tfs_volume *volume, const struct frames_source *source,
                     struct file_info *info)
{
    tfs_cleanup(frame_header_unref_p) struct frame_header *header = NULL;
    const uint8_t *bytes = source->inline_bytes;
    struct frame_view view;
    int err = 0;

    if (source->frame.segment) {
        err = frames_header(volume->frames, source, &header);
        bytes = err ? NULL : header->bytes;
    }
    if (!err)
        err = frame_open(bytes, frame_header_size(source->frame.block_count), &view);
    if (err)
        return err;
    frame_stats_add(&view, &info->frames);
    info->stored += source->frame.stored_size;
    return 0;
}

static int add_row(struct tfs_volume *volume, const struct tfs_row *row, uint32_t block_size,
                   struct file_info *info)
{
    int err = 0;

    info->chunks++;
    for (uint32_t i = 0; i < row->extent_count && !err; i++) {
        struct frames_source source = frames_source_of(&row->extents[i], block_size);

        if (!source.frame.segment || row_shows_first(row, i))
            err = add_frame(volume, &source, info);
    }
    return err;
}

/* Nothing is locked: the row may be superseded, or its frames moved, before they are looked at. */
static int add_chunk(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                     struct file_info *info)
{
    tfs_cleanup(row_unref_p) struct tfs_row *before = NULL;
    int err = 0;

    for (int tries = 0; tries < FRAMES_ROW_TRIES_MAX; tries++) {
        struct file_info sum = *info;
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        int map_err = chunk_map_read(volume, inode, index, &map);

        if (map_err)
            return map_err;
        if (tries > 0 && row_equal(map.row, before))
            return err;
        row_unref(before);
        before = TAKE_PTR(map.row);
        err = before ? add_row(volume, before, inode->data->shape.block_size, &sum) : 0;
        if (!err)
            *info = sum;
        if (!frames_error_may_be_old_row(err))
            return err;
    }
    return err;
}

static int collect_info(struct tfs_volume *volume, struct tfs_inode *inode, struct file_info *info)
{
    uint64_t index = 0;
    int err = 0;

    while (!err) {
        err = chunk_next(volume, inode, index, &index);
        if (err || index == UINT64_MAX)
            return err;
        err = add_chunk(volume, inode, index++, info);
    }
    return err;
}

static int read_info(struct tfs_volume *volume, struct tfs_inode *inode, char **ret)
{
    struct file_info info = {0};
    struct tfs_attr attr;
    cJSON *json;
    int err;

    if (!inode->data)
        return -ENODATA;
    if (!volume->options.read_only) {
        err = commit_inode(volume, inode, COMMIT_ORDERED); /* tell of all that was written */
        if (err)
            return err;
    }
    err = collect_info(volume, inode, &info);
    if (err)
        return err;
    inode_attr(inode, &attr);
    json = cJSON_CreateObject();
    add_number(json, "logical_bytes", attr.size);
    add_number(json, "stored_bytes", info.stored);
    if (info.stored)
        (void)cJSON_AddNumberToObject(json, "ratio", (double)attr.size / (double)info.stored);
    else
        (void)cJSON_AddNullToObject(json, "ratio"); /* a hole: there is none */
    add_number(json, "chunk_size", 1ull << inode_record(inode).chunk_size_log2);
    add_number(json, "block_size", inode->data->shape.block_size);
    add_number(json, "chunks", info.chunks);
    add_number(json, "stored_chunk_size", inode->data->shape.chunk_size);
    add_number(json, "frames", info.frames.frame_count);
    add_number(json, "blocks", info.frames.block_count);
    add_number(json, "header_bytes", info.frames.header_bytes);
    add_table(json, "kinds", CODEC_KIND_COUNT, kind_name, info.frames.raw_by_kind,
              info.frames.stored_by_kind);
    add_table(json, "methods", CODEC_METHOD_COUNT, method_name, info.frames.raw_by_method,
              info.frames.stored_by_method);
    add_table(json, "codecs", CODEC_ID_COUNT, codec_name, info.frames.raw_by_codec,
              info.frames.stored_by_codec);
    *ret = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return *ret ? 0 : -ENOMEM;
}

/* What new files inherit: the directory's own setting, or the mount's. */
static int read_setting(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                        char **ret)
{
    struct meta_inode record = inode_record(inode);
    bool own = S_ISREG(record.mode);
    char text[32];

    if (!own && !S_ISDIR(record.mode))
        return -ENODATA;
    if (strcmp(name, VIRTUAL_CHUNK_SIZE) == 0) {
        own = own || record.flags & META_INODE_SETS_CHUNK_SIZE;
        (void)snprintf(text, sizeof(text), "%llu",
                       own ? 1ull << record.chunk_size_log2
                           : (unsigned long long)volume->options.chunk_size);
    } else {
        own = own || record.flags & META_INODE_SETS_COMPRESSION;
        codec_spec_format(own ? &record.compression : &volume->options.compression, text,
                          sizeof(text));
    }
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

int virtual_xattr_read(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                       uint8_t **ret_value, size_t *ret_size)
{
    char *text = NULL;
    int err = -ENODATA;

    if (strcmp(name, VIRTUAL_CHUNK_SIZE) == 0 || strcmp(name, VIRTUAL_COMPRESSION) == 0)
        err = read_setting(volume, inode, name, &text);
    else if (strcmp(name, VIRTUAL_INFO) == 0)
        err = read_info(volume, inode, &text);
    else if (strcmp(name, VIRTUAL_STATS) == 0 && inode->number == TFS_ROOT_INODE)
        err = tfs_volume_stats_json(volume, &text);
    if (err)
        return err;
    *ret_value = (uint8_t *)text;
    *ret_size = strlen(text);
    return 0;
}

size_t virtual_xattr_list(struct tfs_inode *inode, char list[VIRTUAL_XATTR_LIST_SIZE_MAX])
{
    static const struct {
        char name[VIRTUAL_XATTR_LIST_SIZE_MAX / 2];
        uint32_t flag;
    } settings[] = {
        {VIRTUAL_CHUNK_SIZE, META_INODE_SETS_CHUNK_SIZE},
        {VIRTUAL_COMPRESSION, META_INODE_SETS_COMPRESSION},
    };
    struct meta_inode record = inode_record(inode);
    size_t used = 0;

    for (size_t i = 0; S_ISDIR(record.mode) && i < TFS_ARRAY_COUNT(settings); i++) {
        size_t size = strlen(settings[i].name) + 1;

        if (!(record.flags & settings[i].flag))
            continue;
        memcpy(list + used, settings[i].name, size);
        used += size;
    }
    return used;
}

static int parse_chunk_size(const char *text, uint8_t *ret_log2)
{
    uint64_t size;

    if (tfs_parse_size(text, &size) < 0 || !tfs_is_power_of_two(size) ||
        size < TFS_CHUNK_SIZE_MIN || size > TFS_CHUNK_SIZE_MAX)
        return -EINVAL;
    *ret_log2 = (uint8_t)__builtin_ctzll(size);
    return 0;
}

static int change_setting(struct meta_inode *record, const char *name, const char *text)
{
    bool chunk_size = strcmp(name, VIRTUAL_CHUNK_SIZE) == 0;
    uint32_t flag = chunk_size ? META_INODE_SETS_CHUNK_SIZE : META_INODE_SETS_COMPRESSION;
    int err = 0;

    if (!text && !(record->flags & flag))
        return -ENODATA;
    if (text && chunk_size)
        err = parse_chunk_size(text, &record->chunk_size_log2);
    else if (text)
        err = codec_spec_parse(text, &record->compression);
    record->flags = text ? record->flags | flag : record->flags & ~flag;
    return err;
}

int virtual_xattr_write(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                        const void *value, size_t size)
{
    struct namespace_change change;
    char text[32];
    int err;

    if (strcmp(name, VIRTUAL_INFO) == 0 || strcmp(name, VIRTUAL_STATS) == 0)
        return -EPERM;
    if (strcmp(name, VIRTUAL_CHUNK_SIZE) != 0 && strcmp(name, VIRTUAL_COMPRESSION) != 0)
        return -EOPNOTSUPP; /* misspelt, most likely */
    if (!S_ISDIR(inode->type))
        return -EPERM;
    if (value && size >= sizeof(text))
        return -EINVAL;
    if (value) {
        memcpy(text, value, size);
        text[size] = '\0';
    }
    tfs_mutex_lock(&volume->metadata);
    namespace_begin(volume, &change);
    err = change_setting(namespace_record(&change, inode), name, value ? text : NULL);
    if (!err)
        err = namespace_commit(&change);
    tfs_mutex_unlock(&volume->metadata);
    return err;
}
