/* What is done with an open file. */
#include "fs/ll_cache.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_privileges.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

/* A reply of copy_file_range has 32 bits for the size; a program goes on where it stopped. */
#define COPY_SIZE_MAX (1ull << 30)

enum { PAGE_SIZE = 4096 };

/*
 * Whether the page cache has no part in a READ or a WRITE. The kernel names the owner of the locks
 * in these only; in what fills pages, goes through them or writes them back it does not.
 */
static bool is_past_the_cache(uint32_t flags, uint32_t lock_owner_flag)
{
    return (flags & lock_owner_flag) != 0;
}

/* ---- reading ---- */

static uint32_t current_read_flags(void)
{
    const struct fuse_in_header *header = ll_current_request();
    const struct fuse_read_in *in = (const struct fuse_read_in *)(const void *)(header + 1);

    return header ? in->read_flags : 0;
}

/* Before the data are read, see open_inode.h. */
static void note_pages(const struct ll_file *file, uint32_t read_flags)
{
    if (!is_past_the_cache(read_flags, FUSE_READ_LOCKOWNER))
        open_inode_note_pages(file->open);
}

/* What a try has read, for the request that this thread serves next. */
static _Thread_local struct {
    const struct fuse_in_header *header; /* of the request; NULL: there is none */
    struct tfs_read read;
} tried;

void ll_drop_tried_read(void)
{
    if (!tried.header)
        return;
    tried.header = NULL;
    tfs_read_release(&tried.read);
}

bool ll_try_read(const struct fuse_in_header *header, size_t size)
{
    const struct fuse_read_in *in = (const struct fuse_read_in *)(const void *)(header + 1);
    const struct ll_file *file;

    ll_drop_tried_read();
    if (size < sizeof(*header) + sizeof(*in) || in->size > TFS_READ_SIZE_MAX)
        return true; /* refused at once */
    file = (const struct ll_file *)(uintptr_t)in->fh;
    note_pages(file, in->read_flags);
    if (tfs_file_try_read(file->file, in->offset, in->size, &tried.read) < 0)
        return false;
    tried.header = header;
    return true;
}

static int read_data(const struct ll_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    const struct fuse_in_header *header = ll_current_request();

    if (header && tried.header == header) {
        tried.header = NULL;
        *ret = tried.read;
        return 0;
    }
    note_pages(file, current_read_flags());
    return tfs_file_read(file->file, offset, size, ret);
}

/* Valid replies: pieces (shorter than asked: the end of the file), error. */
void ll_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct tfs_read found;
    int err;

    (void)inode;
    if (size > TFS_READ_SIZE_MAX) {
        ll_reply_err(req, -EINVAL); /* more than was agreed */
        return;
    }
    err = read_data(ll_file_of(fi), (uint64_t)offset, size, &found);
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    ll_reply_pieces(req, found.pieces, found.piece_count);
    if (is_past_the_cache(current_read_flags(), FUSE_READ_LOCKOWNER))
        tfs_read_keep(&found);
    tfs_read_release(&found);
}

struct seek {
    struct notifier_task task;
    fuse_req_t req;
    const struct ll_file *file; /* open until the reply */
    uint64_t offset;
    int whence;
};

static void seek(const struct seek *seek)
{
    int64_t found = tfs_file_seek(seek->file->file, seek->offset, seek->whence);

    if (found < 0)
        ll_reply_err(seek->req, (int)found);
    else
        ll_reply_offset(seek->req, (uint64_t)found);
}

static void run_seek(struct notifier_task *task, bool may_tell)
{
    struct seek *later = tfs_container_of(task, struct seek, task);

    if (may_tell)
        ll_drop_pages(ll_of(later->req), later->file->inode, later->offset, 0); /* to the end */
    seek(later);
    free(later);
}

/*
 * Valid replies: offset, error (ENXIO: nothing behind).
 *
 * Only SEEK_DATA and SEEK_HOLE come here, and the kernel does not write back before it asks: cp
 * would take what was stored through a mapping for a hole. To have pages dropped is the one way to
 * have them written; it is done where somebody can have such a mapping. No write is in flight
 * through these pages: the kernel keeps writers out while it asks.
 */
