/*
 * The open segments, above their engine. Nothing outside of store/segment/ includes it.
 */
#ifndef TFS_SEGMENT_INTERNAL_H
#define TFS_SEGMENT_INTERNAL_H

#include "store/base/group.h"
#include "store/base/lock.h"
#include "store/segment/engine.h"

/* Signed: others write too. */
struct segment_budget {
    const struct segment_engine *engine; /* immutable, as are the next two: who is asked */
    struct segment_store *store;
    uint64_t reserve_size; /* bytes that appends leave free */

    struct tfs_mutex lock; /* rank TFS_RANK_LEAF; guards the rest */
    int64_t left;          /* bytes that may still be appended, reserve_size already taken off */
    int64_t unused;        /* preallocated and not appended to; negative: on the way to the disk */
    uint64_t reserved;     /* promised by segments_reserve() */
    uint64_t kept;         /* and by segments_keep(), to be reserved later */
    uint64_t total;        /* of the disk */
    int64_t kept_back;     /* free, but not for appends: reserve_size, and the disk's own reserve */
    uint64_t looked_at_ns; /* 0: never */
};

struct tfs_segments {
    const struct segment_engine *engine; /* immutable, as are the next three */
    struct segment_store *store;
    bool read_only;
    uint64_t segment_size_max; /* a multiple of the alignment */

    struct tfs_mutex lock;    /* rank TFS_RANK_LEAF */
    struct tfs_group appends; /* guarded by lock */

    struct segment_budget budget;
};

/* segment_space.c */

void segment_budget_init(struct segment_budget *budget);
void segment_budget_release(struct segment_budget *budget);

/* The engine is open: whom to ask, and how much to leave free, a part of all between the two. */
void segment_budget_begin(struct segment_budget *budget, const struct segment_engine *engine,
                          struct segment_store *store, const struct segments_options *options);

#endif
