/*
 * Opening and closing the store of segments.
 */
#include "store/base/error.h"
#include "store/segment/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The first preallocation; the steps double from here on. */
static const uint64_t allocate_step_min = 1 * TFS_MIB;

static void segments_free(struct tfs_segments *segments)
{
    if (!segments)
        return;
    segment_files_close(segments);
    if (segments->directory_fd >= 0)
        (void)close(segments->directory_fd); /* a directory, nothing to lose */
    segment_budget_release(&segments->budget);
    tfs_group_release(&segments->appends);
    tfs_mutex_release(&segments->lock);
    free(segments);
}

static void segments_free_p(struct tfs_segments **segments)
{
    segments_free(*segments);
}

static int segments_new(const struct segments_options *options, struct tfs_segments **ret)
{
    struct tfs_segments *segments = calloc(1, sizeof(*segments));

    if (!segments)
        return -ENOMEM;
    segments->options = *options;
    segments->options.path = NULL;
    segments->options.segment_size_max =
        tfs_align_down(options->segment_size_max, SEGMENT_ALIGNMENT);
    segments->directory_fd = -1;
    atomic_init(&segments->direct, options->direct);
    tfs_mutex_init(&segments->lock, TFS_RANK_SEGMENT);
    for (int i = 0; i < SEGMENT_BUCKET_COUNT; i++)
        list_init(&segments->buckets[i]);
    list_init(&segments->idle);
    list_init(&segments->dirty);
    list_init(&segments->syncing);
    segments->allocate_step = allocate_step_min;
    tfs_group_init(&segments->appends);
    segment_budget_init(&segments->budget);
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

int segments_open(const struct segments_options *options, struct tfs_segments **ret)
{
    tfs_cleanup(segments_free_p) struct tfs_segments *segments = NULL;
    int err;

    if (options->segment_size_max < SEGMENT_ALIGNMENT || options->segment_size_max > INT64_MAX)
        return tfs_fail(-EINVAL, "segments of %" PRIu64 " bytes", options->segment_size_max);
    assert(options->read_only || options->take_number);
    err = segments_new(options, &segments);
    if (err < 0)
        return err;
    segments->directory_fd = open(options->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (segments->directory_fd < 0)
        return tfs_fail(-errno, "segments '%s': open", options->path);
    segments->can_allocate = allocation_pays(segments->directory_fd);
    *ret = TAKE_PTR(segments);
    return 0;
}

int segments_close(struct tfs_segments *segments)
{
    int first;
    int err;

    if (!segments)
        return 0;
    first = segments_seal(segments);
    err = segments_sync(segments);
    segments_free(segments);
    return first < 0 ? first : err;
}