void ll_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence, struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    const struct seek now = {.task.run = run_seek,
                             .req = req,
                             .file = ll_file_of(fi),
                             .offset = (uint64_t)offset,
                             .whence = whence};
    struct seek *later;

    if (!inode_hints_has_mapper(ll->hints, inode)) {
        seek(&now);
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

/* ---- writing ---- */

/* What libfuse 3.14 does not pass on. */
static struct fuse_write_in current_write(void)
{
    const struct fuse_in_header *header = ll_current_request();
    struct fuse_write_in in = {.write_flags = 0};

    if (header)
        memcpy(&in, header + 1, sizeof(in));
    return in;
}

/*
 * O_SYNC, O_DSYNC, RWF_DSYNC and the like. For what goes through its pages the kernel sends an
 * FSYNC behind the write. It sends none for handles that are direct, nor for O_DIRECT by AIO or
 * io_uring; there the flag in the request is all that there is.
 */
static int sync_if_asked(const struct ll *ll, const struct ll_file *file,
                         const struct fuse_write_in *in)
{
    bool is_direct = file->use.is_direct || (in->flags & O_DIRECT);

    if (in->write_flags & FUSE_WRITE_CACHE)
        return 0; /* the kernel writes back: nobody's call */
    if (ll->is_synchronous)
        return tfs_file_sync(file->file, false);
    if (!is_direct || !(in->flags & O_DSYNC))
        return 0;
    return tfs_file_sync(file->file, (in->flags & O_SYNC) != O_SYNC);
}

/* The same for what has no flags of its own. */
static int sync_if_synchronous(const struct ll_file *file, int err)
{
    return err == 0 && file->is_synchronous ? tfs_file_sync(file->file, false) : err;
}

/* A page may hold old bytes where another change is under way: these are left out. */
static int64_t write_back(const struct ll_file *file, const char *data, size_t size,
                          uint64_t offset)
{
    uint64_t end = offset + size;
    uint64_t at = offset;
    int64_t result = (int64_t)size;
    uint64_t run_end;

    open_inode_write_back_begin(file->open);
    while (result >= 0 && (run_end = open_inode_unclaimed(file->open, &at, end)) > at) {
        int64_t written =
            tfs_file_write(file->file, at, data + (at - offset), run_end - at, TFS_WRITE_BACK);

        if (written < 0)
            result = written;
        at = run_end;
    }
    open_inode_write_back_end(file->open);
    return result;
}

static int64_t write_data(struct ll *ll, const struct ll_file *file, const struct fuse_write_in *in,
                          const char *data)
{
    bool drops_privileges = (in->write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    int err;

    if (in->write_flags & FUSE_WRITE_CACHE)
        return write_back(file, data, in->size, in->offset);
    err = drops_privileges ? ll_drop_setgid_of_stranger(ll, file->inode) : 0;
    if (err < 0)
        return err;
    return tfs_file_write(file->file, in->offset, data, in->size,
                          drops_privileges ? TFS_WRITE_KILL_PRIVILEGES : 0);
}

static void send_written(const struct ll_change *change)
{
    if (change->result < 0)
        ll_reply_err(change->req, (int)change->result);
    else
        ll_reply_written(change->req, (size_t)change->result);
}

/*
 * Valid replies: written (all of it), error.
 *
 * Pages that may hold what was there before a write past the cache are dropped before the answer,
 * also where the kernel does it again after: it does not for asynchronous writes, and between the
 * answer and its dropping it shows the new size with the old page. Never for writes of the cache's
 * own: it holds their pages until the reply.
 */
void ll_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi)
{
    struct ll_file *file = ll_file_of(fi);
    const struct fuse_write_in in = current_write();
    bool is_past = is_past_the_cache(in.write_flags, FUSE_WRITE_LOCKOWNER);
    struct ll_change change = {.ll = ll_of(req),
                               .inode = file->open,
                               .drops_pages = is_past,
                               .drop_offset = (uint64_t)offset,
                               .drop_size = size,
                               .req = req,
                               .send = send_written};
    int err;

    ll_file_mark_written(change.ll, file);
    (void)ll_change_begin(&change, (uint64_t)offset, is_past ? size : 0);
    change.result = write_data(change.ll, file, &in, data);
    if (change.result > 0)
        change.end = (uint64_t)offset + (uint64_t)change.result;
    err = change.result < 0 ? 0 : sync_if_asked(change.ll, file, &in);
    if (err < 0)
        change.result = err;
    if (change.result >= 0 && (in.write_flags & FUSE_WRITE_KILL_SUIDGID) &&
        inode_hints_has(change.ll->hints, inode, INODE_HINT_SPECIAL))
        ll_forget_attributes(change.ll, inode);
    ll_change_end(&change);
}

/* Valid replies: error. Comes at every close(2) of a handle that may write. */
void ll_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct ll_file *file = ll_file_of(fi);

    (void)inode;
    ll_reply_err(req, ll_file_is_to_commit(ll_of(req), file) ? tfs_file_flush(file->file) : 0);
}

