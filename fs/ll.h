/*
 * The mount's operations: FUSE requests in, calls of store/store.h out.
 *
 * One file a topic: ll_attr.c, ll_namespace.c, ll_directory.c, ll_file.c, ll_open.c, ll_ioctl.c,
 * ll_xattr.c, and ll_raw.c for the requests that libfuse 3.14 does not know. ll_reply.c is the only
 * place that turns results into replies. Every path of an operation replies exactly once; after
 * that the request must not be touched.
 *
 * We are the only writer of the store, so the kernel may keep names, attributes and pages until we
 * say otherwise. What it does not see by itself:
 *
 *   a file's blocks change when its data are compressed   -> attributes of an inode with a handle
 *                                                            that was written to live 0 seconds
 *   setuid dropped by a write                             -> attributes are invalidated at once
 *   writes past the page cache                            -> open_inode.h
 *
 * And what we do not see by ourselves:
 *
 *   stores into mapped pages, until they are written back -> before a question for holes, and
 *                                                            before a time is set, the kernel is
 *                                                            told to drop, and so to write them
 *
 * Everything else (names through other links, nlink, truncation, punched holes, copied ranges) the
 * kernel does on its own, because all links of an inode are one inode to it.
 */
#ifndef TFS_FS_LL_H
#define TFS_FS_LL_H

#define FUSE_USE_VERSION 314

#include "fs/inode_hints.h"
#include "fs/loop.h"
#include "fs/notifier.h"
#include "fs/open_inode.h"
#include "fs/protocol.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/store.h"

#include <fuse_lowlevel.h>

/* Requests of 1 MiB are the most that libfuse 3.14 and the kernel's default limit allow. */
#define LL_IO_SIZE_MAX (1024u * 1024u)

/* How long the kernel may keep a name, its absence, or attributes: a year. */
#define LL_TIMEOUT_S (365ull * 86400ull)

struct ll {
    struct tfs_volume *volume;          /* immutable; outlives this */
    struct fuse_session *session;       /* immutable after mount_open() */
    const char *control_address;        /* immutable after start; NULL: there is no socket */
    const char *control_second_address; /* likewise; for who does not see the store's directory */
    int fd;                             /* of the session */
    dev_t device;                       /* of the mount; immutable after mount_open() */
    bool is_synchronous;                /* every change; immutable after mount_open() */
    bool names_are_synchronous; /* changes of names, at least; immutable after mount_open() */
    struct protocol protocol;
    struct notifier *notifier;
    struct inode_hints *hints;
    struct open_inodes inodes;
    void *unreadable;            /* a page of memory that nobody may read */
    struct tfs_mutex files_lock; /* rank TFS_RANK_FS_LOOP */
    struct list files;           /* guarded by files_lock; open handles */
    struct list directories;     /* likewise; of 32-bit programs */
};

/* An open file of the kernel's: its address is the handle `fh`. The kernel gives back what it was
 * given, and sends nothing for a handle after its RELEASE. */
struct ll_file {
    struct list node; /* guarded by ll->files_lock */
    struct tfs_file *file;
    struct open_inode *open; /* has entered it with `use` */
    struct open_use use;
    uint64_t inode;
    uint32_t open_flags; /* FOPEN_* */
    bool is_readable;
    bool is_mapper;         /* counts in the hint `mappers` */
    bool is_synchronous;    /* opened with O_SYNC or O_DSYNC, or all are */
    atomic_bool is_written; /* has counted itself into the hint `writers` */

    struct notifier_task opened; /* where the answer to OPEN has to wait */
    fuse_req_t opener;           /* of the task */
};

static inline struct ll *ll_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static inline struct ll_file *ll_file_of(const struct fuse_file_info *fi)
{
    return (struct ll_file *)(uintptr_t)fi->fh;
}

/* ---- life ---- */

/* Errors: -ENOMEM, -EAGAIN. */
TFS_MUST_CHECK int ll_init(struct ll *ll, struct tfs_volume *volume);

/* No page of the kernel's cache is dropped any more. Before the loop ends. */
void ll_stop(struct ll *ll);

/* Closes what the kernel has left open. After ll_stop(), and after the loop has ended. */
void ll_release(struct ll *ll);

/* The operations for fuse_session_new() and the writev/read hooks for fuse_session_custom_io(). */
const struct fuse_lowlevel_ops *ll_operations(void);
const struct fuse_custom_io *ll_custom_io(void);

/* For struct loop_ops; the context is the struct ll. */
bool ll_is_data(void *context, const struct fuse_in_header *header, size_t size);
void ll_process(void *context, struct fuse_in_header *header, size_t size);

