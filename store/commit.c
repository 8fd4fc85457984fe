/*
 * Commits. One thread at a time leads: it takes all requests that wait, commits them in one go, and
 * hands over to one of those that came meanwhile.
 *
 * Invariants:
 * 1. Only the leader takes snapshots, so that a chunk is in one commit at most.
 * 2. A pending inode is pinned; it leaves the list only when, under both locks, nothing of it is
 * left to commit.
 */
#include "store/commit.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/data.h"
#include "store/file.h"
#include "store/flush.h"
#include "store/reclaim.h"
#include "store/segment/segment.h"
#include "store/snapshot.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { COMMIT_FILES_MAX = 128 };

struct commit_request {
    struct list node;
    struct tfs_inode *inode;
    enum commit_strength strength;
    bool full_size;
    bool done;
    int error;
};

/* One go of the leader: requests that are committed together. */
struct commit_group {
    struct commit_request *requests[COMMIT_FILES_MAX];
    struct snapshot snapshots[COMMIT_FILES_MAX];
    bool taken[COMMIT_FILES_MAX];
    size_t count;
};

struct tfs_commit {
    struct tfs_volume *volume; /* immutable */
    pthread_t thread;
    bool started;

    struct commit_group group; /* the leader's */

    struct tfs_mutex lock; /* rank TFS_RANK_COMMIT; guards all below */
    struct tfs_cond changed;
    struct list waiting; /* requests without a leader */
    bool led;
    struct list pending; /* inodes, oldest first */
    uint64_t pending_count;
    bool stopping;
};

int commit_new(struct tfs_volume *volume, struct tfs_commit **ret)
{
    struct tfs_commit *commit = calloc(1, sizeof(*commit));

    if (!commit)
        return -ENOMEM;
    commit->volume = volume;
    list_init(&commit->waiting);
    list_init(&commit->pending);
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

void commit_note(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_commit *commit = volume->commit;

    tfs_mutex_lock(&commit->lock);
    if (!inode->pending) {
        inode->pending = true;
        list_push_back(&commit->pending, &inode->pending_node);
        commit->pending_count++;
        inode_pin(volume, inode);
    }
    tfs_mutex_unlock(&commit->lock);
}

static bool is_clean_locked(const struct tfs_inode *inode)
{
    const struct tfs_data *data = inode->data;

    return !data || (data->size == inode->record.size && data->chunk_count == 0 &&
                     !data->times_changed && !data->in_commit);
}

/* Takes the inode off the list unless something came meanwhile: changes are noted under the inode's
 * lock, so none is missed. */
static void note_clean(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_commit *commit = volume->commit;
    bool removed = false;

    tfs_mutex_lock(&inode->lock);
    if (is_clean_locked(inode)) {
        tfs_mutex_lock(&commit->lock);
        if (inode->pending) {
            inode->pending = false;
            list_remove(&inode->pending_node);
            commit->pending_count--;
            removed = true;
        }
        tfs_mutex_unlock(&commit->lock);
    }
    tfs_mutex_unlock(&inode->lock);
    if (removed)
        inode_put(volume, inode);
}

uint64_t commit_pending_count(struct tfs_commit *commit)
{
    uint64_t count;

    tfs_mutex_lock(&commit->lock);
    count = commit->pending_count;
    tfs_mutex_unlock(&commit->lock);
    return count;
}

/* The request of the group that stands for this one: the first for the same inode. */
static size_t first_for_inode(const struct commit_group *group, size_t index)
{
    size_t first = 0;

    while (group->requests[first]->inode != group->requests[index]->inode)
        first++;
    return first;
}

static void take_snapshots(struct commit_group *group, bool *ret_appended)
{
    *ret_appended = false;
    for (size_t i = 0; i < group->count; i++) {
        size_t first = first_for_inode(group, i);

        if (group->requests[i]->full_size)
            group->requests[first]->full_size = true;
    }
    for (size_t i = 0; i < group->count; i++) {
        struct commit_request *request = group->requests[i];
        struct snapshot *snapshot = &group->snapshots[i];

        if (first_for_inode(group, i) != i)
            continue;
        group->taken[i] = true;
        request->error = snapshot_take(request->inode, request->full_size, snapshot);
        if (snapshot->appended)
            *ret_appended = true;
    }
}

/* The requests [first, end) of a group. */
struct commit_part {
    struct commit_group *group;
    size_t first;
    size_t end;
};

static bool is_to_be_written(const struct commit_group *group, size_t index)
{
    return group->taken[index] && !group->requests[index]->error;
}

/* Writes the part's snapshots in one batch. Holds volume->metadata. */
static int write_batch_locked(struct tfs_volume *volume, const struct commit_part *part)
    TFS_REQUIRES(&volume->metadata)
{
    struct commit_group *group = part->group;
    struct usage_change change;
    struct index_batch *batch = volume->batch;
    bool any = false;
    int err;

    index_batch_clear(batch);
    usage_begin(volume->usage, &change);
    for (size_t i = part->first; i < part->end; i++) {
        if (is_to_be_written(group, i) && !snapshot_is_empty(&group->snapshots[i])) {
            snapshot_put(&group->snapshots[i], batch, &change);
            any = true;
        }
    }
    err = usage_finish(&change, batch);
    if (!err && any) { /* also when nothing could be added to the batch: it says why */
        err = index_commit(volume->index, batch, false);
        if (!err) {
            uint64_t number = index_commit_number(volume->index);

            usage_apply(&change, number);
            for (size_t i = 0; i < change.dead_count; i++)
                reclaim_frame(volume->reclaim, &change.dead[i], number);
        }
    }
    usage_end(&change);
    return err;
}

/* All or nothing of the part becomes what the index has. */
static int write_part(struct tfs_volume *volume, const struct commit_part *part)
{
    struct commit_group *group = part->group;
    int err;

    tfs_mutex_lock(&volume->metadata);
    err = write_batch_locked(volume, part);
    for (size_t i = part->first; i < part->end && !err; i++) {
        if (!is_to_be_written(group, i))
            continue;
        snapshot_apply(&group->snapshots[i]);
        group->taken[i] = false;
    }
    tfs_mutex_unlock(&volume->metadata);
    return err;
}

/* When a batch of several cannot be written, each tries alone: one that is refused, with a damaged
 * count for example, must not hold up the others. */
static void write_one_by_one(struct tfs_volume *volume, struct commit_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct commit_part one = {group, i, i + 1};

        if (is_to_be_written(group, i))
            group->requests[i]->error = write_part(volume, &one);
    }
}

