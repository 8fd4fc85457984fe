/* ioctl(2) on an open file: fs/ioctl.h. */
#include "fs/ioctl.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_reply.h"

#include <errno.h>
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

struct crcs_out {
    struct fuse_ioctl_out out; /* all zero: done, result 0 */
    struct tfs_block_crcs crcs;
};

static int ioctl_file(const struct ll_raw_request *raw, struct crcs_out *answer)
{
    struct fuse_ioctl_in in;

    if (raw->body_size < sizeof(in))
        return -EINVAL;
    memcpy(&in, raw->body, sizeof(in));
    if (in.cmd != TFS_IOC_BLOCK_CRCS || (in.flags & FUSE_IOCTL_DIR))
        return -ENOTTY;
    if (in.in_size < sizeof(answer->crcs) || in.out_size < sizeof(answer->crcs) ||
        raw->body_size - sizeof(in) < sizeof(answer->crcs))
        return -EINVAL;
    memcpy(&answer->crcs, raw->body + sizeof(in), sizeof(answer->crcs));
    return block_crcs((const struct ll_file *)(uintptr_t)in.fh, &answer->crcs);
}

/* Valid replies: ioctl, error. */
void ll_ioctl(const struct ll_raw_request *raw)
{
    struct crcs_out answer = {.out = {.result = 0}};
    int err = ioctl_file(raw, &answer);

    (void)ll_reply_raw(raw->ll, raw->header->unique, err, &answer,
                       sizeof(answer)); /* nothing was given */
}
