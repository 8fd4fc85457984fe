/*
 * Making names: files, directories, symlinks, special files, and further links.
 */
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/inode/data.h"
#include "store/inode/namespace.h"
#include "store/names/acl.h"
#include "store/names/xattr.h"
#include "store/tables/numbers.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An inode in the making: its record, and the ACLs that it inherits. */
struct newborn {
    uint64_t number;
    struct meta_inode record;
    const char *target;
    uint8_t *default_acl; /* of the parent, or NULL */
    size_t default_acl_size;
    uint8_t *access_acl; /* to be stored, or NULL */
};

static void newborn_release(struct newborn *newborn)
{
    free(newborn->default_acl);
    free(newborn->access_acl);
}

/* Mode, access ACL and default ACL from the parent's default ACL (acl(5), "object creation and
 * default ACLs"). */
static int inherit_acl(struct tfs_volume *volume, struct newborn *newborn, struct tfs_inode *parent)
{
    int err = xattr_read(volume, parent->number, ACL_XATTR_DEFAULT, &newborn->default_acl,
                         &newborn->default_acl_size);

    if (err)
        return err;
    err = acl_check(newborn->default_acl, newborn->default_acl_size);
    if (err)
        return tfs_fail(-EUCLEAN, "inode %llu has a default ACL that is none",
                        (unsigned long long)parent->number);
    newborn->access_acl = malloc(newborn->default_acl_size);
    if (!newborn->access_acl)
        return -ENOMEM;
    memcpy(newborn->access_acl, newborn->default_acl, newborn->default_acl_size);
    if (acl_inherit(newborn->access_acl, newborn->default_acl_size, &newborn->record.mode)) {
        free(newborn->access_acl);
        newborn->access_acl = NULL;
    } else {
        newborn->record.flags |= META_INODE_HAS_XATTRS | META_INODE_HAS_ACCESS_ACL;
    }
    if (S_ISDIR(newborn->record.mode)) {
        newborn->record.flags |= META_INODE_HAS_XATTRS | META_INODE_HAS_DEFAULT_ACL;
    } else {
        free(newborn->default_acl);
        newborn->default_acl = NULL;
    }
    return 0;
}

static int check_make(const struct tfs_make *what)
{
    size_t size;

    switch (what->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
        return 0;
    case S_IFLNK:
        size = what->target ? strnlen(what->target, TFS_SYMLINK_SIZE_MAX + 1) : 0;
        if (size == 0)
            return -ENOENT;
        return size > TFS_SYMLINK_SIZE_MAX ? -ENAMETOOLONG : 0;
    default:
        return -EINVAL;
    }
}

/* The record of the new inode. Holds volume->metadata, so that the parent stays as it is. */
static int newborn_init(struct tfs_volume *volume, struct newborn *newborn,
                        struct tfs_inode *parent, const struct tfs_make *what)
{
    struct meta_inode above = inode_record(parent);
    struct timespec now = tfs_clock_real();
    bool symlink = S_ISLNK(what->mode);
    int err = numbers_take(volume->numbers, NUMBERS_INODE, &newborn->number);

    if (err)
        return err;
    newborn->target = what->target;
    newborn->record = (struct meta_inode){
        .version = 1,
        .rdev = S_ISCHR(what->mode) || S_ISBLK(what->mode) ? what->rdev : 0,
        .parent = S_ISDIR(what->mode) ? parent->number : 0,
        .mode = symlink ? S_IFLNK | 0777 : what->mode & (S_IFMT | 07777),
        .uid = what->uid,
        .gid = above.mode & S_ISGID ? above.gid : what->gid,
        .nlink = S_ISDIR(what->mode) ? 2 : 1,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now,
        .compression = above.compression,
        .chunk_size_log2 = above.chunk_size_log2,
        .target_size = symlink ? (uint16_t)strlen(what->target) : 0,
    };
    if (!(above.flags & META_INODE_SETS_COMPRESSION))
        newborn->record.compression = volume->options.compression;
    if (!(above.flags & META_INODE_SETS_CHUNK_SIZE))
        newborn->record.chunk_size_log2 = (uint8_t)__builtin_ctzll(volume->options.chunk_size);
    if (S_ISDIR(what->mode)) {
        newborn->record.mode |= above.mode & S_ISGID;
        newborn->record.flags |=
            above.flags & (META_INODE_SETS_COMPRESSION | META_INODE_SETS_CHUNK_SIZE);
    }
    if (symlink)
        return 0;
    if (above.flags & META_INODE_HAS_DEFAULT_ACL)
        return inherit_acl(volume, newborn, parent);
    newborn->record.mode &= ~(what->umask & 0777);
    return 0;
}

static void put_newborn(struct namespace_change *change, const struct newborn *newborn)
{
    namespace_put_inode(change, newborn->number, &newborn->record, newborn->target);
    if (newborn->access_acl)
        xattr_put(change->batch, newborn->number, ACL_XATTR_ACCESS, newborn->access_acl,
                  newborn->default_acl_size);
    if (newborn->default_acl)
        xattr_put(change->batch, newborn->number, ACL_XATTR_DEFAULT, newborn->default_acl,
                  newborn->default_acl_size);
}

