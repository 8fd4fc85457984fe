/*
 * The end of an inode that has no name: its rows go in bounded batches, its frames die with them.
 * The orphan row goes last, so that a crash in between is continued at the next mount.
 *
 * Threads: takes volume->metadata for each batch; hold nothing.
 */
#ifndef TFS_PURGE_H
#define TFS_PURGE_H

#include "store/base/defs.h"

struct tfs_volume;

TFS_MUST_CHECK int purge_inode(struct tfs_volume *volume, uint64_t inode);

/* Hand every orphan of the index to reclaim. */
TFS_MUST_CHECK int purge_find_orphans(struct tfs_volume *volume);

#endif
