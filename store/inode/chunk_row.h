/*
 * Rows of chunks in memory, for who changes the rows of a file in the index past its commits:
 * copies and compaction. Called with the inode's lock.
 */
#ifndef TFS_CHUNK_ROW_H
#define TFS_CHUNK_ROW_H

#include "store/inode/chunk.h"

/* The chunk's row is the index's, and no commit is writing another. Its dirty bytes lie over it. */
bool chunk_row_is_committed_locked(const struct tfs_chunk *chunk);

/* The index has `row` (a reference is taken) in the place of the chunk's row, which is committed,
 * or has been forgotten. */
void chunk_row_exchange_locked(struct tfs_chunk *chunk, struct tfs_row *row);

/* The index has another row: it is read again when it is asked for. */
void chunk_row_forget_locked(struct tfs_chunk *chunk);

#endif
