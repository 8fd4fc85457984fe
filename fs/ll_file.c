/* What is done with an open file. */
#include "fs/ll.h"

#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A reply of copy_file_range has 32 bits for the size; a program goes on where it stopped. */
#define COPY_SIZE_MAX (1ull << 30)

/* ---- reading ---- */

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
    err = tfs_file_read(ll_file_of(fi)->file, (uint64_t)offset, size, &found);
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    ll_reply_pieces(req, found.pieces, found.piece_count);
    tfs_read_release(&found);
}

struct seek {
    fuse_req_t req;
    struct tfs_file *file; /* open until the reply */
    uint64_t offset;
    int whence;
};

static void seek(const struct seek *seek)
{
    int64_t found = tfs_file_seek(seek->file, seek->offset, seek->whence);

    if (found < 0)
        ll_reply_err(seek->req, (int)found);
    else
        ll_reply_offset(seek->req, (uint64_t)found);
}

static void seek_when_pages_are_written(void *argument, uint64_t size)
{
    (void)size;
    seek(argument);
    free(argument);
}

/*
 * Valid replies: offset, error (ENXIO: nothing behind).
 *
 * Only SEEK_DATA and SEEK_HOLE come here, and the kernel does not write back before it asks: cp
 * would take what was stored through a mapping for a hole. To have pages dropped is the one way to
 * have them written; it is done where somebody can have such a mapping.
 */
void ll_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence, struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    const struct seek now = {
        .req = req, .file = ll_file_of(fi)->file, .offset = (uint64_t)offset, .whence = whence};
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
    notifier_push(ll->notifier, &(struct notifier_task){.inode = inode,
                                                        .offset = (uint64_t)offset,
                                                        .size = 0, /* to the end */
                                                        .done = seek_when_pages_are_written,
                                                        .argument = later});
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
    bool is_direct = file->is_direct || (in->flags & O_DIRECT);

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

/*
 * Kernels before 6.14 leave pages that were read beside a direct write as they are, so we have them
 * dropped. Never for pages that the kernel itself writes back: it holds them until the reply.
 */
static bool must_drop_pages(const struct ll *ll, const struct ll_file *file, uint32_t write_flags)
{
    return file->is_direct && !(write_flags & FUSE_WRITE_CACHE) &&
           ll->protocol.kernel_minor < PROTOCOL_MINOR_DROPS_PAGES &&
           inode_hints_has(ll->hints, file->inode, INODE_HINT_PAGES);
}

static void reply_written(void *argument, uint64_t size)
{
    ll_reply_written(argument, size);
}

/* Valid replies: written (all of it), error. */
void ll_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi)
{
    struct ll *ll = ll_of(req);
    struct ll_file *file = ll_file_of(fi);
    const struct fuse_write_in in = current_write();
    bool drops_privileges = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    int64_t written;
    int err;

    ll_file_mark_written(ll, file);
    written = tfs_file_write(file->file, (uint64_t)offset, data, size,
                             drops_privileges ? TFS_WRITE_KILL_PRIVILEGES : 0);
    err = written < 0 ? (int)written : sync_if_asked(ll, file, &in);
    if (err < 0) {
        ll_reply_err(req, err);
        return;
    }
    if (drops_privileges && inode_hints_has(ll->hints, inode, INODE_HINT_SPECIAL))
        ll_forget_attributes(ll, inode);
    if (must_drop_pages(ll, file, in.write_flags))
        notifier_push(ll->notifier, &(struct notifier_task){.inode = inode,
                                                            .offset = (uint64_t)offset,
                                                            .size = (uint64_t)written,
                                                            .done = reply_written,
                                                            .argument = req});
    else
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
    struct ll_file *file = ll_file_of(fi);
    int err;

    (void)inode;
    ll_file_mark_written(ll_of(req), file);
    err = tfs_file_fallocate(file->file, mode, (uint64_t)offset, (uint64_t)size);
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
    copied = tfs_file_copy(&copy);
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
