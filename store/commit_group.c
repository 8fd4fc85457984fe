/*
 * What the leader of commits does in one go: the snapshots of a group of requests, one sync of the
 * segments, one batch, one sync of the index.
 */
#include "store/commit_group.h"

#include "store/base/clock.h"
#include "store/reclaim.h"
#include "store/segment/segment.h"
#include "store/super.h"
#include "store/volume.h"

#include <errno.h>

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
        struct commit_request *request = group->requests[i];
        struct snapshot *snapshot = &group->snapshots[i];

        if (first_for_inode(group, i) != i)
            continue;
        group->taken[i] = true;
        request->error = snapshot_take(request->inode, snapshot);
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
    uint64_t allocated = volume->allocated;
    bool any = false;
    int err;

    index_batch_clear(batch);
    usage_begin(volume->usage, &change);
    for (size_t i = part->first; i < part->end; i++) {
        if (is_to_be_written(group, i) && !snapshot_is_empty(&group->snapshots[i])) {
            snapshot_put(&group->snapshots[i], batch, &change);
            allocated += (uint64_t)group->snapshots[i].room_delta;
            any = true;
        }
    }
    if (allocated != volume->allocated)
        super_put_allocated(batch, allocated);
    err = usage_finish(&change, batch);
    if (!err && any) { /* also when nothing could be added to the batch: it says why */
        err = index_commit(volume->index, batch, false);
        if (!err) {
            uint64_t number = index_commit_number(volume->index);

            volume->allocated = allocated;
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

void commit_group_run(struct tfs_volume *volume, struct commit_group *group)
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
