#include "fs/notifier.h"

#include "store/base/error.h"
#include "store/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct notifier {
    struct tfs_mutex lock;   /* rank TFS_RANK_FS_LOOP */
    struct tfs_cond changed; /* a task came, or is_ending */
    struct list tasks;       /* guarded by lock; oldest first */
    bool is_ending;          /* guarded by lock */
    pthread_t thread;        /* immutable */
};

/* Returns NULL when there will be none any more. */
static struct notifier_task *pop(struct notifier *notifier)
{
    struct list *node;

    tfs_mutex_lock(&notifier->lock);
    while (list_is_empty(&notifier->tasks) && !notifier->is_ending)
        tfs_cond_wait(&notifier->changed, &notifier->lock);
    node = list_pop_front(&notifier->tasks);
    tfs_mutex_unlock(&notifier->lock);
    return node ? list_entry(node, struct notifier_task, node) : NULL;
}

static void *notifier_main(void *context)
{
    struct notifier *notifier = context;
    struct notifier_task *task;

    while ((task = pop(notifier)) != NULL)
        task->run(task, true);
    return NULL;
}

int notifier_new(struct notifier **ret)
{
    struct notifier *notifier = calloc(1, sizeof(*notifier));
    sigset_t all;
    sigset_t before;
    int err;

    if (!notifier)
        return tfs_fail(-ENOMEM, "notifier");
    tfs_mutex_init(&notifier->lock, TFS_RANK_FS_LOOP);
    tfs_cond_init(&notifier->changed);
    list_init(&notifier->tasks);

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
    assert(notifier->is_ending && list_is_empty(&notifier->tasks));
    tfs_cond_release(&notifier->changed);
    tfs_mutex_release(&notifier->lock);
    free(notifier);
}

void notifier_push(struct notifier *notifier, struct notifier_task *task)
{
    bool is_ending;

    tfs_mutex_lock(&notifier->lock);
    is_ending = notifier->is_ending;
    if (!is_ending) {
        list_push_back(&notifier->tasks, &task->node);
        tfs_cond_signal(&notifier->changed);
    }
    tfs_mutex_unlock(&notifier->lock);
    if (is_ending)
        task->run(task, false);
}
