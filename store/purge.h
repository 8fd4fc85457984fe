/*
 * The end of an inode that has no name: its rows go in bounded batches, its frames die with them.
 * The orphan row goes last, so that a crash in between is continued at the next mount.
 *
 * Threads: takes volume->metadata for each batch; hold nothing.
 */
#ifndef TFS_PURGE_H
#define TFS_PURGE_H

#include "store/base/defs.h"

struct meta_inode;
struct tfs_volume;

/* Whether the index may have more of the inode than its record: rows or attributes. */
bool purge_has_work(const struct meta_inode *record);

TFS_MUST_CHECK int purge_inode(struct tfs_volume *volume, uint64_t inode);

/* Hand every orphan of the index to reclaim. */
TFS_MUST_CHECK int purge_find_orphans(struct tfs_volume *volume);

#endif
