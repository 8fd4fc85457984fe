#include "fs/notifier.h"

#include "store/base/error.h"
#include "store/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { TASKS_MAX = 1024 };

struct notifier {
    struct tfs_mutex lock;                 /* rank TFS_RANK_FS_LOOP */
    struct tfs_cond changed;               /* a task came or went, or is_ending */
    struct notifier_task tasks[TASKS_MAX]; /* guarded by lock; a ring */
    unsigned first;                        /* guarded by lock */
    unsigned count;                        /* guarded by lock */
    bool is_ending;                        /* guarded by lock */
    notifier_invalidate_pages *invalidate; /* immutable */
    void *context;                         /* immutable */
    pthread_t thread;                      /* immutable */
};

/* Returns false when there will be none any more. */
static bool pop(struct notifier *notifier, struct notifier_task *ret)
{
    bool found;

    tfs_mutex_lock(&notifier->lock);
    while (notifier->count == 0 && !notifier->is_ending)
        tfs_cond_wait(&notifier->changed, &notifier->lock);
    found = notifier->count > 0;
    if (found) {
        *ret = notifier->tasks[notifier->first];
        notifier->first = (notifier->first + 1) % TASKS_MAX;
        notifier->count--;
        tfs_cond_broadcast(&notifier->changed);
    }
    tfs_mutex_unlock(&notifier->lock);
    return found;
}

static void *notifier_main(void *context)
{
    struct notifier *notifier = context;
    struct notifier_task task;

    while (pop(notifier, &task)) {
        /* -ENOENT: the kernel does not know the inode any more and has no pages of it. Any other
         * error means that the connection is gone, and its cache with it. */
        (void)notifier->invalidate(notifier->context, task.inode, task.offset, task.size);
        task.done(task.argument, task.size);
    }
    return NULL;
}

int notifier_new(notifier_invalidate_pages *invalidate, void *context, struct notifier **ret)
{
    struct notifier *notifier = calloc(1, sizeof(*notifier));
    sigset_t all;
    sigset_t before;
    int err;

    if (!notifier)
        return tfs_fail(-ENOMEM, "notifier");
    tfs_mutex_init(&notifier->lock, TFS_RANK_FS_LOOP);
    tfs_cond_init(&notifier->changed);
    notifier->invalidate = invalidate;
    notifier->context = context;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    err = -pthread_create(&notifier->thread, NULL, notifier_main, notifier);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err < 0) {
        tfs_cond_release(&notifier->changed);
        tfs_mutex_release(&notifier->lock);
        free(notifier);
        return tfs_fail(err, "thread of the notifier");
    }
    *ret = notifier;
    return 0;
}

void notifier_stop(struct notifier *notifier)
{
    if (!notifier)
        return;
    tfs_mutex_lock(&notifier->lock);
    notifier->is_ending = true;
    tfs_cond_broadcast(&notifier->changed);
    tfs_mutex_unlock(&notifier->lock);
    (void)pthread_join(notifier->thread, NULL);
}

void notifier_free(struct notifier *notifier)
{
    if (!notifier)
        return;
    assert(notifier->is_ending && notifier->count == 0);
    tfs_cond_release(&notifier->changed);
    tfs_mutex_release(&notifier->lock);
    free(notifier);
}

void notifier_push(struct notifier *notifier, const struct notifier_task *task)
{
    bool is_ending;

    tfs_mutex_lock(&notifier->lock);
    while (notifier->count == TASKS_MAX && !notifier->is_ending)
        tfs_cond_wait(&notifier->changed, &notifier->lock);
    is_ending = notifier->is_ending;
    if (!is_ending) {
        notifier->tasks[(notifier->first + notifier->count) % TASKS_MAX] = *task;
        notifier->count++;
        tfs_cond_broadcast(&notifier->changed);
    }
    tfs_mutex_unlock(&notifier->lock);
    if (is_ending)
        task->done(task->argument, task->size);
}
