/*
 * What is dead and waits for reclaim: frames that no row shows any more, inodes without a name, and
 * files with rows behind their end. A list and a signal, nothing more: reclaim.c works it off.
 *
 * Threads: any; takes a lock of rank RECLAIM.
 */
#ifndef TFS_DEAD_LIST_H
#define TFS_DEAD_LIST_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/tables/row.h"

struct tfs_refcounts;

/* Dead frames behind each other: what was written together mostly dies together. */
struct dead_stretch {
    uint64_t segment;
    uint64_t offset;
    uint64_t size;
    uint64_t commit_number; /* the highest of its frames */
};

/* A growing array that is taken as a whole. */
struct dead_stretches {
    struct dead_stretch *items;
    size_t count;
    size_t capacity;
};

struct dead_inode {
    struct list node;
    uint64_t number;
    bool has_name; /* only the rows behind its end are dead */
};

struct tfs_dead_list {
    struct tfs_refcounts *refcounts; /* immutable */
    struct tfs_mutex lock;           /* rank TFS_RANK_RECLAIM; guards all below */
    struct tfs_cond work;            /* kicked, or what the worker itself waits for */
    struct dead_stretches stretches;
    struct list inodes;
    bool kicked;
    bool gathering; /* the worker lets more come before it begins, and is not woken */
};

TFS_MUST_CHECK int dead_list_new(struct tfs_refcounts *refcounts, struct tfs_dead_list **ret);
void dead_list_free(struct tfs_dead_list *list); /* accepts NULL */

/* The frame is dead since the commit with this number; 0: it never was in the index. */
void dead_list_add_frame(struct tfs_dead_list *list, const struct frame_ref *frame,
                         uint64_t commit_number);

/* The inode has no name and nobody uses it: purge it. */
void dead_list_add_inode(struct tfs_dead_list *list, uint64_t inode);

/* The file has rows behind its end: remove them. It may be in use. */
void dead_list_add_cut_rows(struct tfs_dead_list *list, uint64_t inode);

/* Something became durable: look again. */
void dead_list_kick(struct tfs_dead_list *list);

/* ---- for the worker ---- */

void dead_list_kick_locked(struct tfs_dead_list *list) TFS_REQUIRES(&list->lock);

/* So much waits for a sync that it should not be waited for. */
bool dead_list_is_crowded(struct tfs_dead_list *list);

/* All stretches of frames; items are the caller's, free(). Those whose commit is not durable yet
 * are to be put back. */
struct dead_stretches dead_list_take_stretches(struct tfs_dead_list *list);
void dead_list_put_back_locked(struct tfs_dead_list *list, const struct dead_stretch *stretch)
    TFS_REQUIRES(&list->lock);

/* Moves all inodes, struct dead_inode, to `ret`; they are the caller's, free(). */
void dead_list_take_inodes(struct tfs_dead_list *list, struct list *ret);

#endif
