/*
 * The thread that tells the kernel to drop pages of its cache, and then runs what waits for that.
 *
 * It is never done from a request's thread: the kernel may have to wait for a page that is locked
 * by a READ, and that READ may wait for the very thread that tells.
 */
#ifndef TFS_FS_NOTIFIER_H
#define TFS_FS_NOTIFIER_H

#include "store/base/defs.h"

#include <sys/types.h>

struct notifier;

/* Tell the kernel to drop a range of pages. Returns 0 or a negative errno. */
typedef int notifier_invalidate_pages(void *context, uint64_t inode, uint64_t offset,
                                      uint64_t size);

struct notifier_task {
    uint64_t inode;
    uint64_t offset;
    uint64_t size; /* 0: all from `offset` on */
    /* Runs on the notifier's thread when the pages are gone; sends the reply. */
    void (*done)(void *argument, uint64_t size);
    void *argument;
};

/* Starts the thread. Ownership: returned; notifier_stop(), notifier_free(),
 * which accept NULL. Errors: -ENOMEM, -EAGAIN. */
TFS_MUST_CHECK int notifier_new(notifier_invalidate_pages *invalidate, void *context,
                                struct notifier **ret);

/*
 * Does what is queued, then ends the thread; tasks that come later are done without telling. To be
 * called while READs are still served: the kernel may be waiting for one.
 */
void notifier_stop(struct notifier *notifier);

/* Only after notifier_stop(). */
void notifier_free(struct notifier *notifier);

/* Queue a task. Waits while the queue is full; so never from within `done`. Threads: any. */
void notifier_push(struct notifier *notifier, const struct notifier_task *task);

#endif
