/*
 * The inodes that differ from the index and are to be committed, oldest first. A list and nothing
 * more: commit.c works it off.
 *
 * An inode on the list is pinned. It leaves the list only when, under both locks, nothing of it is
 * left to commit: changes are noted with the inode's lock, so none is missed.
 *
 * Threads: any; takes a lock of rank COMMIT.
 */
#ifndef TFS_COMMIT_LIST_H
#define TFS_COMMIT_LIST_H

#include "store/base/defs.h"

struct tfs_commit_list;
struct tfs_inode;
struct tfs_volume;

TFS_MUST_CHECK int commit_list_new(struct tfs_commit_list **ret);
void commit_list_free(struct tfs_commit_list *list); /* accepts NULL */

/* The inode has something to commit. Called with the inode's lock, or without. */
void commit_list_note(struct tfs_volume *volume, struct tfs_inode *inode);

/* Nothing of it is left to commit. Called with the inode's lock. Returns whether it was on the
 * list: then its pin is the caller's, to be given back without the lock. */
TFS_MUST_CHECK bool commit_list_remove_locked(struct tfs_volume *volume, struct tfs_inode *inode);

bool commit_list_has(struct tfs_volume *volume, const struct tfs_inode *inode);
uint64_t commit_list_count(struct tfs_commit_list *list);

/* All inodes on the list, each pinned once more for the caller, who frees the array. NULL: no
 * memory. */
struct tfs_inode **commit_list_pin_all(struct tfs_volume *volume, size_t *ret_count);

#endif
