/*
 * The thread that tells the kernel about its cache: to drop pages, or that a file has grown. What
 * waits for that is answered by it. What the store changes by itself is told by it, too.
 *
 * It is never done from a request's thread: the kernel may have to wait for a page that is locked
 * by a READ or a WRITE, and that may wait for the very thread that tells.
 */
#ifndef TFS_FS_NOTIFIER_H
#define TFS_FS_NOTIFIER_H

#include "store/base/list.h"

struct notifier;

/* Lies in what the task is about; the callee's from the push until `run` has it. */
struct notifier_task {
    struct list node;
    /* Tells the kernel, unless `may_tell` is false, does what waits for that, and frees the task.
     * On the notifier's thread, one task after the other, in the order of the pushes. */
    void (*run)(struct notifier_task *task, bool may_tell);
};

/* Starts the thread. Ownership: returned; notifier_stop(), notifier_free(), which accept NULL.
 * Errors: -ENOMEM, -EAGAIN. */
TFS_MUST_CHECK int notifier_new(struct notifier **ret);

/*
 * Runs what is queued, then ends the thread; tasks that come later are run at once by who pushes
 * them, without telling. To be called while READs are still served: the kernel may be waiting for
 * one.
 */
void notifier_stop(struct notifier *notifier);

/* Only after notifier_stop(). */
void notifier_free(struct notifier *notifier);

/* Never waits. There are no more tasks than requests that wait for them, and changes that the store
 * has told. Threads: any; without a lock but that of upcalls.h. */
void notifier_push(struct notifier *notifier, struct notifier_task *task);

#endif
