/*
 * Reading, and giving space back: what concerns ranges and files that are written already.
 */
#include "store/base/error.h"
#include "store/segment/local_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Get the file for a range that must lie in it. Beyond the end of an active segment there is
 * preallocated space, which reads as zeros: that is refused here. For other segments the file's end
 * decides.
 */
static int range_get(struct local_segments *segments, struct segment_position at, uint64_t size,
                     struct local_file **ret)
{
    const struct local_head *head;
    uint64_t end;
    int err = 0;

    if (tfs_add_overflows(at.offset, size, &end) || end > INT64_MAX)
        return tfs_fail(-EUCLEAN, "segment %016" PRIx64 ": %" PRIu64 " bytes at %" PRIu64,
                        at.number, size, at.offset);
    tfs_mutex_lock(&segments->lock);
    head = local_head_of_locked(segments, at.number);
    if (head && end > head->end)
        err =
            tfs_fail(-EUCLEAN, "segment %016" PRIx64 ": ends at %" PRIu64 ", asked up to %" PRIu64,
                     at.number, head->end, end);
    if (err == 0)
        err = local_file_get_locked(segments, at.number, ret);
    tfs_mutex_unlock(&segments->lock);
    return err;
}

int local_read(struct segment_store *store, struct segment_position at, size_t size,
               const struct segment_pieces *into, size_t *ret_skip)
{
    struct local_segments *segments = local_of(store);
    struct local_file *file;
    size_t skip = 0;
    int err = range_get(segments, at, size, &file);

    if (err < 0)
        return err;
    if (atomic_load_explicit(&segments->direct, memory_order_relaxed))
        skip = at.offset % LOCAL_ALIGNMENT;
    err = local_file_read(segments, file, into, skip + size, at.offset - skip);
    local_file_put(segments, file);
    if (err == 0)
        *ret_skip = skip;
    return err;
}

static int file_punch(const struct local_file *file, uint64_t offset, uint64_t size)
{
    int result;

    do
        result = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                           (off_t)size);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return -EOPNOTSUPP;
    return tfs_fail(local_io_error(errno),
                    "segment %016" PRIx64 ": punch %" PRIu64 " at %" PRIu64 ": %s", file->number,
                    size, offset, tfs_error_text(-errno));
}

int local_punch(struct segment_store *store, struct segment_position at, uint64_t size)
{
    struct local_segments *segments = local_of(store);
    struct local_file *file;
    uint64_t from;
    uint64_t end;
    int err = range_get(segments, at, size, &file);

    if (err < 0)
        return err;
    from = tfs_align_up(at.offset, LOCAL_ALIGNMENT);
    end = tfs_align_down(at.offset + size, LOCAL_ALIGNMENT);
    if (from < end)
        err = file_punch(file, from, end - from);
    local_file_put(segments, file);
    return err;
}

static int remove_locked(struct local_segments *segments, uint64_t number, struct local_file **ret)
    TFS_REQUIRES(&segments->lock)
{
    char name[LOCAL_NAME_SIZE];
    int err;

    if (local_head_of_locked(segments, number))
        return tfs_fail(-EBUSY, "segment %016" PRIx64 " is active", number);
    /*
     * Opened first, so that the unlink is quick and the blocks are freed at the last close, without
     * the lock.
     */
    err = local_file_get_locked(segments, number, ret);
    if (err < 0)
        return err;
    local_name(number, name);
    if (unlinkat(segments->directory_fd, name, 0) < 0)
        err = tfs_fail(errno == ENOENT ? -ENOENT : local_io_error(errno),
                       "segment %016" PRIx64 ": unlink: %s", number, tfs_error_text(-errno));
    if (err == 0 || err == -ENOENT)
        local_file_forget_locked(segments, *ret);
    *ret = local_file_put_locked(segments, *ret);
    return err;
}

int local_remove(struct segment_store *store, uint64_t number)
{
    struct local_segments *segments = local_of(store);
    struct local_file *file = NULL;
    int err;

    tfs_mutex_lock(&segments->lock);
    err = remove_locked(segments, number, &file);
    tfs_mutex_unlock(&segments->lock);
    local_file_free(file);
    return err;
}

struct number_list {
    uint64_t *numbers;
    size_t count;
    size_t capacity;
};

static int number_list_add(struct number_list *list, uint64_t number)
{
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    uint64_t *numbers;

    if (list->count == list->capacity) {
        numbers = reallocarray(list->numbers, capacity, sizeof(*numbers));
        if (!numbers)
            return -ENOMEM;
        list->numbers = numbers;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
    return 0;
}

static void number_list_release(struct number_list *list)
{
    free(list->numbers);
}

static int numbers_read(DIR *directory, struct number_list *list)
{
    const struct dirent *entry;
    uint64_t number;
    int err;

    for (;;) {
        errno = 0;
        entry = readdir(directory);
        if (!entry)
            return errno ? tfs_fail(-EIO, "segments: readdir: %s", tfs_error_text(-errno)) : 0;
        if (local_name_parse(entry->d_name, &number) < 0)
            continue;
        err = number_list_add(list, number);
        if (err < 0)
            return err;
    }
}

static int numbers_collect(struct local_segments *segments, struct number_list *list)
{
    int fd = openat(segments->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    int err;

    if (!directory) {
        err = tfs_fail(-EIO, "segments: open the directory: %s", tfs_error_text(-errno));
        if (fd >= 0)
            (void)close(fd); /* nothing was written */
        return err;
    }
    err = numbers_read(directory, list);
    (void)closedir(directory); /* nothing was written */
    return err;
}

static int number_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* Errors: -ENOENT (removed since the directory was read), -EIO. */
static int status_get(struct local_segments *segments, uint64_t number, struct segment_status *ret)
{
    char name[LOCAL_NAME_SIZE];
    const struct local_head *head;
    struct stat status;

    local_name(number, name);
    if (fstatat(segments->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT
                   ? -ENOENT
                   : tfs_fail(-EIO, "segment '%s': stat: %s", name, tfs_error_text(-errno));
    *ret = (struct segment_status){
        .number = number,
        .size = (uint64_t)status.st_size,
        .allocated = (uint64_t)status.st_blocks * 512,
    };
    tfs_mutex_lock(&segments->lock);
    head = local_head_of_locked(segments, number);
    if (head) {
        ret->active = true;
        ret->size = head->end;
    }
    tfs_mutex_unlock(&segments->lock);
    return 0;
}

int local_visit(struct segment_store *store,
                int (*visit)(void *context, const struct segment_status *status), void *context)
{
    struct local_segments *segments = local_of(store);
    tfs_cleanup(number_list_release) struct number_list list = {0};
    struct segment_status status;
    int err = numbers_collect(segments, &list);

    if (err < 0)
        return err;
    if (list.count > 0)
        qsort(list.numbers, list.count, sizeof(*list.numbers), number_compare);
    for (size_t i = 0; i < list.count; i++) {
        err = status_get(segments, list.numbers[i], &status);
        if (err == -ENOENT)
            continue;
        if (err == 0)
            err = visit(context, &status);
        if (err < 0)
            return err;
    }
    return 0;
}
