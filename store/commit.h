/*
 * Commits: what is in memory of a file (rows, size, times) becomes what the index has.
 *
 * A file that differs from the index is on the list of commit_list.h. It is committed
 * by fsync, before it gets another name, every commit_interval, and at unmount. Requests that come
 * together are committed together: one sync of the segments, one batch, one sync of the index.
 *
 * Order within a commit (invariant 2): take the rows, sync the segments, write the batch, sync the
 * index. Rows that appear after they were taken wait for the next commit.
 */
#ifndef TFS_COMMIT_H
#define TFS_COMMIT_H

#include "store/base/defs.h"

struct tfs_commit;
struct tfs_inode;
struct tfs_volume;

TFS_MUST_CHECK int commit_new(struct tfs_volume *volume, struct tfs_commit **ret);

/* Begin the thread that commits every commit_interval. */
TFS_MUST_CHECK int commit_start(struct tfs_commit *commit);
void commit_stop(struct tfs_commit *commit); /* accepts NULL */
void commit_free(struct tfs_commit *commit); /* accepts NULL */

enum commit_strength {
    COMMIT_ORDERED, /* in the index, after its data is durable; the index may still lose it in a
                       power cut */
    COMMIT_DURABLE, /* survives a power cut */
};

/*
 * Write back and commit one file: everything written before this call, and its full size.
 * Errors: of the write-back, the segments or the index. Blocks.
 */
TFS_MUST_CHECK int commit_inode(struct tfs_volume *volume, struct tfs_inode *inode,
                                enum commit_strength strength);

/* Commit what is written back of one file, without promising anything: for who needs the memory.
 * Errors as above. Blocks; the caller may be in the file's gate. */
TFS_MUST_CHECK int commit_rows(struct tfs_volume *volume, struct tfs_inode *inode);

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
