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

#include "store/inode/chunk.h"

/* What is stuck in a file, in its bytes. */
struct stuck_bytes {
    uint64_t from;
    uint64_t to;
    uint64_t byte_count;
    uint64_t cut; /* the file has to end here before they go, or zeros would show; UINT64_MAX: it
                     need not */
};

/* Nobody has the file open, and its gate is closed; as for the next. */
struct stuck_bytes stuck_measure(struct tfs_inode *inode);

/* Give up what was measured, with a line in the log, and send off what stood beside it. The file
 * was cut where it has to be. */
void stuck_give_up(struct tfs_volume *volume, struct tfs_inode *inode,
                   const struct stuck_bytes *stuck);

/*
 * Give up what is stuck in one chunk of a file that is in use, as far as committed bytes show in
 * the place of what goes: for who needs the memory. Called without locks, by a user of the chunk,
 * who holds no chunk.
 */
void stuck_relieve(struct tfs_volume *volume, struct tfs_chunk *chunk);

#endif
