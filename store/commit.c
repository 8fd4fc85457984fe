/*
 * Commits. One thread at a time leads: it takes all requests that wait, commits them together
 * (commit_group.c), and hands over to one of those that came meanwhile.
 *
 * Invariant: only the leader takes snapshots, so that a chunk is in one commit at most.
 */
#include "store/commit.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/commit_group.h"
#include "store/commit_list.h"
#include "store/data.h"
#include "store/dead_list.h"
#include "store/file.h"
#include "store/flush.h"
#include "store/promise.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct tfs_commit {
    struct tfs_volume *volume; /* immutable */
    pthread_t thread;
    bool started;

    struct commit_group group; /* the leader's */

    struct tfs_mutex lock; /* rank TFS_RANK_COMMIT; guards all below */
    struct tfs_cond changed;
    struct list waiting; /* requests without a leader */
    bool led;
    bool stopping;
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
    commit_stop(commit);
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

/* Takes the inode off the list unless something came meanwhile. */
static void note_clean(struct tfs_volume *volume, struct tfs_inode *inode)
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
 * stays in its gate, so that no change of shape comes first again. */
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

/* Has all the requests committed. Returns the first error. */
static int submit(struct tfs_volume *volume, struct commit_request *requests, size_t count)
{
    int err = 0;

    queue_and_wait(volume->commit, requests, count);
    for (size_t i = 0; i < count; i++) {
        ask_again(volume->commit, &requests[i]);
        note_clean(volume, requests[i].inode);
        err = err ? err : requests[i].error;
    }
    return err;
}

/* Promises the file as it is now: the next commit shows it, or what others have made of it since.
 * Nothing is promised of what could not be written back. */
static int write_back(struct tfs_volume *volume, struct tfs_inode *inode, bool full_size)
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

/* Neither written nor given another size since the interval before: what truncate appended counts,
 * too, though nobody has closed or synced the file. Until then it may be about to be filled. */
static bool was_idle(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;
    bool idle;

    tfs_mutex_lock(&inode->lock);
    idle = data->size == data->idle_size && data->sequence == data->idle_sequence;
    data->idle_size = data->size;
    data->idle_sequence = data->sequence;
    tfs_mutex_unlock(&inode->lock);
    return idle;
}

int commit_inode(struct tfs_volume *volume, struct tfs_inode *inode, enum commit_strength strength)
{
    struct commit_request request = {.inode = inode, .strength = strength};
    int err = 0;

    if (inode->data)
        err = write_back(volume, inode, true);
    if (err)
        return err;
    if (commit_list_has(volume, inode))
        return submit(volume, &request, 1);
    if (strength == COMMIT_ORDERED)
        return 0;
    err = index_sync(volume->index); /* its name, its attributes */
    dead_list_kick(volume->dead);
    return err;
}

int commit_rows(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct commit_request request = {.inode = inode, .strength = COMMIT_ORDERED};

    return commit_list_has(volume, inode) ? submit(volume, &request, 1) : 0;
}

/* A request for each inode that is pending now, pinned. The caller frees the array; NULL without
 * memory. */
static struct commit_request *request_pending(struct tfs_volume *volume, size_t *ret_count)
{
    struct tfs_inode **inodes = commit_list_pin_all(volume, ret_count);
    struct commit_request *requests = inodes ? calloc(*ret_count + 1, sizeof(requests[0])) : NULL;

    for (size_t i = 0; inodes && i < *ret_count; i++) {
        if (requests)
            requests[i] = (struct commit_request){.inode = inodes[i], .strength = COMMIT_ORDERED};
        else
            inode_put(volume, inodes[i]);
    }
    free(inodes);
    return requests;
}

static int flush_requested(struct tfs_volume *volume, struct commit_request *requests, size_t count,
                           bool full)
{
    int first_error = 0;

    for (size_t i = 0; i < count; i++) {
        if (!file_discard_removed(volume, requests[i].inode) && requests[i].inode->data)
            flush_inode_start(volume, requests[i].inode);
    }
    for (size_t i = 0; i < count; i++) {
        struct tfs_inode *inode = requests[i].inode;
        int err = inode->data ? write_back(volume, inode, full || was_idle(inode)) : 0;

        if (err)
            file_give_up_stuck(volume, inode);
        first_error = first_error ? first_error : err;
    }
    return first_error;
}

