/*
 * Appends. A range of a head's segment is reserved under the lock and written outside of it, so
 * appends overlap.
 *
 * Space is preallocated ahead, extending the file's size too: writes into it change no size, so
 * O_DIRECT writes run side by side and a sync has less to journal. The steps double, so that a
 * small store does not look like a large one.
 *
 *   1. A segment's end only grows; a range is handed out once, even when its write failed.
 *   2. Every byte below the end lies inside the file or is about to be written.
 *   3. A file with a completed append is on the dirty list until a sync has begun to cover it.
 */
#include "store/base/error.h"
#include "store/segment/local_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static const uint64_t allocate_step_max = 64 * TFS_MIB;

static int file_allocate(const struct local_file *file, uint64_t offset, uint64_t size)
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
static uint64_t allocate_target_locked(struct local_segments *segments,
                                       const struct local_head *head, uint64_t end)
    TFS_REQUIRES(&segments->lock)
{
    uint64_t target = tfs_max_u64(end, head->allocated + segments->allocate_step);
    uint64_t spare = tfs_align_down(segment_budget_spare(segments->budget), LOCAL_ALIGNMENT);

    target = tfs_min_u64(target, segments->options.segment_size_max);
    target = tfs_min_u64(target, head->allocated + spare);
    return tfs_max_u64(target, end);
}

/* Gives back what a head has in advance. Appends in flight lie below its end, so the cut does not
 * touch them. */
static int head_cut_locked(struct local_segments *segments, struct local_head *head)
    TFS_REQUIRES(&segments->lock)
{
    int err = 0;

    if (!head->file || head->allocated <= head->end)
        return 0;
    if (ftruncate(head->file->fd, (off_t)head->end) < 0)
        err = tfs_fail(local_io_error(errno), "segment %016" PRIx64 ": cut at %" PRIu64 ": %s",
                       head->file->number, head->end, tfs_error_text(-errno));
    segment_budget_allocated(segments->budget, (int64_t)head->end - (int64_t)head->allocated);
    head->allocated = head->end;
    return err;
}

/* When the reserve is all that is left, other heads give back what they have in advance. The budget
 * counts that as free, for whoever comes first. */
static int make_room_locked(struct local_segments *segments, const struct local_head *head,
                            uint64_t size) TFS_REQUIRES(&segments->lock)
{
    int first = 0;

    for (int i = 0; i < LOCAL_HEADS_MAX && segment_budget_spare(segments->budget) < size; i++) {
        int err = head == &segments->heads[i] ? 0 : head_cut_locked(segments, &segments->heads[i]);

        first = first < 0 ? first : err;
    }
    return first;
}

static int allocate_locked(struct local_segments *segments, struct local_head *head, uint64_t end)
    TFS_REQUIRES(&segments->lock)
{
    uint64_t from = head->allocated;
    uint64_t target;
    int err;

    if (end <= from || !segments->can_allocate)
        return 0;
    err = make_room_locked(segments, head, end - from);
    if (err < 0)
        return err;
    target = allocate_target_locked(segments, head, end);
    err = file_allocate(head->file, from, target - from);
    if (err == -ENOSPC && target > end) {
        target = end;
        err = file_allocate(head->file, from, target - from);
    }
    if (err == -EOPNOTSUPP || err == -ENOSYS) {
        segments->can_allocate = false;
        return 0;
    }
    if (err < 0)
        return tfs_fail(local_io_error(-err),
                        "segment %016" PRIx64 ": allocate up to %" PRIu64 ": %s",
                        head->file->number, target, tfs_error_text(err));
    segment_budget_allocated(segments->budget, (int64_t)(target - from));
    head->allocated = target;
    segments->allocate_step = tfs_min_u64(2 * segments->allocate_step, allocate_step_max);
    return 0;
}

/* Gives back preallocated space; the next append here starts a new segment. */
static int head_seal_locked(struct local_segments *segments, struct local_head *head)
    TFS_REQUIRES(&segments->lock)
{
    struct local_file *file = head->file;
    int err = head_cut_locked(segments, head);

    if (!file)
        return 0;
    head->file = NULL;
    file = local_file_put_locked(segments, file);
    local_file_free(file);
    return err;
}

static int head_start_locked(struct local_segments *segments, struct local_head *head)
    TFS_REQUIRES(&segments->lock)
{
    uint64_t number;
    int err = segments->options.take_number(segments->options.context, &number);

    if (err < 0)
        return err;
    err = local_file_create_locked(segments, number, &head->file);
    if (err < 0)
        return err;
    head->end = 0;
    head->allocated = 0;
    return 0;
}

/* Make the head's segment one that has room for `size` more bytes. */
static int head_prepare_locked(struct local_segments *segments, struct local_head *head,
                               size_t size) TFS_REQUIRES(&segments->lock)
{
    int err;

    if (head->file && segments->options.segment_size_max - head->end < size) {
        err = head_seal_locked(segments, head);
        if (err < 0)
            return err;
    }
    if (!head->file) {
        err = head_start_locked(segments, head);
        if (err < 0)
            return err;
    }
    return allocate_locked(segments, head, head->end + size);
}

/*
 * O_DIRECT writes into space that the file has already run side by side. All others hold the file's
 * lock while the bytes are copied, and whoever waits for it spins: they go to different files.
 */
