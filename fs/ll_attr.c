/* Lookup, attributes, statfs. */
#include "fs/ll_cache.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_privileges.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static void send_entry(const struct ll_attr_answer *answer)
{
    ll_reply_entry(answer->req, &answer->attr, answer->timeout_s);
}

static void send_attr(const struct ll_attr_answer *answer)
{
    ll_reply_attr(answer->req, &answer->attr, answer->timeout_s);
}

/* Valid replies: entry (counts one lookup), no entry, error. */
void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct ll *ll = ll_of(req);
    struct ll_attr_answer answer = {.ll = ll, .req = req, .send = send_entry};
    uint64_t stamp = ll_attr_stamp(ll);
    int err = tfs_lookup(ll->volume, parent, name, &answer.attr);

    if (err == -ENOENT) {
        ll_reply_no_entry(req);
    } else if (err < 0) {
        ll_reply_err(req, err);
    } else {
        answer.timeout_s = ll_attr_timeout(ll, answer.attr.inode, stamp);
        ll_answer_attr(&answer);
    }
}

/* Valid replies: none. Gives back lookups. */
void ll_forget(fuse_req_t req, fuse_ino_t inode, uint64_t count)
{
    tfs_forget(ll_of(req)->volume, inode, count);
    ll_reply_none(req);
}

/* Valid replies: none. */
void ll_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct ll *ll = ll_of(req);

    for (size_t i = 0; i < count; i++)
        tfs_forget(ll->volume, forgets[i].ino, forgets[i].nlookup);
    ll_reply_none(req);
}

/* Valid replies: attr, error. */
void ll_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct ll_attr_answer answer = {.ll = ll, .req = req, .send = send_attr};
    uint64_t stamp = ll_attr_stamp(ll);
    int err = tfs_getattr(ll->volume, inode, &answer.attr);

    (void)fi; /* an open file's attributes are its inode's */
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    answer.timeout_s = ll_attr_timeout(ll, inode, stamp);
    ll_answer_attr(&answer);
}

static void setattr_from_fuse(const struct stat *from, int to_set, struct tfs_setattr *ret)
{
    static const struct {
        int fuse;
        enum tfs_setattr_field field;
    } fields[] = {
        {FUSE_SET_ATTR_MODE, TFS_SET_MODE},
        {FUSE_SET_ATTR_UID, TFS_SET_UID},
        {FUSE_SET_ATTR_GID, TFS_SET_GID},
        {FUSE_SET_ATTR_SIZE, TFS_SET_SIZE},
        {FUSE_SET_ATTR_ATIME, TFS_SET_ATIME},
        {FUSE_SET_ATTR_MTIME, TFS_SET_MTIME},
        {FUSE_SET_ATTR_CTIME, TFS_SET_CTIME},
        {FUSE_SET_ATTR_ATIME_NOW, TFS_SET_ATIME_NOW},
        {FUSE_SET_ATTR_MTIME_NOW, TFS_SET_MTIME_NOW},
        /* Bit 11 is FATTR_KILL_SUIDGID on the wire; libfuse passes it on under this name. */
        {FUSE_SET_ATTR_KILL_SUID, TFS_SET_KILL_PRIVILEGES},
    };
    uint32_t wanted = 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields); i++) {
        if (to_set & fields[i].fuse)
            wanted |= fields[i].field;
    }
    /* chown(2) to -1, -1 changes no owner and drops privileges all the same: nothing else asks for
     * nothing. */
    if (wanted == 0)
        wanted = TFS_SET_KILL_PRIVILEGES;
    /* The kernel sends "now" together with the time; only one of them is meant. */
    if (wanted & TFS_SET_ATIME_NOW)
        wanted &= ~(uint32_t)TFS_SET_ATIME;
    if (wanted & TFS_SET_MTIME_NOW)
        wanted &= ~(uint32_t)TFS_SET_MTIME;
    *ret = (struct tfs_setattr){
        .fields = wanted,
        .mode = from->st_mode,
        .uid = from->st_uid,
        .gid = from->st_gid,
        .size = (uint64_t)from->st_size,
        .atime = from->st_atim,
        .mtime = from->st_mtim,
        .ctime = from->st_ctim,
    };
}

/* A new size is a write: it is committed when the handle is closed, or now when there is none. */
static int size_was_set(struct ll *ll, uint64_t inode, const struct fuse_file_info *fi)
{
    struct ll_file *opened = fi ? ll_file_of(fi) : NULL;
    struct tfs_file *file;
    int err;

    if (opened) {
        ll_file_mark_written(ll, opened);
        return opened->is_synchronous ? tfs_file_sync(opened->file, false) : 0;
    }
    err = tfs_file_open(ll->volume, inode, O_WRONLY, &file);
    if (err < 0)
        return err;
    err = ll->is_synchronous ? tfs_file_sync(file, false) : tfs_file_flush(file);
    tfs_file_close(file);
    return err;
}