static int write_group(struct tfs_volume *volume, struct commit_group *group, bool appended)
{
    struct commit_part all = {group, 0, group->count};
    int err = appended ? segments_sync(volume->segments) : 0;

    if (err)
        return err;
    err = write_part(volume, &all);
    if (!err || group->count == 1)
        return err;
    write_one_by_one(volume, group);
    return 0;
}

static bool wants_durable(const struct commit_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->requests[i]->strength == COMMIT_DURABLE)
            return true;
    }
    return false;
}

static void commit_group(struct tfs_volume *volume, struct commit_group *group)
{
    uint64_t start_ns = tfs_clock_ns();
    bool appended;
    int err;

    take_snapshots(group, &appended);
    err = write_group(volume, group, appended);
    for (size_t i = 0; i < group->count; i++) {
        if (group->taken[i])
            snapshot_drop(volume, &group->snapshots[i]);
    }
    if (!err && wants_durable(group)) {
        err = index_sync(volume->index);
        reclaim_kick(volume->reclaim);
    }
    tfs_histogram_add(&volume->stats.commit_time, tfs_clock_ns() - start_ns);
    tfs_counter_add(&volume->stats.commits, 1);
    tfs_counter_add(&volume->stats.committed_files, group->count);
    for (size_t i = 0; i < group->count; i++) {
        struct commit_request *request = group->requests[i];

        if (!request->error)
            request->error = group->requests[first_for_inode(group, i)]->error;
        if (!request->error)
            request->error = err;
    }
}

static void collect_group_locked(struct tfs_commit *commit, struct commit_group *group)
    TFS_REQUIRES(&commit->lock)
{
    struct list *node;

    while (group->count < COMMIT_FILES_MAX && (node = list_pop_front(&commit->waiting))) {
        group->requests[group->count] = list_entry(node, struct commit_request, node);
        group->taken[group->count] = false;
        group->count++;
    }
}

/* Leads until the own request is done; called and returns with the lock. */
static void lead_locked(struct tfs_commit *commit, const struct commit_request *own)
    TFS_REQUIRES(&commit->lock)
{
    struct commit_group *group = &commit->group;

    commit->led = true;
    while (!own->done) {
        group->count = 0;
        collect_group_locked(commit, group);
        tfs_mutex_unlock(&commit->lock);
        commit_group(commit->volume, group);
        tfs_mutex_lock(&commit->lock);
        for (size_t i = 0; i < group->count; i++)
            group->requests[i]->done = true;
        tfs_cond_broadcast(&commit->changed);
    }
    commit->led = false;
    tfs_cond_broadcast(&commit->changed); /* somebody of those that wait leads on */
}

