/*
 * Room on the disk for what a writer is about to put into memory.
 */
#ifndef TFS_RESERVATION_H
#define TFS_RESERVATION_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

/*
 * Reserve `size` bytes for data of `writer`, `lent` of them by its allocation: see
 * segments_reserve_kept(). On a full disk the space of removed files is given back first, and what
 * the kernel is about to let go of is waited for a little, as a local filesystem commits its
 * journal before it says ENOSPC.
 *
 * Errors:  -ENOSPC, -EIO.
 * Threads: any; on a full disk it blocks on other files' gates, on commits and on the reclaim
 *          thread. The caller may be inside of the writer's gate, which has to be open.
 */
TFS_MUST_CHECK int reservation_take(struct tfs_volume *volume, struct tfs_inode *writer,
                                    uint64_t size, uint64_t lent);

/* The same, to be kept for `writer`: see segments_keep(). */
TFS_MUST_CHECK int reservation_keep(struct tfs_volume *volume, struct tfs_inode *writer,
                                    uint64_t size);

#endif
