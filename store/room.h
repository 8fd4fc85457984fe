/*
 * Room on the disk for what a writer is about to put into memory.
 */
#ifndef TFS_ROOM_H
#define TFS_ROOM_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

/*
 * Reserve `size` bytes for data of `writer`, see segments_reserve(). On a full disk the space of
 * removed files is given back first, and what the kernel is about to let go of is waited for a
 * little, as a local filesystem commits its journal before it says ENOSPC.
 *
 * Errors:  -ENOSPC, -EIO.
 * Threads: any; on a full disk it blocks on other files' gates, on commits and on the reclaim
 *          thread. The caller may be inside of the writer's gate, which has to be open.
 */
TFS_MUST_CHECK int room_reserve(struct tfs_volume *volume, struct tfs_inode *writer, uint64_t size);

#endif
