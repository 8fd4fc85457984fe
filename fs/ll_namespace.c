/* Names: made, removed, moved. The kernel drops its own copies of what changes by these. */
#include "fs/ll_cache.h"
#include "fs/ll_ops.h"
#include "fs/ll_reply.h"

#include <sys/stat.h>

static struct tfs_make make_for(fuse_req_t req, mode_t mode)
{
    const struct fuse_ctx *caller = fuse_req_ctx(req);

    return (struct tfs_make){
        .mode = mode,
        .umask = caller->umask,
        .uid = caller->uid,
        .gid = caller->gid,
    };
}

/* An entry that was made, and counts a lookup. */
static void reply_entry(fuse_req_t req, const struct tfs_attr *attr, uint64_t timeout_s)
{
    struct ll *ll = ll_of(req);
    int err = ll_settle_names(ll, 0);

    if (err == 0) {
        ll_reply_entry(req, attr, timeout_s);
        return;
    }
    tfs_forget(ll->volume, attr->inode, 1);
    ll_reply_err(req, err);
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, const struct tfs_make *what)
{
    struct tfs_attr attr;
    int err = tfs_make(ll_of(req)->volume, parent, name, what, &attr);

    if (err == 0)
        reply_entry(req, &attr, LL_TIMEOUT_S);
    else
        ll_reply_err(req, err);
}

/* Valid replies: entry (counts one lookup), error. */
void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    struct tfs_make what = make_for(req, mode);

    what.rdev = rdev;
    make(req, parent, name, &what);
}

/* Valid replies: entry (counts one lookup), error. */
void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct tfs_make what = make_for(req, (mode & ~(mode_t)S_IFMT) | S_IFDIR);

    make(req, parent, name, &what);
}

/* Valid replies: entry (counts one lookup), error. */
void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    struct tfs_make what = make_for(req, S_IFLNK | 0777);

    what.umask = 0; /* a symlink has all permissions */
    what.target = target;
    make(req, parent, name, &what);
}

/* Valid replies: readlink, error. */
void ll_readlink(fuse_req_t req, fuse_ino_t inode)
{
    char target[TFS_SYMLINK_SIZE_MAX + 1];
    int err = tfs_readlink(ll_of(req)->volume, inode, target);

    if (err < 0)
        ll_reply_err(req, err);
    else
        ll_reply_readlink(req, target);
}

/* Valid replies: error. */
void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct ll *ll = ll_of(req);

    ll_reply_err(req, ll_settle_names(ll, tfs_unlink(ll->volume, parent, name)));
}

/* Valid replies: error. */
void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct ll *ll = ll_of(req);

    ll_reply_err(req, ll_settle_names(ll, tfs_rmdir(ll->volume, parent, name)));
}

/* Valid replies: error. */
void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags)
{
    struct ll *ll = ll_of(req);
    const struct tfs_place from = {.parent = parent, .name = name};
    const struct tfs_place to = {.parent = new_parent, .name = new_name};

    ll_reply_err(req, ll_settle_names(ll, tfs_rename(ll->volume, &from, &to, flags)));
}

static void send_entry(const struct ll_attr_answer *answer)
{
    ll_reply_entry(answer->req, &answer->attr, answer->timeout_s);
}

/* Valid replies: entry (counts one lookup), error. */
void ll_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    struct ll *ll = ll_of(req);
    struct ll_attr_answer answer = {.ll = ll, .req = req, .send = send_entry};
    uint64_t stamp = ll_attr_stamp(ll);
    int err = tfs_link(ll->volume, inode, parent, name, &answer.attr);

    if (err == 0) {
        err = ll_settle_names(ll, 0);
        if (err < 0)
            tfs_forget(ll->volume, inode, 1);
    }
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    answer.timeout_s = ll_attr_timeout(ll, inode, stamp);
    ll_answer_attr(&answer);
}
