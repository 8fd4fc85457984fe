/*
 * Changes of a file's size and holes: truncate, holes, allocation. They are made in memory, with
 * the gate closed, and reach the index with the next commit like everything else.
 */
#ifndef TFS_RESIZE_H
#define TFS_RESIZE_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

/* Errors: -EISDIR, -EINVAL (not a file), -EFBIG. May block. */
TFS_MUST_CHECK int resize_truncate(struct tfs_volume *volume, struct tfs_inode *inode,
                                   uint64_t size);

/* The same to a smaller size, by a caller that holds the gate closed (data_enter_exclusive()). */
TFS_MUST_CHECK int resize_cut(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size);

#endif
