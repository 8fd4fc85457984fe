/*
 * Changing attributes. The size is the data's matter (geometry.c); everything else is one record.
 */
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/file/resize.h"
#include "store/inode/data.h"
#include "store/inode/namespace.h"
#include "store/names/acl.h"
#include "store/names/xattr.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <stdlib.h>

/* A record with another time could not be read again. */
static bool times_are_sane(const struct tfs_setattr *change)
{
    const struct {
        uint32_t field;
        long nanoseconds;
    } times[] = {{TFS_SET_ATIME, change->atime.tv_nsec},
                 {TFS_SET_MTIME, change->mtime.tv_nsec},
                 {TFS_SET_CTIME, change->ctime.tv_nsec}};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(times); i++) {
        if (change->fields & times[i].field &&
            (times[i].nanoseconds < 0 || times[i].nanoseconds >= (long)TFS_NS_PER_S))
            return false;
    }
    return true;
}

static void set_times(struct meta_inode *record, const struct tfs_setattr *change,
                      const struct timespec *now)
{
    if (change->fields & TFS_SET_ATIME)
        record->atime = change->atime;
    if (change->fields & TFS_SET_ATIME_NOW)
        record->atime = *now;
    if (change->fields & TFS_SET_MTIME)
        record->mtime = change->mtime;
    if (change->fields & TFS_SET_MTIME_NOW)
        record->mtime = *now;
    record->ctime = change->fields & TFS_SET_CTIME ? change->ctime : *now;
}

/* setuid always; setgid where the group may execute (elsewhere the bit means mandatory locking, see
 * chown(2)). */
static void kill_privileges(struct meta_inode *record)
{
    if (S_ISDIR(record->mode))
        return;
    record->mode &= ~(uint32_t)S_ISUID;
    if (record->mode & S_IXGRP)
        record->mode &= ~(uint32_t)S_ISGID;
}

/* The access ACL follows the new mode: its mask is what the group bits show. */
static int chmod_acl(struct namespace_change *change, struct tfs_inode *inode,
                     const struct meta_inode *record)
{
    uint8_t *acl;
    size_t size;
    int err;

    if (!(record->flags & META_INODE_HAS_ACCESS_ACL))
        return 0;
    err = xattr_read(change->volume, inode->number, ACL_XATTR_ACCESS, &acl, &size);
    if (err)
        return err == -ENODATA ? 0 : err;
    err = acl_check(acl, size);
    if (!err) {
        acl_chmod(acl, size, record->mode);
        xattr_put(change->batch, inode->number, ACL_XATTR_ACCESS, acl, size);
    }
    free(acl);
    return err;
}

static int fill_change(struct namespace_change *change, struct tfs_inode *inode,
                       const struct tfs_setattr *wanted)
{
    struct meta_inode *record = namespace_record(change, inode);

    if (wanted->fields & TFS_SET_UID)
        record->uid = wanted->uid;
    if (wanted->fields & TFS_SET_GID)
        record->gid = wanted->gid;
    if (wanted->fields & TFS_SET_KILL_PRIVILEGES) {
        kill_privileges(record);
        if (record->flags & META_INODE_HAS_CAPABILITY) {
            xattr_delete(change->batch, inode->number, "security.capability");
            xattr_names_changed(inode);
        }
        record->flags &= ~(uint32_t)META_INODE_HAS_CAPABILITY;
    }
    set_times(record, wanted, &change->now);
    if (!(wanted->fields & TFS_SET_MODE))
        return 0;
    record->mode = (record->mode & S_IFMT) | (wanted->mode & 07777);
    return chmod_acl(change, inode, record);
}

static int set_record(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_setattr *wanted)
{
    struct namespace_change change;
    int err;

    tfs_mutex_lock(&volume->metadata);
    namespace_begin(volume, &change);
    err = fill_change(&change, inode, wanted);
    if (!err)
        err = namespace_commit(&change);
    tfs_mutex_unlock(&volume->metadata);
    return err;
}

static int set_pinned(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct tfs_setattr *wanted)
{
    uint32_t others = wanted->fields & ~(uint32_t)TFS_SET_SIZE;

    if (wanted->fields & TFS_SET_SIZE) {
        int err = resize_truncate(volume, inode, wanted->size);

        if (!err && !inode_is_open(volume, inode))
            err = commit_inode(volume, inode, COMMIT_ORDERED); /* no close will do it */
        if (err)
            return err;
    }
    /* truncate moves the times by itself, in memory, as a write does */
    return others ? set_record(volume, inode, wanted) : 0;
}

int tfs_setattr(struct tfs_volume *volume, uint64_t number, const struct tfs_setattr *change,
                struct tfs_attr *ret)
{
    struct tfs_inode *inode;
    int err = volume_check_writable(volume);

    if (!err && !times_are_sane(change))
        err = -EINVAL;
    if (!err)
        err = inode_get(volume, number, &inode);
    if (err)
        return err;
    err = set_pinned(volume, inode, change);
    if (!err)
        inode_attr(inode, ret);
    inode_put(volume, inode);
    return err;
}