/* The request that this thread is serving, as the kernel sent it, or NULL: for what libfuse 3.14
 * does not pass on to the operations. */
const struct fuse_in_header *ll_current_request(void);

/* ---- mount options sync and dirsync ---- */

/*
 * A change of names, or of attributes, was made, or not (err): where the mount is synchronous it
 * becomes durable before it is acknowledged. Returns err, or the error of that. May block.
 */
int ll_settle_names(struct ll *ll, int err);
int ll_settle_attributes(struct ll *ll, int err);

/* ---- open files (ll_open.c) ---- */

/*
 * For the kernel, with the open(2) flags. is_new: the file was made by this open. file->open_flags
 * say how the kernel is to treat it.
 *
 * Errors: -ENOMEM and those of tfs_file_open(). Ownership: returned; ll_file_close().
 */
TFS_MUST_CHECK int ll_file_open(struct ll *ll, uint64_t inode, int flags, bool is_new,
                                struct ll_file **ret);
void ll_file_close(struct ll *ll, struct ll_file *file);

/* The handle changes the file's data: the inode's blocks are in motion until it is closed, and
 * closing it commits. */
void ll_file_mark_written(struct ll *ll, struct ll_file *file);

/* Closing the handle has something to commit. What was stored through a mapping of it the kernel
 * may have written through another handle that is mapped. */
static inline bool ll_file_is_to_commit(const struct ll *ll, const struct ll_file *file)
{
    return file->is_written || (file->is_mapper && inode_hints_has_writer(ll->hints, file->inode));
}

/* The kernel's copy of the inode's attributes is wrong. Threads: any, also a request's own. */
void ll_forget_attributes(struct ll *ll, uint64_t inode);

/* ---- the kernel's cache (ll_cache.c) ---- */

/* Only on the notifier's thread. size 0: all from the offset on. Pages that were stored to are
 * written back first. */
void ll_drop_pages(struct ll *ll, uint64_t inode, uint64_t offset, uint64_t size);

/* Given: the inode. */
void ll_inode_leave(struct ll *ll, struct open_inode *inode, const struct open_use *use,
                    bool is_written);

/* Answers OPEN, when the kernel has no old pages. Given: file. */
void ll_answer_open(fuse_req_t req, struct ll_file *file);

/*
 * A change of an open file's data by a request that is answered when it has ended, and with it the
 * pages that it has made wrong are gone.
 */
struct ll_change {
    struct notifier_task task;
    struct ll *ll;
    struct open_inode *inode; /* the handle is open until the answer */
    struct open_claim claim;
    bool is_claimed;
    bool drops_pages;
    uint64_t drop_offset;
    uint64_t drop_size; /* 0: to the end */
    uint64_t end;       /* the file is at least this long now */
    int64_t result;     /* or a negative errno */
    fuse_req_t req;     /* or */
    uint64_t unique;    /* of a request that libfuse never saw */
    void (*send)(const struct ll_change *change);
};

/* Returns the size before. Claims the range when claim_size > 0: somebody may map the file and
 * store into it while the change is under way. */
uint64_t ll_change_begin(struct ll_change *change, uint64_t claim_offset, uint64_t claim_size);

/* Answers. The change is copied. */
void ll_change_end(struct ll_change *change);

/* An answer that tells a size. */
struct ll_attr_answer {
    struct ll *ll;
    fuse_req_t req;  /* or */
    uint64_t unique; /* of a request that libfuse never saw */
    struct tfs_attr attr;
    uint64_t timeout_s;
    void (*send)(const struct ll_attr_answer *answer);
};

/* Sends it when the kernel has the size, or can tell no difference. The answer is copied. */
void ll_answer_attr(struct ll_attr_answer *answer);

/* Where it cannot wait: at least no size of a change that was not answered. */
void ll_limit_size(struct ll *ll, struct tfs_attr *attr);

/* ---- setgid (ll_privileges.c) ---- */

/* Drops it; the same for the request in progress, if its caller may not keep it. */
TFS_MUST_CHECK int ll_drop_setgid(struct ll *ll, uint64_t inode);
TFS_MUST_CHECK int ll_drop_setgid_of_stranger(struct ll *ll, uint64_t inode);

/* ---- open directories of 32-bit programs (ll_directory.c) ---- */

struct ll_directory;
void ll_directory_close(struct ll *ll, struct ll_directory *directory); /* accepts NULL */
void ll_release_directories(struct ll *ll); /* closes what the kernel has left open */

/* ---- operations, by file ---- */

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
