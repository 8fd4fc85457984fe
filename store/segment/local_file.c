/*
 * Open files by number. A file that nobody uses stays open for a while, at most
 * LOCAL_FILES_IDLE_MAX of them.
 *
 * A file is looked up, opened and removed under the lock, so that no reader brings a removed one
 * back into the table.
 */
#include "store/base/error.h"
#include "store/base/regular.h"
#include "store/segment/local_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_DIGITS = 16 };

void local_name(uint64_t number, char name[LOCAL_NAME_SIZE])
{
    (void)snprintf(name, LOCAL_NAME_SIZE, "%016" PRIx64 ".seg", number); /* fits exactly */
}

int local_name_parse(const char *name, uint64_t *ret)
{
    uint64_t number = 0;

    for (int i = 0; i < NAME_DIGITS; i++) {
        char digit = name[i];

        if (digit >= '0' && digit <= '9')
            number = number << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            number = number << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return -EINVAL;
    }
    if (number == 0 || strcmp(name + NAME_DIGITS, ".seg") != 0)
        return -EINVAL;
    *ret = number;
    return 0;
}

static struct list *bucket_of(struct local_segments *segments, uint64_t number)
{
    return &segments->buckets[number & (LOCAL_BUCKET_COUNT - 1)];
}

static struct local_file *file_find_locked(struct local_segments *segments, uint64_t number)
    TFS_REQUIRES(&segments->lock)
{
    struct list *bucket = bucket_of(segments, number);
    struct list *node;

    list_for_each (node, bucket) {
        struct local_file *file = list_entry(node, struct local_file, bucket_node);

        if (file->number == number)
            return file;
    }
    return NULL;
}

static void idle_remove_locked(struct local_segments *segments, struct local_file *file)
    TFS_REQUIRES(&segments->lock)
{
    list_remove(&file->idle_node);
    segments->idle_count--;
}

/*
 * Opens with O_DIRECT as long as the filesystem takes it. Returns: the descriptor or a negative
 * errno.
 */
static int file_open(struct local_segments *segments, const char *name, int flags)
{
    int fd;

    if (atomic_load_explicit(&segments->direct, memory_order_relaxed)) {
        fd = tfs_regular_open(segments->directory_fd, name, flags | O_DIRECT);
        if (fd != -EINVAL)
            return fd;
        atomic_store_explicit(&segments->direct, false, memory_order_relaxed);
        /* Some kernels create the file before they refuse the flag. */
        if (flags & O_EXCL)
            (void)unlinkat(segments->directory_fd, name, 0);
    }
    return tfs_regular_open(segments->directory_fd, name, flags);
}

static int file_add_locked(struct local_segments *segments, uint64_t number, int flags,
                           struct local_file **ret) TFS_REQUIRES(&segments->lock)
{
    struct local_file *file = calloc(1, sizeof(*file));
    char name[LOCAL_NAME_SIZE];

    if (!file)
        return -ENOMEM;
    local_name(number, name);
    file->fd = file_open(segments, name, flags);
    if (file->fd < 0) {
        int err = file->fd;

        free(file);
        return err;
    }
    file->number = number;
    file->users = 1;
    file->in_table = true;
    list_init(&file->idle_node);
    list_init(&file->dirty_node);
    list_push_front(bucket_of(segments, number), &file->bucket_node);
    *ret = file;
    return 0;
}

int local_file_get_locked(struct local_segments *segments, uint64_t number, struct local_file **ret)
{
    struct local_file *file = file_find_locked(segments, number);
    int err;

    if (file) {
        if (file->users == 0)
            idle_remove_locked(segments, file);
        file->users++;
        *ret = file;
        return 0;
    }
    err = file_add_locked(segments, number, segments->options.read_only ? O_RDONLY : O_RDWR, ret);
    if (err < 0 && err != -ENOENT && err != -ENOMEM && err != -EUCLEAN)
        return tfs_fail(-EIO, "segment %016" PRIx64 ": open: %s", number, tfs_error_text(err));
    return err;
}

int local_file_create_locked(struct local_segments *segments, uint64_t number,
                             struct local_file **ret)
{
    int err = file_add_locked(segments, number, O_RDWR | O_CREAT | O_EXCL, ret);

    if (err == -EEXIST)
        return tfs_fail(-EUCLEAN, "segment %016" PRIx64 " is new, but there is a file", number);
    if (err < 0)
        return tfs_fail(local_io_error(-err), "segment %016" PRIx64 ": create: %s", number,
                        tfs_error_text(err));
    segments->directory_dirty = true;
    return 0;
}

void local_file_free(struct local_file *file)
{
    if (!file)
        return;
    (void)close(
        file->fd); /* what had to be durable was synced, and close reports nothing on Linux */
    free(file);
}

struct local_file *local_file_put_locked(struct local_segments *segments, struct local_file *file)
{
    assert(file->users > 0);
    file->users--;
    if (file->users > 0)
        return NULL;
    if (!file->in_table)
        return file;

    list_push_back(&segments->idle, &file->idle_node);
    segments->idle_count++;
    if (segments->idle_count <= LOCAL_FILES_IDLE_MAX)
        return NULL;
    file = list_entry(segments->idle.next, struct local_file, idle_node);
    idle_remove_locked(segments, file);
    list_remove(&file->bucket_node);
    return file;
}

void local_file_put(struct local_segments *segments, struct local_file *file)
{
    tfs_mutex_lock(&segments->lock);
    file = local_file_put_locked(segments, file);
    tfs_mutex_unlock(&segments->lock);
    local_file_free(file);
}

void local_file_forget_locked(struct local_segments *segments, struct local_file *file)
{
    list_remove(&file->bucket_node);
    file->in_table = false;
    if (!file->dirty)
        return;
    list_remove(&file->dirty_node); /* nobody needs what it holds */
    file->dirty = false;
    file->users--;
    assert(file->users > 0); /* the one who removes it */
}

void local_files_close(struct local_segments *segments)
{
    struct list *node;

    for (int i = 0; i < LOCAL_BUCKET_COUNT; i++)
        while ((node = list_pop_front(&segments->buckets[i])))
            local_file_free(list_entry(node, struct local_file, bucket_node));
}
