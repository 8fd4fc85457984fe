/*
 * Opening and closing a directory of segments, and what the disk beneath has.
 */
#include "store/base/error.h"
#include "store/segment/local_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The first preallocation; the steps double from here on. */
static const uint64_t allocate_step_min = 1 * TFS_MIB;

static void local_free(struct local_segments *segments)
{
    if (!segments)
        return;
    local_files_close(segments);
    if (segments->directory_fd >= 0)
        (void)close(segments->directory_fd); /* a directory, nothing to lose */
    tfs_mutex_release(&segments->lock);
    free(segments);
}

static void local_free_p(struct local_segments **segments)
{
    local_free(*segments);
}

static int local_new(const struct segments_options *options, struct segment_budget *budget,
                     struct local_segments **ret)
{
    struct local_segments *segments = calloc(1, sizeof(*segments));

    if (!segments)
        return -ENOMEM;
    segments->store.alignment = LOCAL_ALIGNMENT;
    segments->options = *options;
    segments->options.path = NULL;
    segments->budget = budget;
    segments->directory_fd = -1;
    atomic_init(&segments->direct, options->direct);
    tfs_mutex_init(&segments->lock, TFS_RANK_SEGMENT);
    for (int i = 0; i < LOCAL_BUCKET_COUNT; i++)
        list_init(&segments->buckets[i]);
    list_init(&segments->idle);
    list_init(&segments->dirty);
    list_init(&segments->syncing);
    segments->allocate_step = allocate_step_min;
    *ret = segments;
    return 0;
}

/* In memory space is taken page by page, under the file's lock, by whoever asks first: doing that
 * in advance spares no write anything. */
static bool allocation_pays(int fd)
{
    struct statfs status;

    return fstatfs(fd, &status) < 0 || status.f_type != TMPFS_MAGIC;
}

int local_open(const struct segments_options *options, struct segment_budget *budget,
               struct segment_store **ret)
{
    tfs_cleanup(local_free_p) struct local_segments *segments = NULL;
    int err = local_new(options, budget, &segments);

    if (err < 0)
        return err;
    segments->directory_fd = open(options->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (segments->directory_fd < 0)
        return tfs_fail(-errno, "segments '%s': open", options->path);
    segments->can_allocate = allocation_pays(segments->directory_fd);
    *ret = &TAKE_PTR(segments)->store;
    return 0;
}

void local_close(struct segment_store *store)
{
    local_free(local_of(store));
}

static uint64_t bytes_of(uint64_t blocks, uint64_t block_size)
{
    uint64_t bytes;

    return tfs_mul_overflows(blocks, block_size, &bytes) ? INT64_MAX : bytes;
}

int local_space(struct segment_store *store, struct segment_space *ret)
{
    const struct local_segments *segments = local_of(store);
    struct statvfs status;

    if (fstatvfs(segments->directory_fd, &status) < 0)
        return tfs_fail(-EIO, "segments: statvfs: %s", tfs_error_text(-errno));
    *ret = (struct segment_space){
        .total = bytes_of(status.f_blocks, status.f_frsize),
        .free = bytes_of(status.f_bfree, status.f_frsize),
        .available = bytes_of(status.f_bavail, status.f_frsize),
    };
    return 0;
}