/* Commits the newborn with its name (NULL: as an orphan). Holds volume->metadata. */
static int commit_newborn_locked(struct tfs_volume *volume, struct tfs_inode *parent,
                                 const char *name, struct newborn *newborn)
    TFS_REQUIRES(&volume->metadata)
{
    struct meta_dentry entry = {newborn->number, newborn->record.mode & S_IFMT};
    struct namespace_change change;
    struct meta_inode *above;
    int err = 0;

    namespace_begin(volume, &change);
    if (name) {
        err = namespace_require_free(&change, parent->number, name);
        above = namespace_touch_directory(&change, parent, 1);
        if (S_ISDIR(newborn->record.mode))
            above->nlink++;
        namespace_put_entry(&change, parent->number, name, &entry);
    } else {
        namespace_put_orphan(&change, newborn->number);
    }
    put_newborn(&change, newborn);
    return err ? err : namespace_commit(&change);
}

/* *ret is set, also on failure, as soon as there is an object: before the commit, behind which
 * nothing may fail any more. The caller puts it. */
static int make_locked(struct tfs_volume *volume, struct tfs_inode *parent, const char *name,
                       const struct tfs_make *what, struct newborn *newborn, struct tfs_inode **ret)
    TFS_REQUIRES(&volume->metadata)
{
    struct meta_inode above = inode_record(parent);
    int err;

    if (above.nlink == 0)
        return -ENOENT;
    if (S_ISDIR(what->mode) && name && above.nlink >= TFS_LINKS_MAX)
        return -EMLINK;
    err = newborn_init(volume, newborn, parent, what);
    if (!name)
        newborn->record.nlink = 0;
    if (!err)
        err = inode_add(volume, newborn->number, &newborn->record, newborn->target, ret);
    return err ? err : commit_newborn_locked(volume, parent, name, newborn);
}

static int make(struct tfs_volume *volume, uint64_t parent_number, const char *name,
                const struct tfs_make *what, struct tfs_attr *ret)
{
    struct newborn newborn = {0};
    struct tfs_inode *parent;
    struct tfs_inode *inode = NULL;
    int err = namespace_get_directory(volume, parent_number, &parent);

    if (err)
        return err;
    tfs_mutex_lock(&volume->metadata);
    err = make_locked(volume, parent, name, what, &newborn, &inode);
    tfs_mutex_unlock(&volume->metadata);
    inode_put(volume, parent);
    newborn_release(&newborn);
    if (!err) {
        inode_lookup_added(volume, inode, parent_number);
        inode_attr(inode, ret);
    }
    inode_put(volume, inode);
    return err;
}

int tfs_make(struct tfs_volume *volume, uint64_t parent, const char *name,
             const struct tfs_make *what, struct tfs_attr *ret)
{
    int err = volume_check_writable(volume);

    if (!err)
        err = namespace_check_name(name);
    if (!err)
        err = check_make(what);
    return err ? err : make(volume, parent, name, what, ret);
}

int tfs_make_unnamed(struct tfs_volume *volume, uint64_t parent, const struct tfs_make *what,
                     struct tfs_attr *ret)
{
    int err = volume_check_writable(volume);

    if (!err && !S_ISREG(what->mode))
        err = -EINVAL;
    return err ? err : make(volume, parent, NULL, what, ret);
}

static int link_locked(struct tfs_volume *volume, struct tfs_inode *inode, struct tfs_inode *parent,
                       const char *name) TFS_REQUIRES(&volume->metadata)
{
    struct namespace_change change;
    struct meta_inode *record;
    struct meta_dentry entry = {.inode = inode->number};
    int err;

    namespace_begin(volume, &change);
    record = namespace_record(&change, inode);
    entry.type = record->mode & S_IFMT;
    if (inode_record(parent).nlink == 0)
        err = -ENOENT;
    else if (record->nlink >= TFS_LINKS_MAX)
        err = -EMLINK;
    else
        err = namespace_require_free(&change, parent->number, name);
    if (err)
        return err;
    if (record->nlink == 0 && !(record->flags & META_INODE_HAS_CUT_ROWS))
        namespace_delete_orphan(&change, inode->number);
    record->nlink++;
    record->ctime = change.now;
    (void)namespace_touch_directory(&change, parent, 1); /* nothing else of it changes */
    namespace_put_entry(&change, parent->number, name, &entry);
    return namespace_commit(&change);
}

static int link_pinned(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t parent_number,
                       const char *name)
{
    struct tfs_inode *parent;
    int err;

    if (S_ISDIR(inode->type))
        return -EPERM;
    err = namespace_get_directory(volume, parent_number, &parent);
    if (err)
        return err;
    /* A name never shows less after a crash than what had been written before it was given. */
    err = commit_inode(volume, inode, COMMIT_ORDERED);
    if (!err) {
        tfs_mutex_lock(&volume->metadata);
        err = link_locked(volume, inode, parent, name);
        tfs_mutex_unlock(&volume->metadata);
    }
    inode_put(volume, parent);
    return err;
}

int tfs_link(struct tfs_volume *volume, uint64_t number, uint64_t parent, const char *name,
             struct tfs_attr *ret)
{
    struct tfs_inode *inode;
    int err = volume_check_writable(volume);

    if (!err)
        err = namespace_check_name(name);
    if (!err)
        err = inode_get(volume, number, &inode);
    if (err)
        return err;
    err = link_pinned(volume, inode, parent, name);
    if (!err) {
        inode_lookup_added(volume, inode, parent);
        inode_attr(inode, ret);
    }
    inode_put(volume, inode);
    return err;
}