int commit_all(struct tfs_volume *volume, bool full)
{
    size_t count;
    struct commit_request *requests = request_pending(volume, &count);
    int first_error = 0;
    int err;

    if (!requests)
        return -ENOMEM;
    if (count > 0) {
        first_error = flush_requested(volume, requests, count, full);
        err = submit(volume, requests,
                     count); /* also of those whose newest data could not be written */
        first_error = first_error ? first_error : err;
    }
    for (size_t i = 0; i < count; i++)
        inode_put(volume, requests[i].inode);
    free(requests);
    err = index_sync(volume->index);
    dead_list_kick(volume->dead);
    return first_error ? first_error : err;
}

bool commit_removed(struct tfs_volume *volume, const struct tfs_inode *except)
{
    size_t count;
    size_t removed = 0;
    bool held = false;
    struct commit_request *requests = request_pending(volume, &count);

    if (!requests)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct tfs_inode *inode = requests[i].inode;

        if (file_discard_removed(volume, inode)) {
            requests[removed++] = requests[i];
        } else {
            held = held || (inode != except && inode_record(inode).nlink == 0);
            inode_put(volume, inode);
        }
    }
    if (removed > 0 && submit(volume, requests, removed) < 0)
        tfs_debug("removed files cannot be committed, and keep their space for now");
    for (size_t i = 0; i < removed; i++)
        inode_put(volume, requests[i].inode);
    free(requests);
    return held;
}

void commit_abandon(struct tfs_volume *volume)
{
    size_t count;
    struct commit_request *requests = request_pending(volume, &count);

    for (size_t i = 0; requests && i < count; i++) {
        struct tfs_inode *inode = requests[i].inode;
        uint64_t chunks = 0;

        tfs_mutex_lock(&inode->lock);
        if (inode->data) {
            chunks = chunk_abandon_all_locked(volume, inode);
            inode->data->size = inode->record.size;
            inode->data->times_changed = false;
        }
        tfs_mutex_unlock(&inode->lock);
        if (chunks)
            tfs_error("inode %llu: what was not committed is lost, in %llu chunks",
                      (unsigned long long)inode->number, (unsigned long long)chunks);
        note_clean(volume, inode);
        inode_put(volume, inode);
    }
    free(requests);
}

static void *commit_main(void *argument)
{
    struct tfs_commit *commit = argument;
    uint64_t interval = commit->volume->options.commit_interval_s * TFS_NS_PER_S;
    bool stopping = false;

    while (!stopping) {
        uint64_t deadline = tfs_clock_ns() + interval;
        int err;

        tfs_mutex_lock(&commit->lock);
        while (!commit->stopping && tfs_clock_ns() < deadline)
            (void)tfs_cond_wait_until(&commit->changed, &commit->lock,
                                      deadline); /* the loop asks the clock */
        stopping = commit->stopping;
        tfs_mutex_unlock(&commit->lock);
        err = stopping ? 0 : commit_all(commit->volume, false);
        trim_rest(commit->volume);
        if (err)
            tfs_warn("not everything could be committed, tried again in %u s: %s",
                     commit->volume->options.commit_interval_s, tfs_error_text(err));
    }
    return NULL;
}

int commit_start(struct tfs_commit *commit)
{
    int err;

    if (commit->volume->options.commit_interval_s == 0)
        return 0;
    err = pthread_create(&commit->thread, NULL, commit_main, commit);
    if (err)
        return tfs_fail(-err, "cannot start the commit thread");
    (void)pthread_setname_np(commit->thread, "tfs-commit"); /* cosmetic */
    commit->started = true;
    return 0;
}

void commit_stop(struct tfs_commit *commit)
{
    if (!commit || !commit->started)
        return;
    tfs_mutex_lock(&commit->lock);
    commit->stopping = true;
    tfs_cond_broadcast(&commit->changed);
    tfs_mutex_unlock(&commit->lock);
    (void)pthread_join(commit->thread, NULL); /* cannot fail: joinable, once */
    commit->started = false;
}
