/*
 * Opening, closing, flushing and syncing files, and the errors of the background.
 */
#include "store/file/file.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/file/allocate.h"
#include "store/file/resize.h"
#include "store/inode/data.h"
#include "store/inode/stuck_mark.h"
#include "store/writeback/commit.h"
#include "store/writeback/flush.h"
#include "store/writeback/stuck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int tfs_file_open(struct tfs_volume *volume, uint64_t number, int flags, struct tfs_file **ret)
{
    bool writable = (flags & O_ACCMODE) != O_RDONLY;
    struct tfs_inode *inode;
    struct tfs_file *file;
    int err = writable || flags & O_TRUNC ? volume_check_writable(volume) : 0;

    if (!err)
        err = inode_get(volume, number, &inode);
    if (err)
        return err;
    file = calloc(1, sizeof(*file));
    if (!file)
        err = -ENOMEM;
    else if (!inode->data)
        err = S_ISDIR(inode->type) ? -EISDIR : -EINVAL;
    else if (flags & O_TRUNC)
        err = resize_truncate(volume, inode, 0);
    if (err) {
        free(file);
        inode_put(volume, inode);
        return err;
    }
    *file = (struct tfs_file){.volume = volume,
                              .inode = inode,
                              .writable = writable,
                              .changes = writable || flags & O_TRUNC,
                              .reads_move_atime =
                                  !volume_is_noatime(volume) && !volume->options.read_only,
                              .each_read_moves_atime = volume->options.strictatime};
    tfs_mutex_lock(&inode->lock);
    file->errors_seen = inode->data->error_count;
    tfs_mutex_unlock(&inode->lock);
    inode_opened(volume, inode);
    *ret = file;
    return 0;
}

bool file_discard_removed(struct tfs_volume *volume, struct tfs_inode *inode)
{
    bool removed;

    if (inode_record(inode).nlink > 0 || inode_is_open(volume, inode))
        return false;
    if (!inode->data)
        return true;
    data_enter_exclusive(inode);
    removed = !inode_is_open(volume, inode);
    if (removed) {
        data_discard_dirty(volume, inode);
        allocate_drop(volume, inode);
    }
    data_leave_exclusive(inode);
    return removed;
}

/* The file ends before the first stuck byte that would read as zeros. The gate is closed. */
static void give_up_stuck(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct stuck_bytes stuck = stuck_measure(inode);
    int err = 0;

    if (stuck.byte_count == 0)
        return;
    if (stuck.cut < UINT64_MAX)
        err = resize_cut(volume, inode, stuck.cut);
    if (!err)
        stuck_give_up(volume, inode, &stuck);
    else /* zeros would show: it stays, and is tried again with the next commit of all */
        tfs_error("inode %llu: cannot be cut to %llu bytes, before what is lost: %s",
                  (unsigned long long)inode->number, (unsigned long long)stuck.cut,
                  tfs_error_text(err));
}

void file_give_up_stuck(struct tfs_volume *volume, struct tfs_inode *inode)
{
    if (inode_is_open(volume, inode) || !stuck_is_any(inode))
        return;
    data_enter_exclusive(inode);
    if (!inode_is_open(volume, inode)) /* else it is his who opened it, and his close comes here */
        give_up_stuck(volume, inode);
    data_leave_exclusive(inode);
}

static void settle_allocation(struct tfs_volume *volume, struct tfs_inode *inode)
{
    data_enter_exclusive(inode);
    if (!inode_is_open(volume, inode)) /* else there is another last close to come */
        allocate_settle(volume, inode);
    data_leave_exclusive(inode);
}

/*
 * The last close. Data of a file without a name is not needed any more. What is stuck is given up,
 * after every open had its chance to be told: kept, it would hold the memory that other writers
 * wait for. It is tried once more, for the last writer may have completed its blocks.
 */
static void last_close(struct tfs_volume *volume, struct tfs_inode *inode)
{
    if (inode_record(inode).nlink == 0)
        (void)file_discard_removed(volume, inode); /* or somebody has it again */
    else if (stuck_is_any(inode) && flush_inode(volume, inode) < 0)
        file_give_up_stuck(volume, inode);
    if (allocation_is_to_settle(inode))
        settle_allocation(volume, inode);
    tfs_mutex_lock(&inode->lock);
    lost_forget_locked(inode, 0, UINT64_MAX); /* told to all who had it open */
    tfs_mutex_unlock(&inode->lock);
}

void tfs_file_close(struct tfs_file *file)
{
    if (!file)
        return;
    if (inode_closed(file->volume, file->inode))
        last_close(file->volume, file->inode);
    inode_put(file->volume, file->inode);
    free(file);
}

bool tfs_file_close_is_ready(const struct tfs_file *file)
{
    struct tfs_inode *inode = file->inode;
    bool ready;

    tfs_mutex_lock(&inode->lock);
    ready = list_is_empty(&inode->data->unflushed);
    tfs_mutex_unlock(&inode->lock);
    return ready;
}

void tfs_file_set_cached_above(struct tfs_file *file)
{
    file->cached_above = true;
}

uint64_t tfs_file_inode(const struct tfs_file *file)
{
    return file->inode->number;
}

int file_take_error(struct tfs_file *file)
{
    struct tfs_data *data = file->inode->data;
    int err = 0;

    tfs_mutex_lock(&file->inode->lock);
    if (file->errors_seen != data->error_count) {
        file->errors_seen = data->error_count;
        err = data->last_error;
    }
    tfs_mutex_unlock(&file->inode->lock);
    return err;
}

int file_kill_privileges(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_setattr change = {.fields = TFS_SET_KILL_PRIVILEGES};
    struct meta_inode record = inode_record(inode);
    struct tfs_attr unused;

    if (!(record.mode & (S_ISUID | S_ISGID)) && !(record.flags & META_INODE_HAS_CAPABILITY))
        return 0;
    return tfs_setattr(volume, inode->number, &change, &unused);
}

/* After an error here was reported, the same one is not reported again by file_take_error(). */
static int report(struct tfs_file *file, int err)
{
    int earlier = file_take_error(file);

    return err ? err : earlier;
}

int tfs_file_flush(struct tfs_file *file)
{
    if (!file->changes)
        return 0;
    return report(file, commit_inode(file->volume, file->inode, COMMIT_ORDERED));
}

int tfs_file_sync(struct tfs_file *file, bool data_only)
{
    (void)data_only; /* size and extents are one record with the attributes: leaving them out saves
                        nothing */
    tfs_counter_add(&file->volume->stats.syncs, 1);
    if (file->volume->options.read_only)
        return 0;
    return report(file, commit_inode(file->volume, file->inode, COMMIT_DURABLE));
}
