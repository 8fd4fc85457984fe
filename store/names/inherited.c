/*
 * Virtual extended attributes: the settings that a directory hands down to what is made in it.
 */
#include "store/base/error.h"
#include "store/base/size.h"
#include "store/inode/namespace.h"
#include "store/names/xattr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INHERITED_PREFIX      "user.tensorfs."
#define INHERITED_CHUNK_SIZE  INHERITED_PREFIX "chunk_size"
#define INHERITED_COMPRESSION INHERITED_PREFIX "compression"

bool inherited_xattr_is_ours(const char *name)
{
    return strncmp(name, INHERITED_PREFIX, strlen(INHERITED_PREFIX)) == 0;
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
    if (strcmp(name, INHERITED_CHUNK_SIZE) == 0) {
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

int inherited_xattr_read(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                         uint8_t **ret_value, size_t *ret_size)
{
    char *text = NULL;
    int err = -ENODATA;

    if (strcmp(name, INHERITED_CHUNK_SIZE) == 0 || strcmp(name, INHERITED_COMPRESSION) == 0)
        err = read_setting(volume, inode, name, &text);
    if (err)
        return err;
    *ret_value = (uint8_t *)text;
    *ret_size = strlen(text);
    return 0;
}

size_t inherited_xattr_list(struct tfs_inode *inode, char list[INHERITED_XATTR_LIST_SIZE_MAX])
{
    static const struct {
        char name[INHERITED_XATTR_LIST_SIZE_MAX / 2];
        uint32_t flag;
    } settings[] = {
        {INHERITED_CHUNK_SIZE, META_INODE_SETS_CHUNK_SIZE},
        {INHERITED_COMPRESSION, META_INODE_SETS_COMPRESSION},
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
    bool chunk_size = strcmp(name, INHERITED_CHUNK_SIZE) == 0;
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

int inherited_xattr_write(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                          const void *value, size_t size)
{
    struct namespace_change change;
    char text[32];
    int err;

    if (strcmp(name, INHERITED_CHUNK_SIZE) != 0 && strcmp(name, INHERITED_COMPRESSION) != 0)
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
