/*
 * Replies. Nothing else in fs/ calls fuse_reply_*() or writes to the device.
 *
 * An error is a negative errno of the store. What has no meaning to a program is translated: damage
 * (-EUCLEAN, -EBADMSG) is EIO, and -ENOSYS, which would make the kernel never ask again,
 * EOPNOTSUPP.
 *
 * A reply can fail in one way that matters: -ENOENT, the caller was interrupted and will never
 * learn of the handle or the lookup count that it was given. Those who give some return it.
 */
#ifndef TFS_FS_LL_REPLY_H
#define TFS_FS_LL_REPLY_H

#include "fs/ll_handle.h"

/* err: 0 or a negative errno. */
void ll_reply_err(fuse_req_t req, int err);

/* Nothing is sent: FORGET. */
void ll_reply_none(fuse_req_t req);

void ll_reply_attr(fuse_req_t req, const struct tfs_attr *attr, uint64_t timeout_s);

/* The name is there, with one lookup counted; given back here when the caller was interrupted. */
void ll_reply_entry(fuse_req_t req, const struct tfs_attr *attr, uint64_t timeout_s);

/* The name is not there, and the kernel may remember that. */
void ll_reply_no_entry(fuse_req_t req);

/* Closes the file when the caller was interrupted. Given: file. */
void ll_reply_open(fuse_req_t req, struct ll_file *file);
void ll_reply_create(fuse_req_t req, const struct tfs_attr *attr, struct ll_file *file);
/* `directory` may be NULL. Closes it when the caller was interrupted. Given: directory. */
void ll_reply_opendir(fuse_req_t req, struct ll_directory *directory);

/* Returns false when the caller was interrupted. */
bool ll_reply_buffer(fuse_req_t req, const void *data, size_t size);
void ll_reply_pieces(fuse_req_t req, const struct iovec *pieces, int count);
void ll_reply_written(fuse_req_t req, size_t size);
void ll_reply_readlink(fuse_req_t req, const char *target);
void ll_reply_statfs(fuse_req_t req, const struct statvfs *status);
void ll_reply_xattr_size(fuse_req_t req, size_t size);
void ll_reply_offset(fuse_req_t req, uint64_t offset);

/* The answer to a request that libfuse never saw: err, or `size` bytes of data. Returns 0 or the
 * negative errno of writev(2). */
int ll_reply_raw(struct ll *ll, uint64_t unique, int err, const void *data, size_t size);

/* Requests of this kind are not to come again. */
void ll_reply_never(struct ll *ll, uint64_t unique);

/* How long the kernel may keep attributes: take a stamp, fetch them, ask. */
uint64_t ll_attr_stamp(const struct ll *ll);
uint64_t ll_attr_timeout(const struct ll *ll, uint64_t inode, uint64_t stamp);

/* Wire formats. Fills all of *ret. Notes setuid files in the hints. */
void ll_attr_fill(struct ll *ll, const struct tfs_attr *attr, struct fuse_attr *ret);
void ll_entry_fill(struct ll *ll, const struct tfs_attr *attr, uint64_t timeout_s,
                   struct fuse_entry_out *ret);

#endif
