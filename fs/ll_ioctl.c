/* ioctl(2) on an open file: fs/ioctl.h. */
#include "fs/ll.h"

#include "fs/ioctl.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int block_crcs(const struct ll_file *file, struct tfs_block_crcs *crcs)
{
    uint32_t block_size;
    int count;

    if (!file->is_readable)
        return -EBADF;
    if (crcs->count_max == 0 || crcs->count_max > TFS_BLOCK_CRCS_MAX || crcs->flags != 0)
        return -EINVAL;
    count =
        tfs_file_block_checksums(file->file, crcs->offset, crcs->crc, crcs->count_max, &block_size);
    if (count < 0)
        return count;
    crcs->count = (uint32_t)count;
    crcs->block_size = block_size;
    return 0;
}

/* Valid replies: ioctl, error. */
void ll_ioctl(fuse_req_t req, fuse_ino_t inode, unsigned command, void *argument,
              struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
              size_t out_size)
{
    struct tfs_block_crcs *crcs;
    int err;

    (void)inode;
    (void)argument; /* an address of the caller's; the kernel has copied what it points at */
    if (command != TFS_IOC_BLOCK_CRCS || (flags & FUSE_IOCTL_DIR)) {
        ll_reply_err(req, -ENOTTY);
        return;
    }
    if (in_size < sizeof(*crcs) || out_size < sizeof(*crcs)) {
        ll_reply_err(req, -EINVAL);
        return;
    }
    crcs = malloc(sizeof(*crcs));
    if (!crcs) {
        ll_reply_err(req, -ENOMEM);
        return;
    }
    memcpy(crcs, in, sizeof(*crcs));
    err = block_crcs(ll_file_of(fi), crcs);
    if (err < 0)
        ll_reply_err(req, err);
    else
        ll_reply_ioctl(req, crcs, sizeof(*crcs));
    free(crcs);
}
