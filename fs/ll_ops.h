/*
 * The operations: one function a request, called by ll_dispatch.c alone. The comment at each
 * definition lists its valid replies.
 */
#ifndef TFS_FS_LL_OPS_H
#define TFS_FS_LL_OPS_H

#include "fs/ll.h"

void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_forget(fuse_req_t req, fuse_ino_t inode, uint64_t count);
void ll_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void ll_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
void ll_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int to_set,
                struct fuse_file_info *fi);
void ll_statfs(fuse_req_t req, fuse_ino_t inode);

void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void ll_readlink(fuse_req_t req, fuse_ino_t inode);
void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags);
void ll_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name);

void ll_opendir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
void ll_releasedir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
void ll_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t cookie,
                struct fuse_file_info *fi);
void ll_readdirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t cookie,
                    struct fuse_file_info *fi);
void ll_fsyncdir(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi);

void ll_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi);
void ll_release_file(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);

/*
 * A READ is tried before it is served, on the thread that will serve it: returns whether ll_read()
 * will answer at once, for what is in memory is held for it, or for there is nothing to be read.
 * What ll_read() has not taken is dropped behind the request.
 */
bool ll_try_read(const struct fuse_in_header *header, size_t size);
void ll_drop_tried_read(void);

void ll_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *fi);
void ll_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi);
void ll_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi);
void ll_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi);
void ll_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t size,
                  struct fuse_file_info *fi);
void ll_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence,
              struct fuse_file_info *fi);

void ll_getxattr(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size);
void ll_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size);
void ll_removexattr(fuse_req_t req, fuse_ino_t inode, const char *name);

/* One line in the log for an attribute of ours that could not be set or removed (no value): a
 * number is all that the kernel takes for an answer. */
void ll_xattr_explain(uint64_t inode, const struct tfs_xattr *xattr, int err);

/* ---- requests from their bytes ---- */

struct ll_raw_request {
    struct ll *ll;
    const struct fuse_in_header *header;
    const char *body;
    size_t body_size;
};

void ll_copy_file_range(const struct ll_raw_request *raw);
void ll_ioctl(const struct ll_raw_request *raw);

/* Serve a request that libfuse 3.14 does not know, or gets wrong. Returns false for all others. */
bool ll_raw(struct ll *ll, const struct fuse_in_header *header, size_t size);

#endif
