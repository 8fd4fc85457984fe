/*
 * Commits. One thread at a time leads: it takes all requests that wait, commits them together
 * (commit_group.c), and hands over to one of those that came meanwhile.
 *
 * Invariant: only the leader takes images, so that a chunk is in one commit at most.
 */
#include "store/writeback/commit.h"

#include "store/inode/commit_list.h"
#include "store/inode/data.h"
#include "store/inode/promise.h"
#include "store/txn/durable.h"
#include "store/volume.h"
#include "store/writeback/commit_group.h"
#include "store/writeback/flush.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct tfs_commit {
    struct tfs_volume *volume; /* immutable */

    struct commit_group group; /* the leader's */

    struct tfs_mutex lock; /* rank TFS_RANK_COMMIT; guards all below */
    struct tfs_cond changed;
    struct list waiting; /* requests without a leader */
    bool led;
};

int commit_new(struct tfs_volume *volume, struct tfs_commit **ret)
{
    struct tfs_commit *commit = calloc(1, sizeof(*commit));

    if (!commit)
        return -ENOMEM;
    commit->volume = volume;
    list_init(&commit->waiting);
    tfs_mutex_init(&commit->lock, TFS_RANK_COMMIT);
    tfs_cond_init(&commit->changed);
    *ret = commit;
    return 0;
}

void commit_free(struct tfs_commit *commit)
{
    if (!commit)
        return;
    tfs_cond_release(&commit->changed);
    tfs_mutex_release(&commit->lock);
    free(commit);
}

static bool is_clean_locked(const struct tfs_inode *inode)
{
    const struct tfs_data *data = inode->data;

    return !data || (data->size == inode->record.size && data->row_bytes == 0 &&
                     list_is_empty(&data->unflushed) && !data->times_changed && !data->in_commit &&
                     allocation_is_committed_locked(inode));
}

void commit_note_clean(struct tfs_volume *volume, struct tfs_inode *inode)
{
    bool removed;

    tfs_mutex_lock(&inode->lock);
    removed = is_clean_locked(inode) && commit_list_remove_locked(volume, inode);
    tfs_mutex_unlock(&inode->lock);
    if (removed)
        inode_put(volume, inode);
}

static void collect_group_locked(struct tfs_commit *commit, struct commit_group *group)
    TFS_REQUIRES(&commit->lock)
{
    struct list *node;

    while (group->count < COMMIT_FILES_MAX && (node = list_pop_front(&commit->waiting)))
        commit_group_add(group, list_entry(node, struct commit_request, node));
}

/* Leads until the own request is done; called and returns with the lock. */
static void lead_locked(struct tfs_commit *commit, const struct commit_request *own)
    TFS_REQUIRES(&commit->lock)
{
    struct commit_group *group = &commit->group;

    commit->led = true;
    while (!own->done) {
        collect_group_locked(commit, group);
        tfs_mutex_unlock(&commit->lock);
        commit_group_run(commit->volume, group);
        tfs_mutex_lock(&commit->lock);
        commit_group_settle(group);
        tfs_cond_broadcast(&commit->changed);
    }
    commit->led = false;
    tfs_cond_broadcast(&commit->changed); /* somebody of those that wait leads on */
}

/* Queues the requests and waits until all are done, in as few groups as possible. */
static void queue_and_wait(struct tfs_commit *commit, struct commit_request *requests, size_t count)
{
    size_t done = 0;

    tfs_mutex_lock(&commit->lock);
    for (size_t i = 0; i < count; i++)
        list_push_back(&commit->waiting, &requests[i].node);
    while (done < count) {
        if (requests[done].done)
            done++;
        else if (commit->led)
            tfs_cond_wait(&commit->changed, &commit->lock);
        else
            lead_locked(commit, &requests[done]);
    }
    tfs_mutex_unlock(&commit->lock);
}

/* The leader waits for no file. Who asked for one that was busy waits here until it is not, and
 * stays in its gate, so that no resize comes first again. */
static void ask_again(struct tfs_commit *commit, struct commit_request *request)
{
    while (request->busy) {
        data_enter_for_commit(request->inode);
        request->busy = false;
        request->done = false;
        queue_and_wait(commit, request, 1);
        data_leave(request->inode);
    }
}

int commit_submit(struct tfs_volume *volume, struct commit_request *requests, size_t count)
{
    int err = 0;

    queue_and_wait(volume->commit, requests, count);
    for (size_t i = 0; i < count; i++) {
        ask_again(volume->commit, &requests[i]);
        commit_note_clean(volume, requests[i].inode);
        err = err ? err : requests[i].error;
    }
    return err;
}

int commit_write_back(struct tfs_volume *volume, struct tfs_inode *inode, bool full_size)
{
    struct promise promise;
    int err;

    promise_ask(inode, full_size, &promise);
    err = flush_inode(volume, inode);
    if (err)
        promise_drop(inode, &promise);
    else
        promise_keep(inode, &promise);
    return err;
}

int commit_inode(struct tfs_volume *volume, struct tfs_inode *inode, enum commit_strength strength)
{
    struct commit_request request = {.inode = inode, .strength = strength};
    int err = 0;

    if (inode->data)
        err = commit_write_back(volume, inode, true);
    if (err)
        return err;
    if (commit_list_has(volume, inode))
        return commit_submit(volume, &request, 1);
    if (strength == COMMIT_ORDERED)
        return 0;
    return durable_sync(volume); /* its name, its attributes */
}

int commit_rows(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct commit_request request = {.inode = inode, .strength = COMMIT_ORDERED};

    return commit_list_has(volume, inode) ? commit_submit(volume, &request, 1) : 0;
}
