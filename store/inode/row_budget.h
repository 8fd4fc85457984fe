/*
 * Rows that are not committed yet are kept in memory with their chunks, and count: who writes while
 * there are many commits those of his file first, as who writes while there is much dirty data
 * waits for write-back.
 */
#ifndef TFS_ROW_BUDGET_H
#define TFS_ROW_BUDGET_H

#include "store/base/defs.h"

struct tfs_chunk;
struct tfs_inode;
struct tfs_volume;

/* The chunk's row was changed or committed. With the inode's lock. */
void row_budget_note_locked(struct tfs_volume *volume, struct tfs_chunk *chunk);

/* There are many, and a good part of them is this file's: its writers are to commit it first. */
bool row_budget_is_spent(struct tfs_volume *volume, struct tfs_inode *inode);

/* What all files' rows take now. */
uint64_t row_budget_used(struct tfs_volume *volume);

#endif
