/*
 * Open files, for the modules that implement the public calls on them.
 */
#ifndef TFS_FILE_H
#define TFS_FILE_H

#include "store/inode/inode.h"
#include "store/volume.h"

struct tfs_file {
    struct tfs_volume *volume;
    struct tfs_inode *inode; /* opened, and pinned */
    uint64_t errors_seen;  /* background errors that this open has reported; guarded by the inode's
                              lock */
    bool writable;         /* immutable */
    bool changes;          /* writable, or truncated by the open: its close commits; immutable */
    bool reads_move_atime; /* immutable */
    bool each_read_moves_atime; /* immutable */
    bool cached_above;          /* see tfs_file_set_cached_above(); set before the first read */
};

/* The error of a background flush that this open has not reported yet, or 0. */
TFS_MUST_CHECK int file_take_error(struct tfs_file *file);

/* A read moves the access time as relatime does: when it is not newer than the last change, or a
 * day old. With strictatime each does. */
void file_note_read_locked(struct tfs_file *file);

/* For write(2) and truncate(2) by others than the owner: drop setuid, setgid and capabilities, when
 * there are any. */
TFS_MUST_CHECK int file_kill_privileges(struct tfs_volume *volume, struct tfs_inode *inode);

/* The first byte of [from, to) that is dirty or shown by a row (or that is not); `to` when there is
 * none. The gate is entered or closed. Errors: -EIO, -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int64_t file_seek(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                                 uint64_t to, bool data);

/* As tfs_file_read(), but not as a program's: no time moves, nothing is read ahead. */
TFS_MUST_CHECK int file_look(struct tfs_file *file, uint64_t offset, size_t size,
                             struct tfs_read *ret);

/*
 * Give up what is dirty of a file that has neither a name nor an open: nobody needs it, and on a
 * full disk it could never be written back. Returns: false, and nothing was done, when the inode
 * has one of them. May wait until others have left the file's gate; the caller must not be inside.
 */
bool file_discard_removed(struct tfs_volume *volume, struct tfs_inode *inode);

/* Give up what damage keeps from being written back of a file that nobody has open: stuck.h.
 * Waiting as above. */
void file_give_up_stuck(struct tfs_volume *volume, struct tfs_inode *inode);

#endif
