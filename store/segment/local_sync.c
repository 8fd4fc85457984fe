/*
 * Making appends durable: all dirty files and, when one of them is new, the directory.
 *
 * A failed fdatasync is final: the kernel marks pages clean that never reached the disk and reports
 * the next sync as a success, so the error stays.
 */
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/segment/local_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

/*
 * Moves what is dirty now to the list of files to be synced. Returns: whether the directory is to
 * be synced too.
 */
static bool sync_begin(struct local_segments *segments)
{
    bool directory;

    tfs_mutex_lock(&segments->lock);
    list_splice_back(&segments->syncing, &segments->dirty);
    directory = segments->directory_dirty;
    segments->directory_dirty = false;
    tfs_mutex_unlock(&segments->lock);
    return directory;
}

/*
 * Appends that end from here on make the file dirty again, for the next sync; those that ended
 * before are covered.
 *
 * Returns: the next file to be synced, still counting the list as its user, or NULL.
 */
static struct local_file *sync_next(struct local_segments *segments)
{
    struct local_file *file = NULL;
    struct list *node;

    tfs_mutex_lock(&segments->lock);
    node = list_pop_front(&segments->syncing);
    if (node) {
        file = list_entry(node, struct local_file, dirty_node);
        file->dirty = false;
    }
    tfs_mutex_unlock(&segments->lock);
    return file;
}

static int file_sync(const struct local_file *file)
{
    if (fdatasync(file->fd) == 0)
        return 0;
    tfs_error("segment %016" PRIx64 ": sync failed, what was appended may be lost: %s",
              file->number, tfs_error_text(-errno));
    return tfs_fail(-EIO, "segment %016" PRIx64 ": fdatasync", file->number);
}

static int directory_sync(struct local_segments *segments)
{
    if (fsync(segments->directory_fd) == 0)
        return 0;
    tfs_error("segments: sync of the directory failed: %s", tfs_error_text(-errno));
    tfs_mutex_lock(&segments->lock);
    segments->directory_dirty = true;
    tfs_mutex_unlock(&segments->lock);
    return tfs_fail(-EIO, "segments: fsync of the directory");
}

int local_sync(struct segment_store *store)
{
    struct local_segments *segments = local_of(store);
    struct local_file *file;
    bool directory = sync_begin(segments);
    int first = 0;
    int err;

    while ((file = sync_next(segments))) {
        err = file_sync(file);
        local_file_put(segments, file);
        first = first < 0 ? first : err;
    }
    err = directory ? directory_sync(segments) : 0;
    return first < 0 ? first : err;
}
