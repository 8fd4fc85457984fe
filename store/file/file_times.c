/*
 * The times that reading a file moves.
 */
#include "store/base/clock.h"
#include "store/file/file.h"
#include "store/inode/data.h"

enum { RELATIME_SECONDS = 24 * 60 * 60 };

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

void file_note_read_locked(struct tfs_file *file)
{
    struct tfs_inode *inode = file->inode;
    struct timespec now = tfs_clock_real();
    struct meta_inode *record = &inode->record;

    if (file->each_read_moves_atime || !is_before(&record->mtime, &record->atime) ||
        !is_before(&record->ctime, &record->atime) ||
        now.tv_sec - record->atime.tv_sec >= RELATIME_SECONDS) {
        record->atime = now;
        data_times_changed_locked(file->volume, inode);
    }
}