/* Has all the requests committed, in as few groups as possible. Returns the first error. */
static int submit(struct tfs_volume *volume, struct commit_request *requests, size_t count)
{
    struct tfs_commit *commit = volume->commit;
    struct commit_request *last = &requests[count - 1]; /* requests are served in their order */
    int err = 0;

    tfs_mutex_lock(&commit->lock);
    for (size_t i = 0; i < count; i++)
        list_push_back(&commit->waiting, &requests[i].node);
    while (!last->done) {
        if (commit->led)
            tfs_cond_wait(&commit->changed, &commit->lock);
        else
            lead_locked(commit, last);
    }
    tfs_mutex_unlock(&commit->lock);
    for (size_t i = 0; i < count; i++) {
        note_clean(volume, requests[i].inode);
        err = err ? err : requests[i].error;
    }
    return err;
}

static bool is_pending(struct tfs_volume *volume, struct tfs_inode *inode)
{
    bool pending;

    tfs_mutex_lock(&volume->commit->lock);
    pending = inode->pending;
    tfs_mutex_unlock(&volume->commit->lock);
    return pending;
}

int commit_inode(struct tfs_volume *volume, struct tfs_inode *inode, enum commit_strength strength)
{
    struct commit_request request = {.inode = inode, .strength = strength, .full_size = true};
    int err = 0;

    if (inode->data)
        err = flush_inode(volume, inode);
    if (err)
        return err;
    if (is_pending(volume, inode))
        return submit(volume, &request, 1);
    if (strength == COMMIT_ORDERED)
        return 0;
    err = index_sync(volume->index); /* its name, its attributes */
    reclaim_kick(volume->reclaim);
    return err;
}

/* A request for each inode that is pending now, pinned. The caller frees the array; NULL without
 * memory. */
static struct commit_request *request_pending(struct tfs_volume *volume, bool full,
                                              size_t *ret_count)
{
    struct tfs_commit *commit = volume->commit;
    struct commit_request *requests;
    struct list *node;
    size_t count = 0;

    tfs_mutex_lock(&commit->lock);
    requests = calloc(commit->pending_count + 1, sizeof(requests[0]));
    if (requests) {
        list_for_each (node, &commit->pending) {
            struct tfs_inode *inode = list_entry(node, struct tfs_inode, pending_node);

            inode_pin(volume, inode);
            requests[count++] = (struct commit_request){
                .inode = inode, .strength = COMMIT_ORDERED, .full_size = full};
        }
    }
    tfs_mutex_unlock(&commit->lock);
    *ret_count = count;
    return requests;
}

static int flush_requested(struct tfs_volume *volume, struct commit_request *requests, size_t count)
{
    int first_error = 0;

    for (size_t i = 0; i < count; i++) {
        if (!file_discard_removed(volume, requests[i].inode) && requests[i].inode->data)
            flush_inode_start(volume, requests[i].inode);
    }
    for (size_t i = 0; i < count; i++) {
        int err = requests[i].inode->data ? flush_inode(volume, requests[i].inode) : 0;

        first_error = first_error ? first_error : err;
    }
    return first_error;
}

int commit_all(struct tfs_volume *volume, bool full)
{
    size_t count;
    struct commit_request *requests = request_pending(volume, full, &count);
    int first_error = 0;
    int err;

    if (!requests)
        return -ENOMEM;
    if (count > 0) {
        first_error = flush_requested(volume, requests, count);
        err = submit(volume, requests,
                     count); /* also of those whose newest data could not be written */
        first_error = first_error ? first_error : err;
    }
    for (size_t i = 0; i < count; i++)
        inode_put(volume, requests[i].inode);
    free(requests);
    err = index_sync(volume->index);
    reclaim_kick(volume->reclaim);
    return first_error ? first_error : err;
}

bool commit_removed(struct tfs_volume *volume, const struct tfs_inode *except)
{
    size_t count;
    size_t removed = 0;
    bool held = false;
    struct commit_request *requests = request_pending(volume, true, &count);

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
    struct commit_request *requests = request_pending(volume, false, &count);

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
