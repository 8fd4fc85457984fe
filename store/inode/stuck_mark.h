/*
 * The marks of what is stuck: see stuck.h.
 */
#ifndef TFS_STUCK_MARK_H
#define TFS_STUCK_MARK_H

#include "store/inode/chunk.h"

/* For the flush that has the chunk: what is at the front or at the back of a slot's bytes cannot be
 * completed to a whole unit; or the chunk's row cannot be read, so nothing of it can be written. */
void stuck_mark_slot(struct tfs_chunk *chunk, uint32_t slot, uint32_t unit, bool front, bool back);
void stuck_mark_chunk(struct tfs_chunk *chunk);

/* Whether anything is stuck. The first with the inode's lock. */
bool stuck_is_chunk_locked(const struct tfs_chunk *chunk);
bool stuck_is_any(struct tfs_inode *inode);

#endif
