/*
 * When to compact: once as much is dead as makes it worth to read all rows once, and at once when
 * the disk is full.
 */
#include "store/space/compactor.h"

#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/space/compact.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

enum { DEAD_PERCENT_MIN = 50 };
#define DEAD_BYTES_MIN (128 * TFS_MIB)

struct tfs_compactor {
    struct tfs_volume *volume; /* immutable */
    atomic_bool stopping;      /* set with lock held; relaxed where a late look does no harm */

    struct tfs_mutex lock; /* rank TFS_RANK_RECLAIM; guards all below */
    struct tfs_cond work;
    pthread_t thread;
    bool started;
    bool hurried;
    bool running; /* a run, this thread's or another's */
    struct tfs_cond idle;
    uint64_t dead_bytes; /* since the last run */
};

int compactor_new(struct tfs_volume *volume, struct tfs_compactor **ret)
{
    struct tfs_compactor *compactor = calloc(1, sizeof(*compactor));

    if (!compactor)
        return -ENOMEM;
    compactor->volume = volume;
    tfs_mutex_init(&compactor->lock, TFS_RANK_RECLAIM);
    tfs_cond_init(&compactor->work);
    tfs_cond_init(&compactor->idle);
    *ret = compactor;
    return 0;
}

static bool has_work_locked(const struct tfs_compactor *compactor)
{
    return compactor->dead_bytes >= DEAD_BYTES_MIN || (compactor->hurried && compactor->dead_bytes);
}

static void run(struct tfs_compactor *compactor)
{
    struct compact_options options = {.dead_percent_min = DEAD_PERCENT_MIN,
                                      .stop = &compactor->stopping};
    struct compact_result result;
    int err = compact_run(compactor->volume, &options, &result);

    if (err && err != -ECANCELED)
        tfs_warn("dead space cannot be compacted: %s", tfs_error_text(err));
    if (result.moved_frames)
        tfs_debug("compacted %llu segments: %llu bytes moved", (unsigned long long)result.segments,
                  (unsigned long long)result.moved_bytes);
}

static void *compactor_main(void *argument)
{
    struct tfs_compactor *compactor = argument;

    tfs_mutex_lock(&compactor->lock);
    while (!atomic_load_explicit(&compactor->stopping, memory_order_relaxed)) {
        if (!has_work_locked(compactor)) {
            tfs_cond_wait(&compactor->work, &compactor->lock);
            continue;
        }
        compactor->dead_bytes = 0;
        compactor->hurried = false;
        tfs_mutex_unlock(&compactor->lock);
        run(compactor);
        tfs_mutex_lock(&compactor->lock);
    }
    tfs_mutex_unlock(&compactor->lock);
    return NULL;
}

static void start_locked(struct tfs_compactor *compactor) TFS_REQUIRES(&compactor->lock)
{
    if (compactor->started || atomic_load_explicit(&compactor->stopping, memory_order_relaxed))
        return;
    if (pthread_create(&compactor->thread, NULL, compactor_main, compactor) != 0)
        return; /* tried again with the next frame */
    (void)pthread_setname_np(compactor->thread, "tfs-compact"); /* cosmetic */
    compactor->started = true;
}

void compactor_note(struct tfs_compactor *compactor, uint64_t bytes)
{
    tfs_mutex_lock(&compactor->lock);
    compactor->dead_bytes += bytes;
    start_locked(compactor);
    if (has_work_locked(compactor))
        tfs_cond_signal(&compactor->work);
    tfs_mutex_unlock(&compactor->lock);
}

void compactor_hurry(struct tfs_compactor *compactor)
{
    tfs_mutex_lock(&compactor->lock);
    compactor->hurried = true;
    if (has_work_locked(compactor))
        tfs_cond_signal(&compactor->work);
    tfs_mutex_unlock(&compactor->lock);
}

void compactor_enter(struct tfs_compactor *compactor)
{
    tfs_mutex_lock(&compactor->lock);
    while (compactor->running)
        tfs_cond_wait(&compactor->idle, &compactor->lock);
    compactor->running = true;
    tfs_mutex_unlock(&compactor->lock);
}

void compactor_leave(struct tfs_compactor *compactor)
{
    tfs_mutex_lock(&compactor->lock);
    compactor->running = false;
    tfs_cond_broadcast(&compactor->idle);
    tfs_mutex_unlock(&compactor->lock);
}

void compactor_stop(struct tfs_compactor *compactor)
{
    bool started;

    if (!compactor)
        return;
    tfs_mutex_lock(&compactor->lock);
    atomic_store_explicit(&compactor->stopping, true, memory_order_relaxed);
    started = compactor->started;
    compactor->started = false;
    tfs_cond_broadcast(&compactor->work);
    tfs_mutex_unlock(&compactor->lock);
    if (started)
        (void)pthread_join(compactor->thread, NULL); /* cannot fail: joinable, once */
}

void compactor_free(struct tfs_compactor *compactor)
{
    if (!compactor)
        return;
    compactor_stop(compactor);
    tfs_cond_release(&compactor->idle);
    tfs_cond_release(&compactor->work);
    tfs_mutex_release(&compactor->lock);
    free(compactor);
}
