/*
 * Bytes that cannot be written back because of damage: a block is encoded whole, and what a write
 * left of it cannot be read. Such bytes are *stuck*. Nothing can be done for them, except that
 * somebody writes the rest of the block, as a file is restored; so they stay in memory while the
 * file is open. At the last close they are given up, they alone: what stands beside them in blocks
 * of its own is written. Where write-back fails for another reason, a full disk or one that fails,
 * nothing is stuck: that is tried again for as long as the store is mounted.
 */
#ifndef TFS_STUCK_H
#define TFS_STUCK_H

#include "store/chunk.h"

/* For the flush that has the chunk: the blocks at the front or at the back of a slot's bytes cannot
 * be completed; or the chunk's row cannot be read, so nothing of it can be written. */
void stuck_mark_slot(struct tfs_chunk *chunk, uint32_t slot, bool front, bool back);
void stuck_mark_chunk(struct tfs_chunk *chunk);

/* Whether anything is stuck. The first with the inode's lock. */
bool stuck_is_chunk_locked(const struct tfs_chunk *chunk);
bool stuck_is_any(struct tfs_inode *inode);

/*
 * Give up what is stuck in the file, with a line in the log, and send off what stood beside it. The
 * file ends before the first such byte that would read as zeros. Nobody has the file open, and its
 * gate is closed.
 */
void stuck_give_up(struct tfs_volume *volume, struct tfs_inode *inode);

/*
 * The same of one chunk of a file that is in use, as far as committed bytes show in the place of
 * what goes: for who needs the memory. Called without locks, by a user of the chunk, who holds no
 * chunk.
 */
void stuck_relieve(struct tfs_volume *volume, struct tfs_chunk *chunk);

#endif
