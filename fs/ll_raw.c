/*
 * Requests that libfuse 3.14 does not know, or gets wrong, answered from their bytes:
 *
 *   SYNCFS     the kernel sends it for some mounts only (virtiofs; fuseblk from Linux 6.18)
 *   TMPFILE    a file without a name
 *   STATX      attributes with the time of birth
 *   SETXATTR   libfuse 3.14.0 takes the newer, longer header for granted, and finds the name 8
 *              bytes too late where the older one is sent; we look at what was agreed
 *   IOCTL, COPY_FILE_RANGE   libfuse passes them on with nine arguments
 *   INTERRUPT  no request is given up half way, and one that waits at the gate is unknown to
 *              libfuse, which would send the interrupt back again and again; the kernel is told
 *              once that it need not ask
 *
 * The bytes are the kernel's, but lengths are checked all the same: a wrong one must not make us
 * read behind the message.
 */
#include "control/attribute.h"
#include "fs/ll_cache.h"
#include "fs/ll_handle.h"
#include "fs/ll_ops.h"
#include "fs/ll_privileges.h"
#include "fs/ll_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* struct fuse_setxattr_in before protocol 7.33, and where FUSE_SETXATTR_EXT was not agreed. */
enum { SETXATTR_IN_SIZE_OLD = 8 };

/* From the protocol 7.39 (linux/fuse.h of Linux 6.6); Debian 12's header ends at 7.38. */
struct statx_in {
    uint32_t getattr_flags;
    uint32_t reserved;
    uint64_t fh;
    uint32_t sx_flags;
    uint32_t sx_mask;
};
struct statx_time {
    int64_t tv_sec;
    uint32_t tv_nsec;
    int32_t reserved;
};
struct statx_out {
    uint64_t attr_valid;
    uint32_t attr_valid_nsec;
    uint32_t flags;
    uint64_t spare[2];
    struct {
        uint32_t mask;
        uint32_t blksize;
        uint64_t attributes;
        uint32_t nlink;
        uint32_t uid;
        uint32_t gid;
        uint16_t mode;
        uint16_t spare0;
        uint64_t ino;
        uint64_t size;
        uint64_t blocks;
        uint64_t attributes_mask;
        struct statx_time atime;
        struct statx_time btime;
        struct statx_time ctime;
        struct statx_time mtime;
        uint32_t rdev_major;
        uint32_t rdev_minor;
        uint32_t dev_major;
        uint32_t dev_minor;
        uint64_t spare2[14];
    } stat;
};
_Static_assert(sizeof(struct statx_out) == 288, "the size on the wire");

static void reply(const struct ll_raw_request *raw, int err, const void *data, size_t size)
{
    (void)ll_reply_raw(raw->ll, raw->header->unique, err, data, size); /* nothing was given */
}

/* The terminated text at `offset` of the body, or NULL. */
static const char *text_at(const struct ll_raw_request *raw, size_t offset)
{
    const char *text = raw->body + offset;

    if (offset >= raw->body_size || !memchr(text, '\0', raw->body_size - offset))
        return NULL;
    return text;
}

static void raw_syncfs(const struct ll_raw_request *raw)
{
    reply(raw, tfs_volume_sync(raw->ll->volume), NULL, 0);
}

static void raw_tmpfile(const struct ll_raw_request *raw)
{
    struct ll *ll = raw->ll;
    struct fuse_create_in in;
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;
    struct tfs_attr attr;
    struct ll_file *file;
    int err;

    if (raw->body_size < sizeof(in)) {
        reply(raw, -EINVAL, NULL, 0);
        return;
    }
    memcpy(&in, raw->body, sizeof(in));
    err = tfs_make_unnamed(ll->volume, raw->header->nodeid,
                           &(struct tfs_make){.mode = (in.mode & ~(uint32_t)S_IFMT) | S_IFREG,
                                              .umask = in.umask,
                                              .uid = raw->header->uid,
                                              .gid = raw->header->gid},
                           &attr);
    if (err < 0) {
        reply(raw, err, NULL, 0);
        return;
    }
    /* Such a file is new and nobody else can have it open: as with O_EXCL. */
    err = ll_file_open(ll, attr.inode, ((int)in.flags & O_ACCMODE) | O_EXCL, true, &file);
    if (err < 0) {
        tfs_forget(ll->volume, attr.inode, 1);
        reply(raw, err, NULL, 0);
        return;
    }
    out.open = (struct fuse_open_out){.fh = (uintptr_t)file, .open_flags = file->open_flags};
    ll_entry_fill(ll, &attr, LL_TIMEOUT_S, &out.entry);
    if (ll_reply_raw(ll, raw->header->unique, 0, &out, sizeof(out)) == -ENOENT) {
        ll_file_close(ll, file);
        tfs_forget(ll->volume, attr.inode, 1);
    }
}

