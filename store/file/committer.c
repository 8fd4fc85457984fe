/*
 * Commits of everything, and the thread that makes one each interval. What nobody needs any more is
 * given up on the way: of removed files all, of files that damage keeps from being written back
 * what is stuck.
 */
#include "store/file/committer.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/file/file.h"
#include "store/inode/commit_list.h"
#include "store/inode/data.h"
#include "store/txn/durable.h"
#include "store/volume.h"
#include "store/writeback/commit.h"
#include "store/writeback/commit_group.h"
#include "store/writeback/flush.h"

#include <errno.h>
#include <stdlib.h>

struct tfs_committer {
    struct tfs_volume *volume; /* immutable */
    pthread_t thread;
    bool started;

    struct tfs_mutex lock; /* rank TFS_RANK_COMMIT */
    struct tfs_cond stop;
    bool stopping; /* guarded by lock */
};

int committer_new(struct tfs_volume *volume, struct tfs_committer **ret)
{
    struct tfs_committer *committer = calloc(1, sizeof(*committer));

    if (!committer)
        return -ENOMEM;
    committer->volume = volume;
    tfs_mutex_init(&committer->lock, TFS_RANK_COMMIT);
    tfs_cond_init(&committer->stop);
    *ret = committer;
    return 0;
}

void committer_free(struct tfs_committer *committer)
{
    if (!committer)
        return;
    committer_stop(committer);
    tfs_cond_release(&committer->stop);
    tfs_mutex_release(&committer->lock);
    free(committer);
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
        int err = inode->data ? commit_write_back(volume, inode, full || was_idle(inode)) : 0;

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
        err = commit_submit(volume, requests,
                            count); /* also of those whose newest data could not be written */
        first_error = first_error ? first_error : err;
    }
    for (size_t i = 0; i < count; i++)
        inode_put(volume, requests[i].inode);
    free(requests);
    err = durable_sync(volume);
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
    if (removed > 0 && commit_submit(volume, requests, removed) < 0)
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
        commit_note_clean(volume, inode);
        inode_put(volume, inode);
    }
    free(requests);
}

static void *committer_main(void *argument)
{
    struct tfs_committer *committer = argument;
    uint64_t interval = committer->volume->options.commit_interval_s * TFS_NS_PER_S;
    bool stopping = false;

    while (!stopping) {
        uint64_t deadline = tfs_clock_ns() + interval;
        int err;

        tfs_mutex_lock(&committer->lock);
        while (!committer->stopping && tfs_clock_ns() < deadline)
            (void)tfs_cond_wait_until(&committer->stop, &committer->lock,
                                      deadline); /* the loop asks the clock */
        stopping = committer->stopping;
        tfs_mutex_unlock(&committer->lock);
        err = stopping ? 0 : commit_all(committer->volume, false);
        trim_rest(committer->volume);
        if (err)
            tfs_warn("not everything could be committed, tried again in %u s: %s",
                     committer->volume->options.commit_interval_s, tfs_error_text(err));
    }
    return NULL;
}

int committer_start(struct tfs_committer *committer)
{
    int err;

    if (committer->volume->options.commit_interval_s == 0)
        return 0;
    err = pthread_create(&committer->thread, NULL, committer_main, committer);
    if (err)
        return tfs_fail(-err, "cannot start the commit thread");
    (void)pthread_setname_np(committer->thread, "tfs-commit"); /* cosmetic */
    committer->started = true;
    return 0;
}

void committer_stop(struct tfs_committer *committer)
{
    if (!committer || !committer->started)
        return;
    tfs_mutex_lock(&committer->lock);
    committer->stopping = true;
    tfs_cond_broadcast(&committer->stop);
    tfs_mutex_unlock(&committer->lock);
    (void)pthread_join(committer->thread, NULL); /* cannot fail: joinable, once */
    committer->started = false;
}
