/*
 * Group sync: threads that each need "everything up to my number is on the disk" share one flush.
 * The first that needs one does it for all that is noted by then, the others wait; what was noted
 * meanwhile is left to the next.
 *
 * The owner's mutex guards all of it. Numbers count completed writes: a write is noted after it
 * returned, so that a flush that starts later covers it.
 */
#ifndef TFS_BASE_GROUP_H
#define TFS_BASE_GROUP_H

#include "store/base/lock.h"

struct tfs_group {
    struct tfs_cond done;
    uint64_t noted;       /* number of the newest completed write */
    uint64_t durable;     /* all writes up to this number survive a power cut */
    int error;            /* of the first flush that failed; stays */
    bool running;         /* a thread is flushing, without the mutex */
    uint64_t asked_count; /* statistics: calls of tfs_group_sync() that had something to wait for */
    uint64_t flush_count; /* statistics: flushes that were made for them */
};

/* Makes everything written so far durable, without the mutex. Returns: 0 or a negative errno. */
typedef int tfs_group_flush(void *context);

void tfs_group_init(struct tfs_group *group);
void tfs_group_release(struct tfs_group *group);

/* Another write completed. Returns: its number. Threads: the mutex is held. */
uint64_t tfs_group_note(struct tfs_group *group);

/*
 * Return when all up to `number` is durable; at once when it already is. Gives the mutex up while
 * it flushes or waits.
 *
 * Errors: the error of the first flush that failed, from then on for every number not yet durable.
 *         -ETIMEDOUT does not stay: who led that flush hears it, and the next one makes another.
 */
TFS_MUST_CHECK int tfs_group_sync(struct tfs_group *group, struct tfs_mutex *mutex, uint64_t number,
                                  tfs_group_flush *flush, void *context) TFS_REQUIRES(mutex);

#endif
