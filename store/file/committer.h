/*
 * Commits of all files that differ from the index: every commit_interval, for syncfs, at unmount,
 * and of removed files when the disk is full.
 */
#ifndef TFS_COMMITTER_H
#define TFS_COMMITTER_H

#include "store/base/defs.h"

struct tfs_committer;
struct tfs_inode;
struct tfs_volume;

TFS_MUST_CHECK int committer_new(struct tfs_volume *volume, struct tfs_committer **ret);

/* Begin the thread that commits every commit_interval. Errors: -EAGAIN. */
TFS_MUST_CHECK int committer_start(struct tfs_committer *committer);
void committer_stop(struct tfs_committer *committer); /* accepts NULL, and to be called twice */
void committer_free(struct tfs_committer *committer); /* accepts NULL */

/* Write back and commit everything, durably. full: sizes that truncate gave too (unmount, syncfs).
 * Returns the first error. Blocks. */
TFS_MUST_CHECK int commit_all(struct tfs_volume *volume, bool full);

/*
 * On a full disk: let go of the files that have neither a name nor an open, which otherwise are
 * held until the next commit of everything. Returns whether others than `except` have no name and
 * are open. Blocks; may be called inside of the gate of an open file.
 */
bool commit_removed(struct tfs_volume *volume, const struct tfs_inode *except);

/* At the end of a mount: give up what could not be committed, with a line in the log for each file.
 */
void commit_abandon(struct tfs_volume *volume);

#endif
