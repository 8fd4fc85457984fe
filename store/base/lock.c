/*
 * Ranked locks. Each thread keeps the bit set of the ranks it holds; a debug build asserts that a
 * new rank is higher than all of them, so that a wrong order is found by any test that passes there
 * once, not only by the one run in a million that deadlocks.
 */
#include "store/base/lock.h"

#include "store/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

static _Thread_local uint32_t ranks_held;

static void rank_enter(enum tfs_lock_rank rank)
{
    uint32_t bit = 1u << rank;

    assert(ranks_held < bit); /* every rank held is lower */
    ranks_held |= bit;
}

static void rank_leave(enum tfs_lock_rank rank)
{
    uint32_t bit = 1u << rank;

    assert(ranks_held & bit);
    ranks_held &= ~bit;
}

void tfs_mutex_init(struct tfs_mutex *mutex, enum tfs_lock_rank rank)
{
    (void)pthread_mutex_init(&mutex->mutex, NULL); /* cannot fail with default attributes */
    mutex->rank = rank;
}

void tfs_mutex_release(struct tfs_mutex *mutex)
{
    int err = pthread_mutex_destroy(&mutex->mutex);

    assert(err == 0);
    (void)err;
}

void tfs_mutex_lock(struct tfs_mutex *mutex) TFS_NO_LOCK_ANALYSIS
{
    int err;

    rank_enter(mutex->rank);
    err = pthread_mutex_lock(&mutex->mutex);
    assert(err == 0);
    (void)err;
}

void tfs_mutex_unlock(struct tfs_mutex *mutex) TFS_NO_LOCK_ANALYSIS
{
    int err = pthread_mutex_unlock(&mutex->mutex);

    assert(err == 0);
    (void)err;
    rank_leave(mutex->rank);
}

bool tfs_mutex_none_held(void)
{
    return ranks_held == 0;
}

void tfs_cond_init(struct tfs_cond *cond)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes); /* these three cannot fail on Linux */
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cond->cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

void tfs_cond_release(struct tfs_cond *cond)
{
    (void)pthread_cond_destroy(&cond->cond); /* fails only while waited on, the caller's bug */
}

void tfs_cond_signal(struct tfs_cond *cond)
{
    (void)pthread_cond_signal(&cond->cond); /* cannot fail */
}

void tfs_cond_broadcast(struct tfs_cond *cond)
{
    (void)pthread_cond_broadcast(&cond->cond); /* cannot fail */
}

void tfs_cond_wait(struct tfs_cond *cond, struct tfs_mutex *mutex)
{
    int err = pthread_cond_wait(&cond->cond, &mutex->mutex);

    assert(err == 0);
    (void)err;
}

bool tfs_cond_wait_until(struct tfs_cond *cond, struct tfs_mutex *mutex, uint64_t deadline_ns)
{
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / TFS_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % TFS_NS_PER_S),
    };
    int err = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &deadline);

    assert(err == 0 || err == ETIMEDOUT);
    return err != ETIMEDOUT;
}
