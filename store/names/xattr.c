/*
 * Extended attributes. An inode's record says whether it has any, and whether it has those that the
 * kernel asks for all the time, so that the usual question ("has it an ACL?") costs no look into
 * the index.
 */
#include "store/names/xattr.h"

#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"
#include "store/names/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define XATTR_CAPABILITY "security.capability"

void xattr_put(struct index_batch *batch, uint64_t inode, const char *name, const void *value,
               size_t size)
{
    uint8_t key[META_XATTR_KEY_SIZE_MAX];
    size_t key_size = meta_xattr_key(inode, name, key);

    index_batch_put(batch, INDEX_XATTR, key, key_size, value, size);
}

void xattr_delete(struct index_batch *batch, uint64_t inode, const char *name)
{
    uint8_t key[META_XATTR_KEY_SIZE_MAX];
    size_t key_size = meta_xattr_key(inode, name, key);

    index_batch_delete(batch, INDEX_XATTR, key, key_size);
}

int xattr_read(struct tfs_volume *volume, uint64_t inode, const char *name, uint8_t **ret_value,
               size_t *ret_size)
{
    uint8_t key[META_XATTR_KEY_SIZE_MAX];
    struct index_value value;
    uint8_t *copy;
    int err = index_get(volume->index, INDEX_XATTR, key, meta_xattr_key(inode, name, key), &value);

    if (err == -ENOENT)
        return -ENODATA;
    if (err)
        return err;
    if (value.size > TFS_XATTR_VALUE_SIZE_MAX) {
        err = tfs_fail(-EUCLEAN, "attribute of %zu bytes", value.size);
        index_value_release(&value);
        return err;
    }
    copy = malloc(value.size + 1); /* never of size 0 */
    if (copy) {
        memcpy(copy, value.data, value.size);
        *ret_value = copy;
        *ret_size = value.size;
    }
    index_value_release(&value);
    return copy ? 0 : -ENOMEM;
}

static int check_name(const char *name)
{
    static const char *const prefixes[] = {"user.", "trusted.", "security."};
    size_t size = strnlen(name, TFS_XATTR_NAME_SIZE_MAX + 1);

    if (size == 0 || size > TFS_XATTR_NAME_SIZE_MAX)
        return -ERANGE;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(prefixes); i++) {
        size_t prefix = strlen(prefixes[i]);

        if (strncmp(name, prefixes[i], prefix) == 0)
            return size > prefix ? 0 : -EINVAL;
    }
    if (strcmp(name, ACL_XATTR_ACCESS) == 0 || strcmp(name, ACL_XATTR_DEFAULT) == 0)
        return 0;
    return -EOPNOTSUPP;
}

/* The flag in the record that tells whether the inode has this attribute; 0 when only
 * META_INODE_HAS_XATTRS does. */
static uint32_t flag_of(const char *name)
{
    if (strcmp(name, ACL_XATTR_ACCESS) == 0)
        return META_INODE_HAS_ACCESS_ACL;
    if (strcmp(name, ACL_XATTR_DEFAULT) == 0)
        return META_INODE_HAS_DEFAULT_ACL;
    if (strcmp(name, XATTR_CAPABILITY) == 0)
        return META_INODE_HAS_CAPABILITY;
    return 0;
}

static int read_any(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                    uint8_t **ret_value, size_t *ret_size)
{
    uint32_t wanted = META_INODE_HAS_XATTRS | flag_of(name);

    if (inherited_xattr_is_ours(name))
        return inherited_xattr_read(volume, inode, name, ret_value, ret_size);
    if ((inode_record(inode).flags & wanted) != wanted)
        return -ENODATA;
    return xattr_read(volume, inode->number, name, ret_value, ret_size);
}

int64_t tfs_getxattr(struct tfs_volume *volume, uint64_t number, const char *name, void *dst,
                     size_t size)
{
    struct tfs_inode *inode;
    uint8_t *value;
    size_t value_size;
    int64_t result;
    int err = check_name(name);

    if (err)
        return err;
    err = inode_get(volume, number, &inode);
    if (err)
        return err;
    err = read_any(volume, inode, name, &value, &value_size);
    inode_put(volume, inode);
    if (err)
        return err;
    result = (int64_t)value_size;
    if (size > 0 && size < value_size)
        result = -ERANGE;
    else if (size > 0)
        memcpy(dst, value, value_size);
    free(value);
    return result;
}

