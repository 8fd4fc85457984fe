/* What is done with an open file. */
#include "fs/ll.h"

#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A reply of copy_file_range has 32 bits for the size; a program goes on where it stopped. */
#define COPY_SIZE_MAX (1ull << 30)

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
    if (!is_past_the_cache(current_read_flags(), FUSE_READ_LOCKOWNER))
        open_inode_note_pages(ll_file_of(fi)->open);
    err = tfs_file_read(ll_file_of(fi)->file, (uint64_t)offset, size, &found);
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    ll_reply_pieces(req, found.pieces, found.piece_count);
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

void ll_file_mark_written(struct ll *ll, struct ll_file *file)
{
    /* Relaxed: only the exchange itself matters, that one thread counts the handle. */
    if (!atomic_load_explicit(&file->is_written, memory_order_relaxed) &&
        !atomic_exchange_explicit(&file->is_written, true, memory_order_relaxed))
        inode_hints_writer_add(ll->hints, file->inode);
}

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

struct lost_pages {
    struct notifier_task task;
    struct ll *ll;
    uint64_t inode;
    uint64_t offset;
    uint64_t size;
};

static void run_drop_lost(struct notifier_task *task, bool may_tell)
{
    struct lost_pages *lost = tfs_container_of(task, struct lost_pages, task);

    if (may_tell)
        ll_drop_pages(lost->ll, lost->inode, lost->offset, lost->size);
    free(lost);
}

/*
 * The kernel could not write back what was stored through a mapping, and goes on showing pages that
 * the store does not have. They are dropped, so that who has them mapped hears of it at the next
 * touch. After the reply, which ends the write-back that it would wait for.
 */
static void drop_lost_pages(struct ll *ll, uint64_t inode, uint64_t offset, uint64_t size)
{
    struct lost_pages *lost = malloc(sizeof(*lost));

    if (!lost)
        return; /* the handles are told all the same */
    *lost = (struct lost_pages){
        .task.run = run_drop_lost, .ll = ll, .inode = inode, .offset = offset, .size = size};
    notifier_push(ll->notifier, &lost->task);
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
    struct ll *ll = ll_of(req);
    struct ll_file *file = ll_file_of(fi);
    const struct fuse_write_in in = current_write();
    bool drops_privileges = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    bool is_write_back = (in.write_flags & FUSE_WRITE_CACHE) != 0;
    int64_t written;
    int err;

    ll_file_mark_written(ll, file);
    open_inode_change_begin(&ll->inodes, file->open, false);
    written = drops_privileges ? ll_drop_setgid_of_stranger(ll, inode) : 0;
    if (written == 0)
        written = tfs_file_write(file->file, (uint64_t)offset, data, size,
                                 (drops_privileges ? TFS_WRITE_KILL_PRIVILEGES : 0) |
                                     (is_write_back ? TFS_WRITE_BACK : 0));
    err = written < 0 ? (int)written : sync_if_asked(ll, file, &in);
    if (err < 0) {
        open_inode_change_end(&ll->inodes, file->open, false, 0);
        ll_reply_err(req, err);
        if (is_write_back)
            drop_lost_pages(ll, inode, (uint64_t)offset, size);
        return;
    }
    if (drops_privileges && inode_hints_has(ll->hints, inode, INODE_HINT_SPECIAL))
        ll_forget_attributes(ll, inode);
    if (is_past_the_cache(in.write_flags, FUSE_WRITE_LOCKOWNER) &&
        open_inode_has_pages(file->open)) {
        ll_answer_write(req, file, (uint64_t)offset, (size_t)written);
        return;
    }
    open_inode_change_end(&ll->inodes, file->open, false, (uint64_t)offset + (uint64_t)written);
    ll_reply_written(req, (size_t)written);
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

/* Valid replies: error. The kernel drops the pages of what was punched or zeroed. */
void ll_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t size,
                  struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct ll_file *file = ll_file_of(fi);
    int err;

    (void)inode;
    ll_file_mark_written(ll, file);
    open_inode_change_begin(&ll->inodes, file->open, true);
    err = tfs_file_fallocate(file->file, mode, (uint64_t)offset, (uint64_t)size);
    open_inode_change_end(&ll->inodes, file->open, true, 0);
    ll_reply_err(req, sync_if_synchronous(file, err));
}

static int64_t copy_range(struct ll *ll, const struct fuse_copy_file_range_in *in)
{
    struct ll_file *source = (struct ll_file *)(uintptr_t)in->fh_in;
    struct ll_file *target = (struct ll_file *)(uintptr_t)in->fh_out;
    const struct tfs_copy copy = {
        .source = source->file,
        .source_offset = in->off_in,
        .target = target->file,
        .target_offset = in->off_out,
        .size = tfs_min_u64(in->len, COPY_SIZE_MAX),
    };
    int64_t copied;
    int err;

    if (in->flags != 0)
        return -EINVAL; /* none are defined */
    ll_file_mark_written(ll, target);
    open_inode_change_begin(&ll->inodes, target->open, true);
    copied = tfs_file_copy(&copy);
    open_inode_change_end(&ll->inodes, target->open, true, 0);
    err = sync_if_synchronous(target, copied < 0 ? (int)copied : 0);
    return err < 0 ? err : copied;
}

/* Valid replies: written (may be less than asked), error. The kernel drops the target's pages. */
void ll_copy_file_range(const struct ll_raw_request *raw)
{
    struct fuse_copy_file_range_in in;
    struct fuse_write_out out = {.size = 0};
    int64_t copied = -EINVAL;

    if (raw->body_size >= sizeof(in)) {
        memcpy(&in, raw->body, sizeof(in));
        copied = copy_range(raw->ll, &in);
    }
    if (copied >= 0)
        out.size = (uint32_t)copied;
    (void)ll_reply_raw(raw->ll, raw->header->unique, copied < 0 ? (int)copied : 0, &out,
                       sizeof(out)); /* nothing was given */
}