/* Who grows a file that may be mapped has its pages cut by the kernel, at the size before. */
static enum open_change begin_size_change(struct ll *ll, struct open_inode *open, uint64_t size)
{
    if (size <= open_inode_change_begin(&ll->inodes, open)) {
        open_inode_cut_begin(open);
        return OPEN_CHANGE_CUT;
    }
    return inode_hints_has_mapper(ll->hints, open->number) ? OPEN_CHANGE_GROWN
                                                           : OPEN_CHANGE_WRITTEN;
}

static int set_size(struct ll *ll, uint64_t inode, const struct tfs_setattr *change,
                    const struct fuse_file_info *fi, struct tfs_attr *ret)
{
    struct open_inode *open = open_inodes_find(&ll->inodes, inode);
    enum open_change kind = open ? begin_size_change(ll, open, change->size) : OPEN_CHANGE_CUT;
    int err = tfs_setattr(ll->volume, inode, change, ret);

    if (err == 0)
        err = size_was_set(ll, inode, fi);
    if (open) {
        open_inode_change_end(&ll->inodes, open, kind, err == 0 ? change->size : 0);
        open_inode_put(&ll->inodes, open);
    }
    return err;
}

static int set(struct ll *ll, uint64_t inode, const struct tfs_setattr *change,
               const struct fuse_file_info *fi, struct tfs_attr *ret)
{
    int err = 0;

    /* A new owner is another matter: there the bit stays. */
    if ((change->fields & TFS_SET_KILL_PRIVILEGES) &&
        !(change->fields & (TFS_SET_UID | TFS_SET_GID)))
        err = ll_drop_setgid_of_stranger(ll, inode);
    if (err < 0)
        return err;
    return change->fields & TFS_SET_SIZE ? set_size(ll, inode, change, fi, ret)
                                         : tfs_setattr(ll->volume, inode, change, ret);
}

/* A change on its way. */
struct setting {
    struct notifier_task task;
    fuse_req_t req;
    uint64_t inode;
    struct tfs_setattr change;
    struct fuse_file_info handle; /* of the call, if it had one */
    bool has_handle;
};

static void set_and_answer(struct setting *setting)
{
    struct ll *ll = ll_of(setting->req);
    struct ll_attr_answer answer = {.ll = ll, .req = setting->req, .send = send_attr};
    uint64_t stamp = ll_attr_stamp(ll);
    int err = set(ll, setting->inode, &setting->change,
                  setting->has_handle ? &setting->handle : NULL, &answer.attr);

    err = ll_settle_attributes(ll, err);
    if (err < 0) {
        ll_reply_err(setting->req, err);
    } else if (setting->change.fields & TFS_SET_SIZE) {
        /* The blocks of a cut chunk are known only when it was written back. */
        ll_reply_attr(setting->req, &answer.attr, 0);
    } else {
        answer.timeout_s = ll_attr_timeout(ll, setting->inode, stamp);
        ll_answer_attr(&answer);
    }
}

static void run_set(struct notifier_task *task, bool may_tell)
{
    struct setting *setting = tfs_container_of(task, struct setting, task);

    if (may_tell)
        ll_drop_pages(ll_of(setting->req), setting->inode, 0, 0);
    set_and_answer(setting);
    free(setting);
}

/*
 * What was stored through a mapping before moves the time when it is written back, which would undo
 * one that is set now. So it is written back first; to have pages dropped is the one way. The
 * kernel keeps writers out while it asks.
 */
static bool must_write_back_first(const struct ll *ll, const struct setting *setting)
{
    return (setting->change.fields & TFS_SET_MTIME) && !(setting->change.fields & TFS_SET_SIZE) &&
           inode_hints_has_mapper(ll->hints, setting->inode);
}

/* Valid replies: attr, error. */
void ll_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int to_set,
                struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct setting now = {
        .task.run = run_set, .req = req, .inode = inode, .has_handle = fi != NULL};
    struct setting *later;

    setattr_from_fuse(attr, to_set, &now.change);
    if (fi)
        now.handle = *fi;
    if (!must_write_back_first(ll, &now)) {
        set_and_answer(&now);
        return;
    }
    later = malloc(sizeof(*later));
    if (!later) {
        ll_reply_err(req, -ENOMEM);
        return;
    }
    *later = now;
    notifier_push(ll->notifier, &later->task);
}

/* Valid replies: statfs, error. */
void ll_statfs(fuse_req_t req, fuse_ino_t inode)
{
    struct statvfs status;
    int err = tfs_volume_statfs(ll_of(req)->volume, &status);

    (void)inode;
    if (err < 0)
        ll_reply_err(req, err);
    else
        ll_reply_statfs(req, &status);
}
