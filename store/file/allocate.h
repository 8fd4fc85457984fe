/*
 * Room for the holes of a range of a file: promised, and given back. See allocation.h, which keeps
 * count of it.
 */
#ifndef TFS_ALLOCATE_H
#define TFS_ALLOCATE_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

/*
 * Promise room for the holes of [from, to). The gate must be open. Errors: -ENOSPC, -EIO, -EUCLEAN.
 * Blocks as reservation_take() does.
 */
TFS_MUST_CHECK int allocate_range(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                                  uint64_t to);

/* Data was cut at `size`, or punched. With the gate closed. */
void allocate_cut(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size);
void allocate_punch(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to);

/* The last close: only holes are still to be stored; of a file without a name nothing. With the
 * gate closed. */
void allocate_settle(struct tfs_volume *volume, struct tfs_inode *inode);
void allocate_drop(struct tfs_volume *volume, struct tfs_inode *inode);

#endif
