/*
 * The mount's operations: FUSE requests in, calls of store/store.h out.
 *
 * From the bottom up, each calls only what is below it:
 *
 *   ll.c            what all share: the mount's state, the request in progress
 *   ll_privileges.c ll_cache.c   setgid of strangers; the kernel's page cache
 *   ll_handle.c     open handles
 *   ll_reply.c      the only place that turns results into replies
 *   ll_attr.c ll_namespace.c ll_directory.c ll_open.c ll_file.c ll_ioctl.c ll_xattr.c
 *                   the operations, one file a topic (ll_ops.h)
 *   ll_raw.c        the requests that libfuse 3.14 does not know
 *   ll_dispatch.c   requests to operations
 *
 * Every path of an operation replies exactly once; after that the request must not be touched.
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
    struct notifier_task relieve; /* whose who set is_relieving */
    atomic_bool is_relieving;
    struct inode_hints *hints;
    struct open_inodes inodes;
    void *unreadable;            /* a page of memory that nobody may read */
    struct tfs_mutex files_lock; /* rank TFS_RANK_FS_LOOP */
    struct list files;           /* guarded by files_lock; open handles */
    struct list directories;     /* likewise; of 32-bit programs */
};

static inline struct ll *ll_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* ---- life ---- */

/* Errors: -ENOMEM, -EAGAIN. */
TFS_MUST_CHECK int ll_init(struct ll *ll, struct tfs_volume *volume);

/* No page of the kernel's cache is dropped any more. Before the loop ends. */
void ll_stop(struct ll *ll);

/* After ll_stop(), when all handles are closed (ll_handle.h) and the session is gone. */
void ll_release(struct ll *ll);

/* ---- the request in progress ---- */

/* Around the serving of a request. */
void ll_request_begin(const struct fuse_in_header *header);
void ll_request_end(void);

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

/* ---- telling the kernel ---- */

/* The kernel's copy of the inode's attributes is wrong. Threads: any, also a request's own. */
void ll_forget_attributes(struct ll *ll, uint64_t inode);

/* Only on the notifier's thread. size 0: all from the offset on. Pages that were stored to are
 * written back first. */
void ll_drop_pages(struct ll *ll, uint64_t inode, uint64_t offset, uint64_t size);

/* The kernel was given inodes. When it remembers too many it is asked to forget some, later: see
 * ll_relieve.c. */
void ll_relieve(struct ll *ll);

#endif
