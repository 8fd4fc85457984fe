#include "fs/ll_reply.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Positive, as libfuse and the wire's negated field want it. */
static int errno_for_kernel(int err)
{
    switch (err) {
    case -EUCLEAN:
    case -EBADMSG:
        return EIO;
    case -ENOSYS:
        return EOPNOTSUPP;
    default:
        return -err;
    }
}

void ll_reply_err(fuse_req_t req, int err)
{
    (void)fuse_reply_err(req, errno_for_kernel(err)); /* an interrupted caller needs none */
}

void ll_reply_none(fuse_req_t req)
{
    fuse_reply_none(req);
}

/* ---- wire formats ---- */

uint64_t ll_attr_stamp(const struct ll *ll)
{
    return inode_hints_stamp(ll->hints);
}

uint64_t ll_attr_timeout(const struct ll *ll, uint64_t inode, uint64_t stamp)
{
    bool is_quiet = inode_hints_is_quiet(ll->hints, inode, stamp);

    return is_quiet && !inode_hints_has_mapper(ll->hints, inode) ? LL_TIMEOUT_S : 0;
}

/* The kernel's 32-bit encoding, new_encode_dev(): 12 bits of major around 20 bits of minor. */
static uint32_t rdev_encode(uint64_t rdev)
{
    uint32_t major_number = major(rdev);
    uint32_t minor_number = minor(rdev);

    return (minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
}

/*
 * What was stored through a mapping is in pages that we do not know. A file without any block would
 * be taken for one hole, without a look (GNU tar -S); with one, programs ask where the data are.
 */
static uint64_t blocks_of(const struct ll *ll, const struct tfs_attr *attr)
{
    enum { PAGE_BLOCKS = 4096 / 512 };

    if (attr->blocks > 0 || attr->size == 0 || !S_ISREG(attr->mode) ||
        !inode_hints_has_mapper(ll->hints, attr->inode))
        return attr->blocks;
    return PAGE_BLOCKS;
}

void ll_attr_fill(struct ll *ll, const struct tfs_attr *attr, struct fuse_attr *ret)
{
    if (S_ISREG(attr->mode) && (attr->mode & (S_ISUID | S_ISGID)))
        inode_hints_set(ll->hints, attr->inode, INODE_HINT_SPECIAL);
    *ret = (struct fuse_attr){
        .ino = attr->inode,
        .size = attr->size,
        .blocks = blocks_of(ll, attr),
        .atime = (uint64_t)attr->atime.tv_sec,
        .mtime = (uint64_t)attr->mtime.tv_sec,
        .ctime = (uint64_t)attr->ctime.tv_sec,
        .atimensec = (uint32_t)attr->atime.tv_nsec,
        .mtimensec = (uint32_t)attr->mtime.tv_nsec,
        .ctimensec = (uint32_t)attr->ctime.tv_nsec,
        .mode = attr->mode,
        .nlink = attr->nlink,
        .uid = attr->uid,
        .gid = attr->gid,
        .rdev = rdev_encode(attr->rdev),
        .blksize = attr->block_size,
    };
}

void ll_entry_fill(struct ll *ll, const struct tfs_attr *attr, uint64_t timeout_s,
                   struct fuse_entry_out *ret)
{
    *ret = (struct fuse_entry_out){
        .nodeid = attr->inode,
        .generation = attr->generation,
        .entry_valid = LL_TIMEOUT_S,
        .attr_valid = timeout_s,
    };
    ll_attr_fill(ll, attr, &ret->attr);
}

static void open_fill(const struct ll_file *file, struct fuse_open_out *ret)
{
    *ret = (struct fuse_open_out){.fh = (uintptr_t)file, .open_flags = file->open_flags};
}

/* ---- replies ---- */

/* fuse_reply_buf() sends any bytes as the answer: it is how FOPEN_ flags that fill_open() of
 * libfuse 3.14 does not know are expressed, and it saves converting to struct stat and back. */
static int reply_bytes(fuse_req_t req, const void *data, size_t size)
{
    return fuse_reply_buf(req, data, size);
}

void ll_reply_attr(fuse_req_t req, const struct tfs_attr *attr, uint64_t timeout_s)
{
    struct fuse_attr_out out = {.attr_valid = timeout_s};

    ll_attr_fill(ll_of(req), attr, &out.attr);
    (void)reply_bytes(req, &out, sizeof(out)); /* nothing was given */
}

void ll_reply_entry(fuse_req_t req, const struct tfs_attr *attr, uint64_t timeout_s)
{
    struct ll *ll = ll_of(req);
    struct fuse_entry_out out;

    ll_entry_fill(ll, attr, timeout_s, &out);
    if (reply_bytes(req, &out, sizeof(out)) == -ENOENT)
        tfs_forget(ll->volume, attr->inode, 1);
    ll_relieve(ll);
}

void ll_reply_no_entry(fuse_req_t req)
{
    const struct fuse_entry_out out = {.entry_valid = LL_TIMEOUT_S}; /* nodeid 0: no such name */

    (void)reply_bytes(req, &out, sizeof(out)); /* nothing was given */
}

void ll_reply_open(fuse_req_t req, struct ll_file *file)
{
    struct ll *ll = ll_of(req);
    struct fuse_open_out out;

    open_fill(file, &out);
    if (reply_bytes(req, &out, sizeof(out)) == -ENOENT)
        ll_file_close(ll, file);
}

void ll_reply_create(fuse_req_t req, const struct tfs_attr *attr, struct ll_file *file)
{
    struct ll *ll = ll_of(req);
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;

    ll_entry_fill(ll, attr, LL_TIMEOUT_S, &out.entry);
    open_fill(file, &out.open);
    if (reply_bytes(req, &out, sizeof(out)) == -ENOENT) {
        ll_file_close(ll, file);
        tfs_forget(ll->volume, attr->inode, 1);
    }
    ll_relieve(ll);
}

void ll_reply_opendir(fuse_req_t req, struct ll_directory *directory)
{
    const struct fuse_open_out out = {.fh = (uintptr_t)directory};
    struct ll *ll = ll_of(req);

    if (reply_bytes(req, &out, sizeof(out)) == -ENOENT)
        ll_directory_close(ll, directory);
}

bool ll_reply_buffer(fuse_req_t req, const void *data, size_t size)
{
    return reply_bytes(req, data, size) != -ENOENT;
}

void ll_reply_pieces(fuse_req_t req, const struct iovec *pieces, int count)
{
    (void)fuse_reply_iov(req, pieces, count); /* nothing was given */
}

void ll_reply_written(fuse_req_t req, size_t size)
{
    (void)fuse_reply_write(req, size); /* nothing was given */
}

void ll_reply_readlink(fuse_req_t req, const char *target)
{
    (void)fuse_reply_readlink(req, target); /* nothing was given */
}

void ll_reply_statfs(fuse_req_t req, const struct statvfs *status)
{
    (void)fuse_reply_statfs(req, status); /* nothing was given */
}

void ll_reply_xattr_size(fuse_req_t req, size_t size)
{
    (void)fuse_reply_xattr(req, size); /* nothing was given */
}

void ll_reply_offset(fuse_req_t req, uint64_t offset)
{
    (void)fuse_reply_lseek(req, (off_t)offset); /* nothing was given */
}

void ll_reply_never(struct ll *ll, uint64_t unique)
{
    struct fuse_out_header header = {.len = sizeof(header), .error = -ENOSYS, .unique = unique};
    const struct iovec iov = {&header, sizeof(header)};

    (void)protocol_writev(&ll->protocol, ll->fd, &iov, 1); /* if not, it comes again */
}

int ll_reply_raw(struct ll *ll, uint64_t unique, int err, const void *data, size_t size)
{
    struct fuse_out_header header = {.unique = unique, .error = -errno_for_kernel(err)};
    struct iovec iov[2] = {{&header, sizeof(header)}};
    int count = 1;

    if (err == 0 && size > 0) {
        memcpy(&iov[1].iov_base, &data, sizeof(data)); /* writev(2) only reads it */
        iov[1].iov_len = size;
        count = 2;
    } else {
        size = 0;
    }
    header.len = (uint32_t)(sizeof(header) + size);
    return protocol_writev(&ll->protocol, ll->fd, iov, count) < 0 ? -errno : 0;
}
