/*
 * What the leader of commits does in one round: images of the files that are new in the group,
 * one sync of the segments, one batch, one sync of the index.
 *
 * Invariants:
 * 1. Of the requests for one file the first stands for all: it has the image.
 * 2. A file's images are committed one after another: who asks while one is carried over is told
 * that it is busy, for what he wants may not be in it.
 */
#include "store/writeback/commit_group.h"

#include "store/base/clock.h"
#include "store/index/index.h"
#include "store/segment/segment.h"
#include "store/tables/super.h"
#include "store/txn/durable.h"
#include "store/txn/txn.h"
#include "store/volume.h"

#include <errno.h>

/* What a batch carries is shared out among its files: whoever waits for the round, or for
 * volume->metadata meanwhile, waits for so much. */
enum { BATCH_ROW_BYTES_MAX = 4 << 20, FILE_ROW_BYTES_MIN = 64 << 10 };
enum { BATCH_CUT_ROWS_MAX = 512, FILE_CUT_ROWS_MIN = 16 };

void commit_group_add(struct commit_group *group, struct commit_request *request)
{
    group->requests[group->count] = request;
    group->taken[group->count] = false;
    group->count++;
}

/* The request of the group that stands for this one: the first for the same inode. */
static size_t first_for_inode(const struct commit_group *group, size_t index)
{
    size_t first = 0;

    while (group->requests[first]->inode != group->requests[index]->inode)
        first++;
    return first;
}

static void take_image(struct commit_group *group, size_t index)
{
    struct commit_request *request = group->requests[index];
    struct commit_image *image = &group->images[index];
    int err = commit_image_take(request->inode, image);

    request->busy = err == -EAGAIN;
    request->error = request->busy ? 0 : err;
    group->taken[index] = !request->busy;
}

/* Snapshots for the requests that are new. Returns whether one has frames to be synced. */
static bool take_images(struct commit_group *group)
{
    bool appended = false;

    for (size_t i = group->carried; i < group->count; i++) {
        size_t first = first_for_inode(group, i);

        if (first < group->carried)
            group->requests[i]->busy = true;
        else if (first == i)
            take_image(group, i);
        appended = appended || (group->taken[i] && group->images[i].appended);
    }
    return appended;
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

/* What each file of the part may add. */
static struct commit_image_limit share_of_batch(const struct commit_part *part)
{
    unsigned files = 0;

    for (size_t i = part->first; i < part->end; i++)
        files += is_to_be_written(part->group, i);
    files = files ? files : 1;
    return (struct commit_image_limit){
        .row_bytes = tfs_max_u64(FILE_ROW_BYTES_MIN, BATCH_ROW_BYTES_MAX / files),
        .cut_rows = (unsigned)tfs_max_u64(FILE_CUT_ROWS_MIN, BATCH_CUT_ROWS_MAX / files),
    };
}

/* Writes the part's images in one batch. Holds volume->metadata. */
static int write_batch_locked(struct tfs_volume *volume, const struct commit_part *part)
    TFS_REQUIRES(&volume->metadata)
{
    struct commit_group *group = part->group;
    struct commit_image_limit limit = share_of_batch(part);
    struct refcounts_change change;
    struct index_batch *batch = volume->batch;
    uint64_t allocated = volume->allocated;
    bool any = false;
    int err;

    index_batch_clear(batch);
    refcounts_begin(volume->refcounts, &change);
    for (size_t i = part->first; i < part->end; i++) {
        if (is_to_be_written(group, i) && !commit_image_is_empty(&group->images[i])) {
            commit_image_put(&group->images[i], &limit, batch, &change);
            allocated += (uint64_t)group->images[i].room_delta;
            any = true;
        }
    }
    if (allocated != volume->allocated)
        super_put_allocated(batch, allocated);
    err = refcounts_finish(&change, batch);
    if (!err && any) { /* also when nothing could be added to the batch: it says why */
        err = index_commit(volume->index, batch, false);
        if (!err) {
            volume->allocated = allocated;
            txn_committed(volume, &change);
        }
    }
    refcounts_end(&change);
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
        if (is_to_be_written(group, i))
            group->taken[i] = !commit_image_apply(&group->images[i]);
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

/* Whether the request's file needs another round. */
static bool is_carried(const struct commit_group *group, size_t index)
{
    return !group->requests[index]->busy && group->taken[first_for_inode(group, index)];
}

static bool wants_durable(const struct commit_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->requests[i]->strength == COMMIT_DURABLE && !is_carried(group, i))
            return true;
    }
    return false;
}

static void drop_failed(struct tfs_volume *volume, struct commit_group *group, int err)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->taken[i] && (err || group->requests[i]->error)) {
            commit_image_drop(volume, &group->images[i]);
            group->taken[i] = false;
        }
    }
}

void commit_group_run(struct tfs_volume *volume, struct commit_group *group)
{
    uint64_t start_ns = tfs_clock_ns();
    size_t finished = 0;
    int err = write_group(volume, group, take_images(group));

    drop_failed(volume, group, err);
    if (!err && wants_durable(group))
        err = durable_sync(volume);
    for (size_t i = 0; i < group->count; i++) {
        const struct commit_request *first = group->requests[first_for_inode(group, i)];
        struct commit_request *request = group->requests[i];

        if (is_carried(group, i))
            continue;
        finished++;
        request->busy = request->busy || first->busy;
        if (request->busy)
            request->error = 0;
        else if (!request->error)
            request->error = first->error ? first->error : err;
    }
    tfs_histogram_add(&volume->stats.commit_time, tfs_clock_ns() - start_ns);
    tfs_counter_add(&volume->stats.commits, 1);
    tfs_counter_add(&volume->stats.committed_files, finished);
}

void commit_group_settle(struct commit_group *group)
{
    bool carried[COMMIT_FILES_MAX];
    size_t kept = 0;

    for (size_t i = 0; i < group->count; i++)
        carried[i] = is_carried(group, i);
    for (size_t i = 0; i < group->count; i++) {
        if (!carried[i]) {
            group->requests[i]->done = true;
            continue;
        }
        group->requests[kept] = group->requests[i];
        group->images[kept] = group->images[i];
        group->taken[kept] = group->taken[i];
        kept++;
    }
    group->count = kept;
    group->carried = kept;
}
