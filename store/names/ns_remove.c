/*
 * Removing names. The inode goes when its last name, its opens and the kernel's references are
 * gone: see inode.c.
 */
#include "store/base/error.h"
#include "store/inode/namespace.h"

#include <errno.h>

static int check_removable(struct tfs_volume *volume, struct tfs_inode *inode, bool directory)
{
    bool is_directory = S_ISDIR(inode->type);
    int empty;

    if (!directory)
        return is_directory ? -EISDIR : 0;
    if (!is_directory)
        return -ENOTDIR;
    if (inode->number == TFS_ROOT_INODE)
        return -EBUSY;
    empty = namespace_is_empty(volume, inode);
    return empty < 0 ? empty : empty ? 0 : -ENOTEMPTY;
}

static int commit_removal_locked(struct tfs_volume *volume, struct tfs_inode *parent,
                                 const char *name, struct tfs_inode *inode)
    TFS_REQUIRES(&volume->metadata)
{
    struct namespace_change change;
    struct meta_inode *above;

    namespace_begin(volume, &change);
    above = namespace_touch_directory(&change, parent, -1);
    if (S_ISDIR(inode->type))
        above->nlink--;
    namespace_delete_entry(&change, parent->number, name);
    namespace_unlink_inode(&change, inode);
    return namespace_commit(&change);
}

/* Finds, checks and removes. *ret is pinned for the caller, whatever comes after it was found. */
static int remove_locked(struct tfs_volume *volume, struct tfs_inode *parent, const char *name,
                         bool directory, struct tfs_inode **ret) TFS_REQUIRES(&volume->metadata)
{
    struct meta_dentry entry;
    int err = namespace_find(volume, parent->number, name, &entry);

    if (!err)
        err = inode_get(volume, entry.inode, ret);
    if (!err)
        err = check_removable(volume, *ret, directory);
    return err ? err : commit_removal_locked(volume, parent, name, *ret);
}

static int remove_name(struct tfs_volume *volume, uint64_t parent_number, const char *name,
                       bool directory)
{
    struct tfs_inode *parent;
    struct tfs_inode *inode = NULL;
    int err = volume_check_writable(volume);

    if (!err)
        err = namespace_check_name(name);
    if (!err)
        err = namespace_get_directory(volume, parent_number, &parent);
    if (err)
        return err;
    tfs_mutex_lock(&volume->metadata);
    err = remove_locked(volume, parent, name, directory, &inode);
    tfs_mutex_unlock(&volume->metadata);
    inode_put(volume, inode);
    inode_put(volume, parent);
    return err;
}

int tfs_unlink(struct tfs_volume *volume, uint64_t parent, const char *name)
{
    return remove_name(volume, parent, name, false);
}

int tfs_rmdir(struct tfs_volume *volume, uint64_t parent, const char *name)
{
    return remove_name(volume, parent, name, true);
}
