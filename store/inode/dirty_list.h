/*
 * The dirty chunks of all files that are neither queued for write-back nor in flight, oldest first;
 * those that damage keeps from it (stuck.h) apart. Two lists and nothing more: flush.c works them
 * off.
 *
 * A chunk's place changes together with its state, so all calls but the last are made with its
 * inode's lock.
 * Threads: any; takes a lock of rank FLUSH.
 */
#ifndef TFS_DIRTY_LIST_H
#define TFS_DIRTY_LIST_H

#include "store/base/list.h"
#include "store/base/lock.h"

struct tfs_chunk;

struct dirty_list {
    struct tfs_mutex lock; /* rank TFS_RANK_FLUSH; guards both, and what flush.c counts with them */
    struct list chunks;
    struct list stuck;
};

void dirty_list_init(struct dirty_list *list);
void dirty_list_release(struct dirty_list *list);

/* The chunk became dirty, or could not be written back; damage is the reason when it is stuck. */
void dirty_list_add(struct dirty_list *list, struct tfs_chunk *chunk, bool stuck);

/* It is not dirty any more, or in flight. Harmless when it is on no list. */
void dirty_list_remove(struct dirty_list *list, struct tfs_chunk *chunk);

/* Takes the oldest chunk, or the oldest stuck one, off its list; NULL: there is none. Called with
 * `lock`, and without the inode's: the chunk may be written back and gone as soon as it is let go.
 */
struct tfs_chunk *dirty_list_take_oldest_locked(struct dirty_list *list, bool stuck)
    TFS_REQUIRES(&list->lock);

#endif
