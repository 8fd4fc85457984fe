/*
 * Worker threads. Invariants:
 *
 * 1. An urgent job never waits behind an idle one.
 * 2. Every submitted job is run exactly once, also during tfs_workers_free(); an idle job that
 * comes too late gets no scratch and only cleans up after itself.
 */
#include "store/base/workers.h"

#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    struct tfs_workers *pool;
    void *scratch;
};

struct tfs_workers {
    struct tfs_mutex lock;                   /* rank TFS_RANK_POOL */
    struct tfs_cond work;                    /* a job came, or stopping */
    struct list queues[TFS_JOB_CLASS_COUNT]; /* guarded by lock */
    bool stopping;                           /* guarded by lock */
    struct tfs_workers_options options;      /* immutable */
    unsigned started;                        /* immutable after new */
    struct worker workers[];
};

static struct tfs_job *take_job_locked(struct tfs_workers *pool) TFS_REQUIRES(&pool->lock)
{
    for (int class = 0; class < TFS_JOB_CLASS_COUNT; class ++) {
        struct list *node = list_pop_front(&pool->queues[class]);

        if (node)
            return list_entry(node, struct tfs_job, node);
        if (pool->stopping)
            return NULL; /* idle jobs are cleaned up by tfs_workers_free() */
    }
    return NULL;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct tfs_workers *pool = worker->pool;
    struct tfs_job *job;

    for (;;) {
        tfs_mutex_lock(&pool->lock);
        while (!(job = take_job_locked(pool)) && !pool->stopping)
            tfs_cond_wait(&pool->work, &pool->lock);
        tfs_mutex_unlock(&pool->lock);
        if (!job)
            return NULL;
        job->run(job, worker->scratch);
    }
}

/* Signals are for the thread that waits for them, never for a worker. */
static int start_thread(struct worker *worker)
{
    sigset_t all;
    sigset_t before;
    int err;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&worker->thread, NULL, worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return tfs_fail(-err, "cannot start a worker thread");
    (void)pthread_setname_np(worker->thread, worker->pool->options.name); /* cosmetic */
    return 0;
}

int tfs_workers_new(const struct tfs_workers_options *options, struct tfs_workers **ret)
{
    struct tfs_workers *pool;
    int err = 0;

    assert(options->thread_count > 0);
    pool = calloc(1, sizeof(*pool) + options->thread_count * sizeof(pool->workers[0]));
    if (!pool)
        return -ENOMEM;
    pool->options = *options;
    tfs_mutex_init(&pool->lock, TFS_RANK_POOL);
    tfs_cond_init(&pool->work);
    for (int class = 0; class < TFS_JOB_CLASS_COUNT; class ++)
        list_init(&pool->queues[class]);

    for (unsigned i = 0; i < options->thread_count && !err; i++) {
        struct worker *worker = &pool->workers[i];

        worker->pool = pool;
        err = options->scratch_new(options->context, &worker->scratch);
        if (err)
            break;
        err = start_thread(worker);
        if (err)
            options->scratch_free(worker->scratch);
        else
            pool->started++;
    }
    if (err) {
        tfs_workers_free(pool);
        return err;
    }
    *ret = pool;
    return 0;
}

void tfs_workers_free(struct tfs_workers *pool)
{
    struct list *node;

    if (!pool)
        return;
    tfs_mutex_lock(&pool->lock);
    pool->stopping = true;
    tfs_cond_broadcast(&pool->work);
    tfs_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++) {
        (void)pthread_join(pool->workers[i].thread, NULL); /* cannot fail: joinable, once */
        pool->options.scratch_free(pool->workers[i].scratch);
    }
    while ((node = list_pop_front(&pool->queues[TFS_JOB_IDLE]))) {
        struct tfs_job *job = list_entry(node, struct tfs_job, node);

        job->run(job, NULL);
    }
    tfs_cond_release(&pool->work);
    tfs_mutex_release(&pool->lock);
    free(pool);
}

void tfs_workers_submit(struct tfs_workers *pool, struct tfs_job *job, enum tfs_job_class class)
{
    tfs_mutex_lock(&pool->lock);
    list_push_back(&pool->queues[class], &job->node);
    tfs_cond_signal(&pool->work);
    tfs_mutex_unlock(&pool->lock);
}