static struct statx_time statx_time_of(const struct timespec *time)
{
    return (struct statx_time){.tv_sec = time->tv_sec, .tv_nsec = (uint32_t)time->tv_nsec};
}

static void send_statx(const struct ll_attr_answer *answer)
{
    const struct tfs_attr *attr = &answer->attr;
    struct statx_out out;
    struct fuse_attr checked;

    ll_attr_fill(answer->ll, attr, &checked); /* for the blocks, and the hint of setuid files */
    memset(&out, 0, sizeof(out));
    out.attr_valid = answer->timeout_s;
    out.stat.mask = STATX_BASIC_STATS | STATX_BTIME;
    out.stat.blksize = attr->block_size;
    out.stat.nlink = attr->nlink;
    out.stat.uid = attr->uid;
    out.stat.gid = attr->gid;
    out.stat.mode = (uint16_t)attr->mode;
    out.stat.ino = attr->inode;
    out.stat.size = attr->size;
    out.stat.blocks = checked.blocks;
    out.stat.atime = statx_time_of(&attr->atime);
    out.stat.btime = statx_time_of(&attr->btime);
    out.stat.ctime = statx_time_of(&attr->ctime);
    out.stat.mtime = statx_time_of(&attr->mtime);
    out.stat.rdev_major = major(attr->rdev);
    out.stat.rdev_minor = minor(attr->rdev);
    (void)ll_reply_raw(answer->ll, answer->unique, 0, &out, sizeof(out)); /* nothing was given */
}

static void raw_statx(const struct ll_raw_request *raw)
{
    struct ll_attr_answer answer = {
        .ll = raw->ll, .unique = raw->header->unique, .send = send_statx};
    uint64_t stamp = ll_attr_stamp(raw->ll);
    int err = tfs_getattr(raw->ll->volume, raw->header->nodeid, &answer.attr);

    if (err < 0) {
        reply(raw, err, NULL, 0);
        return;
    }
    answer.timeout_s = ll_attr_timeout(raw->ll, answer.attr.inode, stamp);
    ll_answer_attr(&answer);
}

static int setxattr(const struct ll_raw_request *raw)
{
    struct fuse_setxattr_in in = {0};
    bool is_extended = protocol_has(&raw->ll->protocol, FUSE_SETXATTR_EXT);
    size_t in_size = is_extended ? sizeof(in) : SETXATTR_IN_SIZE_OLD;
    struct tfs_xattr xattr;
    size_t value_offset;
    int err;

    if (raw->body_size < in_size)
        return -EINVAL;
    memcpy(&in, raw->body, in_size);
    xattr.name = text_at(raw, in_size);
    if (!xattr.name)
        return -EINVAL;
    value_offset = in_size + strlen(xattr.name) + 1;
    if (in.size > raw->body_size - value_offset)
        return -EINVAL;
    xattr.value = raw->body + value_offset;
    xattr.size = in.size;
    xattr.flags = (int)in.flags;
    err = control_attribute_is_computed(xattr.name)
              ? -EPERM
              : tfs_setxattr(raw->ll->volume, raw->header->nodeid, &xattr);
    ll_xattr_explain(raw->header->nodeid, &xattr, err);
    err = ll_settle_attributes(raw->ll, err);
    /* An ACL set by one who is not in the file's group, and may not keep setgid. */
    if (err == 0 && (in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID))
        err = ll_drop_setgid(raw->ll, raw->header->nodeid);
    return err;
}

bool ll_raw(struct ll *ll, const struct fuse_in_header *header, size_t size)
{
    const struct ll_raw_request raw = {
        .ll = ll,
        .header = header,
        .body = (const char *)(header + 1),
        .body_size = size - sizeof(*header),
    };

    switch (header->opcode) {
    case FUSE_INTERRUPT:
        ll_reply_never(ll, header->unique);
        return true;
    case FUSE_SYNCFS:
        raw_syncfs(&raw);
        return true;
    case FUSE_TMPFILE:
        raw_tmpfile(&raw);
        return true;
    case PROTOCOL_OPCODE_STATX:
        raw_statx(&raw);
        return true;
    case FUSE_IOCTL:
        ll_ioctl(&raw);
        return true;
    case FUSE_COPY_FILE_RANGE:
        ll_copy_file_range(&raw);
        return true;
    case FUSE_SETXATTR:
        reply(&raw, setxattr(&raw), NULL, 0);
        return true;
    default:
        return false;
    }
}
