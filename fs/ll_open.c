/* Opening, creating, closing: the requests. How a handle is treated is in ll_handle.c. */
#include "fs/ll_cache.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_privileges.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static uint32_t current_open_flags(void)
{
    const struct fuse_in_header *header = ll_current_request();
    const struct fuse_open_in *in = (const struct fuse_open_in *)(const void *)(header + 1);

    return header ? in->open_flags : 0;
}

/* O_TRUNC by one who may not keep setuid: libfuse 3.14 does not pass the flag on. */
static int drop_privileges(struct ll *ll, uint64_t inode)
{
    const struct tfs_setattr change = {.fields = TFS_SET_KILL_PRIVILEGES};
    struct tfs_attr attr;
    int err = tfs_setattr(ll->volume, inode, &change, &attr);

    if (err == 0)
        err = ll_drop_setgid_of_stranger(ll, inode);
    if (err == 0 && inode_hints_has(ll->hints, inode, INODE_HINT_SPECIAL))
        ll_forget_attributes(ll, inode);
    return err;
}

static int open_file(struct ll *ll, uint64_t inode, int flags, struct ll_file **ret)
{
    struct ll_file *file;
    int err = ll_file_open(ll, inode, flags, false, &file);

    if (err == 0 && (flags & O_TRUNC) && ll->is_synchronous) {
        err = tfs_file_sync(file->file, false);
        if (err < 0)
            ll_file_close(ll, file);
    }
    if (err < 0)
        return err;
    *ret = file;
    return 0;
}

static void run_open(struct notifier_task *task, bool may_tell)
{
    struct ll_file *file = tfs_container_of(task, struct ll_file, opened);
    struct ll *ll = ll_of(file->opener);

    ll_drop_left_pages(ll, file->open, may_tell);
    ll_reply_open(file->opener, file);
}

/* Answers OPEN, when the kernel has no old pages. Given: file. */
static void answer_open(fuse_req_t req, struct ll_file *file)
{
    struct ll *ll = ll_of(req);

    if (file->use.is_direct || !open_inode_must_drop(&ll->inodes, file->open)) {
        ll_reply_open(req, file);
        return;
    }
    file->opener = req;
    file->opened.run = run_open;
    notifier_push(ll->notifier, &file->opened);
}

/* Valid replies: open (gives a handle), error. */
void ll_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct ll_file *file;
    int err = 0;

    if (current_open_flags() & FUSE_OPEN_KILL_SUIDGID)
        err = drop_privileges(ll, inode);
    if (err == 0)
        err = open_file(ll, inode, fi->flags, &file);
    if (err != 0) {
        ll_reply_err(req, err);
        return;
    }
    if (fi->flags & O_TRUNC)
        ll_file_mark_written(ll, file);
    answer_open(req, file);
}

/* Valid replies: create (gives a handle, counts one lookup), error. */
void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    const struct fuse_ctx *caller = fuse_req_ctx(req);
    const struct tfs_make what = {
        .mode = (mode & ~(mode_t)S_IFMT) | S_IFREG,
        .umask = caller->umask,
        .uid = caller->uid,
        .gid = caller->gid,
    };
    struct ll_file *file = NULL;
    struct tfs_attr attr;
    int err = tfs_make(ll->volume, parent, name, &what, &attr);

    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    err = ll_settle_names(ll, 0);
    if (err == 0)
        err = ll_file_open(ll, attr.inode, fi->flags & ~O_TRUNC, true, &file); /* it is empty */
    if (err < 0) {
        /* The kernel goes on believing that there is no such name: the next try would be EEXIST. */
        (void)!tfs_unlink(ll->volume, parent, name);
        tfs_forget(ll->volume, attr.inode, 1);
        ll_reply_err(req, err);
        return;
    }
    ll_reply_create(req, &attr, file);
}

/* Valid replies: error 0. Errors were reported by FLUSH; nobody reads this one. */
void ll_release_file(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    (void)inode;
    ll_file_close(ll_of(req), ll_file_of(fi));
    ll_reply_err(req, 0);
}