static struct local_head *head_choose_locked(struct local_segments *segments)
    TFS_REQUIRES(&segments->lock)
{
    bool overlap =
        segments->can_allocate && atomic_load_explicit(&segments->direct, memory_order_relaxed);
    struct local_head *idlest = &segments->heads[0];

    for (int i = 1; !overlap && i < LOCAL_HEADS_MAX && idlest->writers > 0; i++) {
        if (segments->heads[i].writers < idlest->writers)
            idlest = &segments->heads[i];
    }
    return idlest;
}

const struct local_head *local_head_of_locked(const struct local_segments *segments,
                                              uint64_t number)
{
    for (int i = 0; i < LOCAL_HEADS_MAX; i++) {
        if (segments->heads[i].file && segments->heads[i].file->number == number)
            return &segments->heads[i];
    }
    return NULL;
}

/* An append on its way. */
struct append {
    struct local_head *head;
    struct local_file *file; /* of the head when the append began */
    uint64_t offset;
};

static int append_begin_locked(struct local_segments *segments, size_t size, struct append *ret)
    TFS_REQUIRES(&segments->lock)
{
    struct local_head *head = head_choose_locked(segments);
    int err = segment_budget_take(segments->budget, size);

    if (err < 0)
        return err;
    err = head_prepare_locked(segments, head, size);
    if (err < 0) {
        segment_budget_return(segments->budget, size);
        return err;
    }
    *ret = (struct append){.head = head, .file = head->file, .offset = head->end};
    head->file->users++;
    head->writers++;
    head->end += size;
    return 0;
}

/* The write ended. Returns: as local_file_put_locked(). */
static struct local_file *append_end_locked(struct local_segments *segments,
                                            const struct append *append, int err)
    TFS_REQUIRES(&segments->lock)
{
    struct local_file *file = append->file;

    append->head->writers--;
    if (err == 0 && !file->dirty && file->in_table) {
        file->dirty = true;
        file->users++;
        list_push_back(&segments->dirty, &file->dirty_node);
    }
    return local_file_put_locked(segments, file);
}

int local_append(struct segment_store *store, const struct segment_pieces *from,
                 struct segment_position *ret)
{
    struct local_segments *segments = local_of(store);
    struct append append;
    struct local_file *file;
    uint64_t number;
    bool allocated;
    int err;

    tfs_mutex_lock(&segments->lock);
    err = append_begin_locked(segments, from->size, &append);
    allocated = segments->can_allocate;
    tfs_mutex_unlock(&segments->lock);
    if (err < 0)
        return err;

    number = append.file->number;
    err = local_file_write(segments, append.file, from, append.offset);
    if (!allocated)
        segment_budget_allocated(segments->budget, (int64_t)from->size);

    tfs_mutex_lock(&segments->lock);
    file = append_end_locked(segments, &append, err);
    tfs_mutex_unlock(&segments->lock);
    local_file_free(file);
    if (err == 0)
        *ret = (struct segment_position){.number = number, .offset = append.offset};
    return err;
}

int local_seal(struct segment_store *store)
{
    struct local_segments *segments = local_of(store);
    int first = 0;

    tfs_mutex_lock(&segments->lock);
    for (int i = 0; i < LOCAL_HEADS_MAX; i++) {
        int err = head_seal_locked(segments, &segments->heads[i]);

        first = first < 0 ? first : err;
    }
    tfs_mutex_unlock(&segments->lock);
    return first;
}

bool local_is_active(struct segment_store *store, uint64_t number)
{
    struct local_segments *segments = local_of(store);
    bool active;

    tfs_mutex_lock(&segments->lock);
    active = local_head_of_locked(segments, number) != NULL;
    tfs_mutex_unlock(&segments->lock);
    return active;
}

static int resume_locked(struct local_segments *segments, uint64_t number, uint64_t offset)
    TFS_REQUIRES(&segments->lock)
{
    struct local_head *head = &segments->heads[0];
    struct local_file *file;
    off_t size;
    int err;

    if (head->file)
        return tfs_fail(-EBUSY, "segment %016" PRIx64 " is active already", head->file->number);
    err = local_file_get_locked(segments, number, &file);
    if (err < 0)
        return err;
    size = lseek(file->fd, 0, SEEK_END);
    if (size < 0 || (uint64_t)size < offset)
        err = tfs_fail(-EUCLEAN, "segment %016" PRIx64 ": ends at %jd, go on at %" PRIu64, number,
                       (intmax_t)size, offset);
    else if (ftruncate(file->fd, (off_t)offset) < 0)
        err = tfs_fail(local_io_error(errno), "segment %016" PRIx64 ": cut at %" PRIu64 ": %s",
                       number, offset, tfs_error_text(-errno));
    if (err < 0) {
        file = local_file_put_locked(segments, file);
        local_file_free(file);
        return err;
    }
    *head = (struct local_head){.file = file, .end = offset, .allocated = offset};
    segments->directory_dirty =
        true; /* the process before this one may have died before it synced the name */
    return 0;
}

int local_resume(struct segment_store *store, uint64_t number, uint64_t offset)
{
    struct local_segments *segments = local_of(store);
    int err;

    tfs_mutex_lock(&segments->lock);
    err = resume_locked(segments, number, offset);
    tfs_mutex_unlock(&segments->lock);
    return err;
}
