/*
 * A fixed pool of threads that run jobs from two queues: urgent ones first, then idle ones.
 *
 * A job is embedded in the caller's object and belongs to one queue at a time. The pool allocates
 * nothing per job.
 */
#ifndef TFS_BASE_WORKERS_H
#define TFS_BASE_WORKERS_H

#include "store/base/list.h"
#include "store/base/lock.h"

struct tfs_workers;

struct tfs_job {
    struct list node;
    void (*run)(struct tfs_job *job, void *scratch); /* may free the job */
};

enum tfs_job_class { TFS_JOB_URGENT, TFS_JOB_IDLE, TFS_JOB_CLASS_COUNT };

struct tfs_workers_options {
    const char *name; /* of the threads, at most 12 bytes */
    unsigned thread_count;

    /* Each thread makes its own scratch memory at start and passes it to every job. */
    int (*scratch_new)(void *context, void **ret);
    void (*scratch_free)(void *scratch);
    void *context;
};

/* Errors: -ENOMEM, -EAGAIN (threads), those of scratch_new. */
TFS_MUST_CHECK int tfs_workers_new(const struct tfs_workers_options *options,
                                   struct tfs_workers **ret);

/* Runs the urgent jobs that are queued, drops the idle ones by running them with scratch NULL,
 * joins. Accepts NULL. */
void tfs_workers_free(struct tfs_workers *workers);

/* Threads: any; takes a lock of rank POOL. */
void tfs_workers_submit(struct tfs_workers *workers, struct tfs_job *job, enum tfs_job_class class);

#endif
