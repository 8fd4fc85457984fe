/*
 * Open handles: those of files, and those of directories that 32-bit programs read.
 */
#ifndef TFS_FS_LL_HANDLE_H
#define TFS_FS_LL_HANDLE_H

#include "fs/ll.h"
#include "fs/short_cookies.h"

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

static inline struct ll_file *ll_file_of(const struct fuse_file_info *fi)
{
    return (struct ll_file *)(uintptr_t)fi->fh;
}

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

/* ---- directories ---- */

/* An open directory of a 32-bit program. */
struct ll_directory {
    struct list node; /* guarded by ll->files_lock */
    struct short_cookies cookies;
};

/* Errors: -ENOMEM. Ownership: returned; ll_directory_close(), which accepts NULL. */
TFS_MUST_CHECK int ll_directory_open(struct ll *ll, struct ll_directory **ret);
void ll_directory_close(struct ll *ll, struct ll_directory *directory);

/* ---- life ---- */

/* Closes what the kernel has left open. After ll_stop(), and after the loop has ended. */
void ll_close_handles(struct ll *ll);

#endif