static int64_t list_names(struct tfs_volume *volume, uint64_t number, char *list, size_t size)
{
    uint8_t prefix[META_INODE_KEY_SIZE];
    struct index_range range = {
        .table = INDEX_XATTR, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    size_t total = 0;
    int more = 0;
    int err;

    meta_inode_key(number, prefix);
    err = index_scan_open(volume->index, &range, &scan);
    if (err)
        return err;
    while (!err && (more = index_scan_next(scan, &record)) > 0) {
        size_t name_size = record.key_size - sizeof(prefix);

        if (size > 0 && total + name_size + 1 > size) {
            err = -ERANGE;
        } else if (size > 0) {
            memcpy(list + total, record.key + sizeof(prefix), name_size);
            list[total + name_size] = '\0';
        }
        total += name_size + 1;
    }
    index_scan_close(scan);
    err = err ? err : more;
    return err ? err : (int64_t)total;
}

/* Behind `used` bytes of the list. Where the kernel could not take them they are left out. */
static int64_t list_settings(struct tfs_inode *inode, char *list, size_t size, size_t used)
{
    char names[INHERITED_XATTR_LIST_SIZE_MAX];
    size_t names_size = inherited_xattr_list(inode, names);

    if (used + names_size > TFS_XATTR_LIST_SIZE_MAX)
        return (int64_t)used;
    if (size > 0 && used + names_size > size)
        return -ERANGE;
    if (size > 0)
        memcpy(list + used, names, names_size);
    return (int64_t)(used + names_size);
}

int64_t tfs_listxattr(struct tfs_volume *volume, uint64_t number, char *list, size_t size)
{
    struct tfs_inode *inode;
    int64_t result = inode_get(volume, number, &inode);

    if (result < 0)
        return result;
    result = list_names(volume, number, list, size);
    if (result >= 0)
        result = list_settings(inode, list, size, (size_t)result);
    inode_put(volume, inode);
    return result;
}

/* An access ACL sets the mode; one that is nothing but a mode is not stored. A default ACL is for
 * directories. */
static int apply_acl(const struct tfs_xattr *xattr, struct meta_inode *record, bool *ret_store)
{
    int err = acl_check(xattr->value, xattr->size);

    *ret_store = true;
    if (err || S_ISLNK(record->mode))
        return err ? err : -EOPNOTSUPP;
    if (strcmp(xattr->name, ACL_XATTR_ACCESS) == 0)
        *ret_store = !acl_to_mode(xattr->value, xattr->size, &record->mode);
    else if (!S_ISDIR(record->mode))
        return -EACCES;
    return 0;
}

static int check_exists(struct tfs_volume *volume, struct tfs_inode *inode,
                        const struct tfs_xattr *xattr)
{
    uint8_t *value;
    size_t size;
    int err;

    if (xattr->flags == 0)
        return 0;
    err = read_any(volume, inode, xattr->name, &value, &size);
    if (err && err != -ENODATA)
        return err;
    if (!err)
        free(value);
    if (!err && xattr->flags & XATTR_CREATE)
        return -EEXIST;
    return err && xattr->flags & XATTR_REPLACE ? -ENODATA : 0;
}

void xattr_names_changed(struct tfs_inode *inode)
{
    inode->xattr_names = -1;
    inode->xattr_changes++;
}

/* The list has so many bytes more, or less; the change is committed. */
static void note_names(struct tfs_inode *inode, int64_t more)
{
    if (inode->xattr_names >= 0)
        inode->xattr_names += more;
    inode->xattr_changes++;
}

static bool knows_names(struct tfs_inode *inode)
{
    if (!(inode_record(inode).flags & META_INODE_HAS_XATTRS))
        inode->xattr_names = 0;
    return inode->xattr_names >= 0;
}

/*
 * Learns how long the list of names is. To read it means to pass over all values, 128 MiB at the
 * most: that is done without the lock, and is for nothing when the list changed meanwhile.
 */
static int learn_names(struct tfs_volume *volume, struct tfs_inode *inode)
{
    uint64_t changes;
    int64_t size;
    bool known;

    tfs_mutex_lock(&volume->metadata);
    known = knows_names(inode);
    changes = inode->xattr_changes;
    tfs_mutex_unlock(&volume->metadata);
    if (known)
        return 0;
    size = list_names(volume, inode->number, NULL, 0);
    if (size < 0)
        return (int)size;
    tfs_mutex_lock(&volume->metadata);
    if (inode->xattr_changes == changes)
        inode->xattr_names = size;
    tfs_mutex_unlock(&volume->metadata);
    return 0;
}

static int exists(struct tfs_volume *volume, uint64_t inode, const char *name, bool *ret)
{
    uint8_t key[META_XATTR_KEY_SIZE_MAX];
    struct index_value value;
    int err = index_get(volume->index, INDEX_XATTR, key, meta_xattr_key(inode, name, key), &value);

    if (!err)
        index_value_release(&value);
    *ret = !err;
    return err == -ENOENT ? 0 : err;
}

static int64_t name_size(const char *name)
{
    return (int64_t)strlen(name) + 1;
}

/* The kernel cannot pass on a longer list of names: so much of them an inode can have, no more.
 * *ret_more is by how much the name makes it longer. -EAGAIN: learn_names() first. */
static int check_list_has_room(struct tfs_volume *volume, struct tfs_inode *inode, const char *name,
                               int64_t *ret_more)
{
    bool replaced = false;
    int err = knows_names(inode) ? 0 : -EAGAIN;

    if (!err && inode->xattr_names > 0)
        err = exists(volume, inode->number, name, &replaced);
    *ret_more = replaced ? 0 : name_size(name);
    if (!err && inode->xattr_names + *ret_more > TFS_XATTR_LIST_SIZE_MAX)
        err = replaced ? 0 : -ENOSPC;
    return err;
}

static int set_locked(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_xattr *xattr) TFS_REQUIRES(&volume->metadata)
{
    uint32_t flag = flag_of(xattr->name);
    struct namespace_change change;
    struct meta_inode *record;
    bool store = true;
    int64_t more = 0;
    int err = check_exists(volume, inode, xattr);

    if (!err)
        err = check_list_has_room(volume, inode, xattr->name, &more);
    if (err)
        return err;
    namespace_begin(volume, &change);
    record = namespace_record(&change, inode);
    record->ctime = change.now;
    if (flag & (META_INODE_HAS_ACCESS_ACL | META_INODE_HAS_DEFAULT_ACL))
        err = apply_acl(xattr, record, &store);
    if (store) {
        record->flags |= META_INODE_HAS_XATTRS | flag;
        xattr_put(change.batch, inode->number, xattr->name, xattr->value, xattr->size);
    } else {
        record->flags &= ~flag;
        xattr_delete(change.batch, inode->number, xattr->name);
        more = more ? 0 : -name_size(xattr->name);
    }
    if (!err)
        err = namespace_commit(&change);
    if (!err)
        note_names(inode, more);
    return err;
}

static int set_pinned(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_xattr *xattr)
{
    int err;

    if (inherited_xattr_is_ours(xattr->name))
        return inherited_xattr_write(volume, inode, xattr->name, xattr->value, xattr->size);
    do {
        err = learn_names(volume, inode);
        if (err)
            return err;
        tfs_mutex_lock(&volume->metadata);
        err = set_locked(volume, inode, xattr);
        tfs_mutex_unlock(&volume->metadata);
    } while (err == -EAGAIN); /* the list changed while it was read */
    return err;
}

int tfs_setxattr(struct tfs_volume *volume, uint64_t number, const struct tfs_xattr *xattr)
{
    struct tfs_inode *inode;
    int err = volume_check_writable(volume);

    if (!err)
        err = check_name(xattr->name);
    if (!err && xattr->size > TFS_XATTR_VALUE_SIZE_MAX)
        err = -E2BIG;
    if (!err)
        err = inode_get(volume, number, &inode);
    if (err)
        return err;
    err = set_pinned(volume, inode, xattr);
    inode_put(volume, inode);
    return err;
}

static int remove_locked(struct tfs_volume *volume, struct tfs_inode *inode, const char *name)
    TFS_REQUIRES(&volume->metadata)
{
    struct tfs_xattr must_exist = {.name = name, .flags = XATTR_REPLACE};
    struct namespace_change change;
    struct meta_inode *record;
    int err = check_exists(volume, inode, &must_exist);

    if (err)
        return err;
    namespace_begin(volume, &change);
    record = namespace_record(&change, inode);
    record->ctime = change.now;
    record->flags &= ~flag_of(name);
    xattr_delete(change.batch, inode->number, name);
    err = namespace_commit(&change);
    if (!err)
        note_names(inode, -name_size(name));
    return err;
}

static int remove_pinned(struct tfs_volume *volume, struct tfs_inode *inode, const char *name)
{
    int err;

    if (inherited_xattr_is_ours(name))
        return inherited_xattr_write(volume, inode, name, NULL, 0);
    tfs_mutex_lock(&volume->metadata);
    err = remove_locked(volume, inode, name);
    tfs_mutex_unlock(&volume->metadata);
    return err;
}

int tfs_removexattr(struct tfs_volume *volume, uint64_t number, const char *name)
{
    struct tfs_inode *inode;
    int err = volume_check_writable(volume);

    if (!err)
        err = check_name(name);
    if (!err)
        err = inode_get(volume, number, &inode);
    if (err)
        return err;
    err = remove_pinned(volume, inode, name);
    inode_put(volume, inode);
    return err;
}
