/*
 * Appends. A range of the active segment is reserved under the lock and written outside of it, so
 * appends overlap.
 *
 * Space is preallocated ahead, extending the file's size too: writes into it change no size, so
 * O_DIRECT writes run side by side and a sync has less to journal. The steps double, so that a
 * small store does not look like a large one.
 *
 *   1. active_end only grows; a range is handed out once, even when its write failed.
 *   2. Every byte below active_end lies inside the file or is about to be written.
 *   3. A file with a completed append is on the dirty list until a sync has begun to cover it.
 */
#include "store/base/error.h"
#include "store/segment/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static const uint64_t allocate_step_max = 64 * TFS_MIB;

static int file_allocate(const struct segment_file *file, uint64_t offset, uint64_t size)
{
    int result;

    do
        result = fallocate(file->fd, 0, (off_t)offset, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/*
 * Where preallocation for an append up to `end` should stop: a step further, inside the segment and
 * what the reserve leaves.
 */
static uint64_t allocate_target_locked(struct tfs_segments *segments, uint64_t end)
    TFS_REQUIRES(&segments->lock)
{
    uint64_t target = tfs_max_u64(end, segments->active_allocated + segments->allocate_step);
    uint64_t spare = tfs_align_down(segment_budget_spare(segments), SEGMENT_ALIGNMENT);

    target = tfs_min_u64(target, segments->options.segment_size_max);
    target = tfs_min_u64(target, segments->active_allocated + spare);
    return tfs_max_u64(target, end);
}

static int allocate_locked(struct tfs_segments *segments, uint64_t end)
    TFS_REQUIRES(&segments->lock)
{
    uint64_t from = segments->active_allocated;
    uint64_t target;
    int err;

    if (end <= from || !segments->can_allocate)
        return 0;
    target = allocate_target_locked(segments, end);
    err = file_allocate(segments->active, from, target - from);
    if (err == -ENOSPC && target > end) {
        target = end;
        err = file_allocate(segments->active, from, target - from);
    }
    if (err == -EOPNOTSUPP || err == -ENOSYS) {
        segments->can_allocate = false;
        return 0;
    }
    if (err < 0)
        return tfs_fail(segment_io_error(-err),
                        "segment %016" PRIx64 ": allocate up to %" PRIu64 ": %s",
                        segments->active->number, target, tfs_error_text(err));
    segment_budget_allocated(segments, (int64_t)(target - from));
    segments->active_allocated = target;
    segments->allocate_step = tfs_min_u64(2 * segments->allocate_step, allocate_step_max);
    return 0;
}

int segment_seal_locked(struct tfs_segments *segments)
{
    struct segment_file *file = segments->active;
    int err = 0;

    if (!file)
        return 0;
    segments->active = NULL;
    if (segments->active_allocated > segments->active_end) {
        /* Appends in flight lie below the end, so the cut does not touch them. */
        if (ftruncate(file->fd, (off_t)segments->active_end) < 0)
            err =
                tfs_fail(segment_io_error(errno), "segment %016" PRIx64 ": cut at %" PRIu64 ": %s",
                         file->number, segments->active_end, tfs_error_text(-errno));
        segment_budget_allocated(segments, (int64_t)segments->active_end -
                                               (int64_t)segments->active_allocated);
    }
    file = segment_file_put_locked(segments, file);
    segment_file_free(file);
    return err;
}

static int active_start_locked(struct tfs_segments *segments) TFS_REQUIRES(&segments->lock)
{
    uint64_t number;
    int err = segments->options.take_number(segments->options.context, &number);

    if (err < 0)
        return err;
    err = segment_file_create_locked(segments, number, &segments->active);
    if (err < 0)
        return err;
    segments->active_end = 0;
    segments->active_allocated = 0;
    return 0;
}

/* Make the active segment one that has room for `size` more bytes. */
static int active_prepare_locked(struct tfs_segments *segments, size_t size)
    TFS_REQUIRES(&segments->lock)
{
    int err;

    if (segments->active && segments->options.segment_size_max - segments->active_end < size) {
        err = segment_seal_locked(segments);
        if (err < 0)
            return err;
    }
    if (!segments->active) {
        err = active_start_locked(segments);
        if (err < 0)
            return err;
    }
    return allocate_locked(segments, segments->active_end + size);
}

static int range_reserve_locked(struct tfs_segments *segments, size_t size,
                                struct segment_file **ret_file, uint64_t *ret_offset)
    TFS_REQUIRES(&segments->lock)
{
    int err = segment_budget_take(segments, size);

    if (err < 0)
        return err;
    err = active_prepare_locked(segments, size);
    if (err < 0) {
        segment_budget_return(segments, size);
        return err;
    }
    segments->active->users++;
    *ret_file = segments->active;
    *ret_offset = segments->active_end;
    segments->active_end += size;
    return 0;
}

/* The write of a range ended. Returns: as segment_file_put_locked(). */
static struct segment_file *range_done_locked(struct tfs_segments *segments,
                                              struct segment_file *file, int err)
    TFS_REQUIRES(&segments->lock)
{
    if (err == 0)
        (void)tfs_group_note(&segments->appends); /* who needs the number reads it later */
    if (err == 0 && !file->dirty && file->in_table) {
        file->dirty = true;
        file->users++;
        list_push_back(&segments->dirty, &file->dirty_node);
    }
    return segment_file_put_locked(segments, file);
}

static int append_check(const struct tfs_segments *segments, const void *data, size_t size)
{
    if (segments->options.read_only)
        return -EROFS;
    if (size == 0 || size % SEGMENT_ALIGNMENT != 0 || (uintptr_t)data % SEGMENT_ALIGNMENT != 0)
        return tfs_fail(-EINVAL, "segments: append of %zu bytes at %p is not aligned", size, data);
    if (size > segments->options.segment_size_max)
        return tfs_fail(-EINVAL, "segments: append of %zu bytes, segments have %" PRIu64, size,
                        segments->options.segment_size_max);
    return 0;
}

int segments_append(struct tfs_segments *segments, const void *data, size_t size,
                    struct segment_position *ret)
{
    struct segment_file *file;
    uint64_t offset;
    uint64_t number;
    bool allocated;
    int err = append_check(segments, data, size);

    if (err < 0)
        return err;
    tfs_mutex_lock(&segments->lock);
    err = range_reserve_locked(segments, size, &file, &offset);
    allocated = segments->can_allocate;
    tfs_mutex_unlock(&segments->lock);
    if (err < 0)
        return err;

    number = file->number;
    err = segment_write(segments, file, data, size, offset);
    if (!allocated)
        segment_budget_allocated(segments, (int64_t)size);

    tfs_mutex_lock(&segments->lock);
    file = range_done_locked(segments, file, err);
    tfs_mutex_unlock(&segments->lock);
    segment_file_free(file);
    if (err == 0)
        *ret = (struct segment_position){.number = number, .offset = offset};
    return err;
}

int segments_seal(struct tfs_segments *segments)
{
    int err;

    tfs_mutex_lock(&segments->lock);
    err = segment_seal_locked(segments);
    tfs_mutex_unlock(&segments->lock);
    return err;
}

static int resume_locked(struct tfs_segments *segments, uint64_t number, uint64_t offset)
    TFS_REQUIRES(&segments->lock)
{
    struct segment_file *file;
    off_t size;
    int err;

    if (segments->active)
        return tfs_fail(-EBUSY, "segment %016" PRIx64 " is active already",
                        segments->active->number);
    err = segment_file_get_locked(segments, number, &file);
    if (err < 0)
        return err;
    size = lseek(file->fd, 0, SEEK_END);
    if (size < 0 || (uint64_t)size < offset)
        err = tfs_fail(-EUCLEAN, "segment %016" PRIx64 ": ends at %jd, go on at %" PRIu64, number,
                       (intmax_t)size, offset);
    else if (ftruncate(file->fd, (off_t)offset) < 0)
        err = tfs_fail(segment_io_error(errno), "segment %016" PRIx64 ": cut at %" PRIu64 ": %s",
                       number, offset, tfs_error_text(-errno));
    if (err < 0) {
        file = segment_file_put_locked(segments, file);
        segment_file_free(file);
        return err;
    }
    segments->active = file;
    segments->active_end = offset;
    segments->active_allocated = offset;
    segments->directory_dirty =
        true; /* the process before this one may have died before it synced the name */
    return 0;
}

int segments_resume(struct tfs_segments *segments, uint64_t number, uint64_t offset)
{
    int err;

    if (segments->options.read_only)
        return -EROFS;
    if (offset % SEGMENT_ALIGNMENT != 0 || offset > segments->options.segment_size_max)
        return tfs_fail(-EINVAL, "segment %016" PRIx64 ": cannot go on at %" PRIu64, number,
                        offset);
    tfs_mutex_lock(&segments->lock);
    err = resume_locked(segments, number, offset);
    tfs_mutex_unlock(&segments->lock);
    return err;
}
