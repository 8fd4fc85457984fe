/*
 * Finding names, and the operations that read one inode's record.
 */
#include "store/base/error.h"
#include "store/inode/data.h"
#include "store/inode/namespace.h"

#include <errno.h>
#include <string.h>

/* For handles that outlived the kernel's caches: what was removed meanwhile is stale. */
static int get_by_number(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret)
{
    struct tfs_inode *inode;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    if (inode_record(inode).nlink == 0 && !inode_is_open(volume, inode)) {
        inode_put(volume, inode);
        return -ESTALE;
    }
    *ret = inode;
    return 0;
}

/* Pins the inode that `name` stands for in the directory; "." and ".." too, for handles that
 * outlived the kernel's caches. */
static int get_named(struct tfs_volume *volume, uint64_t parent, const char *name,
                     struct tfs_inode **ret)
{
    struct tfs_inode *directory;
    struct meta_dentry entry;
    int err;

    if (strcmp(name, ".") == 0)
        return get_by_number(volume, parent, ret);
    err = namespace_get_directory(volume, parent, &directory);
    if (err)
        return err;
    if (strcmp(name, "..") == 0) {
        entry.inode = inode_record(directory).parent;
    } else {
        err = namespace_check_name(name);
        if (!err)
            err = namespace_find(volume, parent, name, &entry);
    }
    inode_put(volume, directory);
    if (err)
        return err;
    err = inode_get(volume, entry.inode, ret);
    /* Removed between the two: the name is gone by now. */
    return err == -ESTALE ? -ENOENT : err;
}

int tfs_lookup(struct tfs_volume *volume, uint64_t parent, const char *name, struct tfs_attr *ret)
{
    struct tfs_inode *inode;
    int err = get_named(volume, parent, name, &inode);

    if (err)
        return err;
    inode_lookup_added(volume, inode, parent);
    inode_attr(inode, ret);
    inode_put(volume, inode);
    return 0;
}

void tfs_forget(struct tfs_volume *volume, uint64_t inode, uint64_t count)
{
    inode_forget(volume, inode, count);
}

int tfs_getattr(struct tfs_volume *volume, uint64_t number, struct tfs_attr *ret)
{
    struct tfs_inode *inode;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    inode_attr(inode, ret);
    inode_put(volume, inode);
    return 0;
}

int tfs_readlink(struct tfs_volume *volume, uint64_t number, char target[TFS_SYMLINK_SIZE_MAX + 1])
{
    struct tfs_inode *inode;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    if (inode->target)
        memcpy(target, inode->target, strlen(inode->target) + 1); /* fits: checked at its birth */
    else
        err = -EINVAL;
    inode_put(volume, inode);
    return err;
}