/* Valid replies: error. */
void ll_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi)
{
    (void)inode;
    ll_reply_err(req, tfs_file_sync(ll_file_of(fi)->file, data_only != 0));
}

static void send_result(const struct ll_change *change)
{
    ll_reply_err(change->req, change->result < 0 ? (int)change->result : 0);
}

/*
 * Valid replies: error.
 *
 * The kernel drops the pages of what was punched or zeroed after the answer. Those that were stored
 * to it may write back before that, with old bytes in the range: so they go now. And where it finds
 * the file grown already it does not cut what lies in the last page behind the old end.
 */
void ll_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t size,
                  struct fuse_file_info *fi)
{
    struct ll_file *file = ll_file_of(fi);
    bool zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    uint64_t end = (uint64_t)offset + (uint64_t)size;
    struct ll_change change = {.ll = ll_of(req),
                               .inode = file->open,
                               .drops_pages = true,
                               .drop_offset = (uint64_t)offset,
                               .drop_size = (uint64_t)size,
                               .req = req,
                               .send = send_result};
    uint64_t size_before;
    int err;

    (void)inode;
    ll_file_mark_written(change.ll, file);
    size_before = ll_change_begin(&change, (uint64_t)offset, zeroes ? (uint64_t)size : 0);
    err = tfs_file_fallocate(file->file, mode, (uint64_t)offset, (uint64_t)size);
    if (err == 0 && !(mode & FALLOC_FL_KEEP_SIZE) && end > size_before) {
        change.end = end;
        change.drop_offset = tfs_min_u64(change.drop_offset, size_before);
        change.drop_size = 0;
    } else if (!zeroes) {
        change.drops_pages = false;
    }
    change.result = sync_if_synchronous(file, err);
    ll_change_end(&change);
}

/*
 * What of the copy can be made here. Behind the answer the kernel discards all pages that the range
 * touches, also what was stored into the rest of the first and the last through a mapping just now.
 * So it is whole pages, and what lies behind the end; the rest the kernel copies itself, through
 * its pages.
 */
static uint64_t size_to_copy(const struct fuse_copy_file_range_in *in, uint64_t target_size)
{
    uint64_t size = tfs_min_u64(in->len, COPY_SIZE_MAX);

    if (in->off_out % PAGE_SIZE != 0)
        return 0;
    return in->off_out + size >= target_size ? size : size - size % PAGE_SIZE;
}

static void send_copied(const struct ll_change *change)
{
    const struct fuse_write_out out = {.size = change->result < 0 ? 0 : (uint32_t)change->result};

    (void)ll_reply_raw(change->ll, change->unique, change->result < 0 ? (int)change->result : 0,
                       &out, sizeof(out)); /* nothing was given */
}

static int64_t copy_range(struct ll_change *change, const struct fuse_copy_file_range_in *in)
{
    struct ll_file *source = (struct ll_file *)(uintptr_t)in->fh_in;
    struct ll_file *target = (struct ll_file *)(uintptr_t)in->fh_out;
    uint64_t target_size = ll_change_begin(change, in->off_out, in->len);
    const struct tfs_copy copy = {
        .source = source->file,
        .source_offset = in->off_in,
        .target = target->file,
        .target_offset = in->off_out,
        .size = size_to_copy(in, target_size),
    };
    int64_t copied;
    int err;

    if (copy.size == 0 && in->len > 0)
        return -EOPNOTSUPP;
    copied = tfs_file_copy(&copy);
    if (copied > 0)
        change->end = in->off_out + (uint64_t)copied;
    err = sync_if_synchronous(target, copied < 0 ? (int)copied : 0);
    return err < 0 ? err : copied;
}

/* Valid replies: written (may be less than asked), error (EOPNOTSUPP: the kernel copies). */
void ll_copy_file_range(const struct ll_raw_request *raw)
{
    struct fuse_copy_file_range_in in;
    struct ll_change change = {
        .ll = raw->ll, .drops_pages = true, .unique = raw->header->unique, .send = send_copied};
    struct ll_file *target;

    if (raw->body_size < sizeof(in)) {
        change.result = -EINVAL;
        send_copied(&change);
        return;
    }
    memcpy(&in, raw->body, sizeof(in));
    if (in.flags != 0) { /* none are defined */
        change.result = -EINVAL;
        send_copied(&change);
        return;
    }
    target = (struct ll_file *)(uintptr_t)in.fh_out;
    change.inode = target->open;
    change.drop_offset = in.off_out;
    ll_file_mark_written(raw->ll, target);
    change.result = copy_range(&change, &in);
    change.drops_pages = change.result > 0;
    change.drop_size = change.drops_pages ? (uint64_t)change.result : 0;
    ll_change_end(&change);
}
