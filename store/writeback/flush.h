/*
 * Write-back: dirty chunks become frames in segments (or in the row, when small). Workers encode
 * and append; what they made waits in the chunk's row for the next commit.
 *
 * A chunk is written back when it is complete, when its file is flushed, synced or committed, or
 * when a writer waits for memory.
 */
#ifndef TFS_FLUSH_H
#define TFS_FLUSH_H

#include "store/base/defs.h"

struct tfs_chunk;
struct tfs_flush;
struct tfs_inode;
struct tfs_scratch;
struct tfs_volume;

TFS_MUST_CHECK int flush_new(struct tfs_volume *volume, struct tfs_flush **ret);
void flush_free(struct tfs_flush *flush); /* accepts NULL; what is queued is written first */

/* Queue a dirty chunk, unless it is queued or in flight. Called with the inode's lock. */
void flush_submit_locked(struct tfs_flush *flush, struct tfs_chunk *chunk);

/* Wait until no more than `concurrency` chunks are in flight: the writers' back-pressure. */
void flush_wait_turn(struct tfs_flush *flush);

/*
 * Write back everything that was dirty in the inode before this call. The caller's thread helps.
 * Errors: of the chunks that could not be written; they stay dirty and are tried again at the next
 * flush.
 */
TFS_MUST_CHECK int flush_inode(struct tfs_volume *volume, struct tfs_inode *inode);

/* Begin the same without waiting. */
void flush_inode_start(struct tfs_volume *volume, struct tfs_inode *inode);

/* For the memory pool: queue the oldest dirty chunks. -ENOSPC or -EIO when write-back cannot
 * succeed now. */
TFS_MUST_CHECK int flush_relieve(struct tfs_flush *flush);

/* The scratch of the worker that runs an idle job, from what the job was given. */
struct tfs_scratch *flush_scratch_of(void *worker_scratch);

/* Chunks queued or in flight now. */
unsigned flush_in_flight(struct tfs_flush *flush);

#endif
