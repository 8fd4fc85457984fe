/*
 * Commits: what is in memory of a file (rows, size, times) becomes what the index has.
 *
 * A file that differs from the index is on the list of commit_list.h. It is committed by fsync,
 * before it gets another name, every commit_interval, and at unmount (committer.h). Requests that
 * come together are committed together: one sync of the segments, one batch, one sync of the index.
 *
 * Order within a commit: take the rows, sync the segments, write the batch, sync the
 * index. Rows that appear after they were taken wait for the next commit.
 */
#ifndef TFS_COMMIT_H
#define TFS_COMMIT_H

#include "store/base/defs.h"

struct tfs_commit;
struct tfs_inode;
struct tfs_volume;

TFS_MUST_CHECK int commit_new(struct tfs_volume *volume, struct tfs_commit **ret);
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

/* ---- for committer.c ---- */

struct commit_request;

/* Promises the file as it is now: the next commit shows it, or what others have made of it since.
 * Nothing is promised of what could not be written back. Errors:
 * of flush_inode(). */
TFS_MUST_CHECK int commit_write_back(struct tfs_volume *volume, struct tfs_inode *inode,
                                     bool full_size);

/* Has all the requests committed. Returns the first error. Blocks. */
TFS_MUST_CHECK int commit_submit(struct tfs_volume *volume, struct commit_request *requests,
                                 size_t count);

/* Takes the inode off the list unless something came meanwhile. */
void commit_note_clean(struct tfs_volume *volume, struct tfs_inode *inode);

#endif
