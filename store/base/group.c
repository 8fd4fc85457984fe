/*
 * Leader and followers. `durable` only grows, and only to a number that was noted before the flush
 * that proves it began.
 */
#include "store/base/group.h"

#include <assert.h>
#include <errno.h>

void tfs_group_init(struct tfs_group *group)
{
    *group = (struct tfs_group){0};
    tfs_cond_init(&group->done);
}

void tfs_group_release(struct tfs_group *group)
{
    assert(!group->running);
    tfs_cond_release(&group->done);
}

uint64_t tfs_group_note(struct tfs_group *group)
{
    return ++group->noted;
}

static int group_lead(struct tfs_group *group, struct tfs_mutex *mutex, tfs_group_flush *flush,
                      void *context) TFS_REQUIRES(mutex)
{
    uint64_t target = group->noted;
    int err;

    group->running = true;
    group->flush_count++;
    tfs_mutex_unlock(mutex);
    err = flush(context);
    tfs_mutex_lock(mutex);
    group->running = false;

    if (err == 0)
        group->durable = target;
    else if (err != -ETIMEDOUT)
        group->error = err;
    tfs_cond_broadcast(&group->done);
    return err;
}

int tfs_group_sync(struct tfs_group *group, struct tfs_mutex *mutex, uint64_t number,
                   tfs_group_flush *flush, void *context)
{
    int err = 0;

    assert(number <= group->noted);
    if (group->durable < number)
        group->asked_count++;
    while (group->durable < number && group->error == 0 && err == 0) {
        if (group->running)
            tfs_cond_wait(&group->done, mutex);
        else
            err = group_lead(group, mutex, flush, context);
    }
    if (group->durable >= number)
        return 0;
    return group->error < 0 ? group->error : err;
}
