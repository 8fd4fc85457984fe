/*
 * An engine of the segments: a table of functions. segment.h's own code calls them, nobody else. A
 * directory of local files is the first (local_engine.c); the unit tests have one in memory.
 *
 * Common to all engines, and above the table: what may be asked at all (read-only, alignment,
 * limits), group sync and which errors stay (segment.c), the budget of the disk (segment_space.c).
 *
 * An engine promises:
 *
 * 1. What was appended never changes, until it is punched or its segment removed. A range of a
 *    segment is handed out once, even when its append failed.
 * 2. Once append() has returned, the memory is the caller's again, read() finds the bytes, and
 *    every sync() that begins later and returns 0 makes them durable, with the segment's name.
 * 3. A number is of one segment for ever: take_number is asked for each new one, and a segment that
 *    is there already is not appended to but by resume().
 * 4. A read finds what was appended, or fails: what lies behind the end of the appends is no data.
 * 5. Nothing outside of the engine's own place is read or changed: it follows no links.
 *
 * An engine may keep what was appended to itself before sync(), may begin as many segments as it
 * likes, and may have several that take appends.
 *
 * Errors of sync(): -ETIMEDOUT when the engine cannot be reached now, and the call may be made
 * again; all others are final: what they covered may be lost.
 */
#ifndef TFS_SEGMENT_ENGINE_H
#define TFS_SEGMENT_ENGINE_H

#include "store/base/lock.h"
#include "store/segment/segment.h"

struct segment_budget;

/* What an engine has open. Its own struct begins with this. Immutable while it is open. */
struct segment_store {
    /* A power of two, at most SEGMENT_ALIGNMENT: memory, sizes and places of appends are multiples
     * of it, and what is punched are whole units of it. */
    uint32_t alignment;
};

/* Memory of one transfer. */
struct segment_pieces {
    const struct iovec *pieces; /* borrowed */
    int count;                  /* 1..SEGMENT_PIECES_MAX */
    size_t size;                /* of all together */
};

struct segment_engine {
    const char *name;

    /* Of the store's directory, the folder where its files are, which is there before open(); NULL:
     * it has none. */
    const char *folder;

    /* budget: kept until close(); see segment_budget_take(). Errors: as segments_open(). */
    int (*open)(const struct segments_options *options, struct segment_budget *budget,
                struct segment_store **ret);

    /* No other call is in progress; all has been synced if it could be. */
    void (*close)(struct segment_store *store);

    /* As segments_resume(); NULL where others may read what is there: every mount begins segments
     * of its own. */
    int (*resume)(struct segment_store *store, uint64_t number, uint64_t offset);

    /* As segments_appendv(). At most options.segment_size_max bytes. */
    int (*append)(struct segment_store *store, const struct segment_pieces *from,
                  struct segment_position *ret);

    /* As promise 2. One call at a time. */
    int (*sync)(struct segment_store *store);

    /* Read `size` bytes from anywhere. An engine with an alignment may begin at the unit's start:
     * the bytes asked for are behind the first *ret_skip bytes of the pieces, which have room for
     * that. What of them is behind may change too. Errors: as segments_read(). */
    int (*read)(struct segment_store *store, struct segment_position at, size_t size,
                const struct segment_pieces *into, size_t *ret_skip);

    /* As segments_punch(); NULL where it cannot be. */
    int (*punch)(struct segment_store *store, struct segment_position at, uint64_t size);

    /* As the functions of segment.h of these names. */
    int (*remove)(struct segment_store *store, uint64_t number);
    int (*seal)(struct segment_store *store);
    bool (*is_active)(struct segment_store *store, uint64_t number);
    int (*visit)(struct segment_store *store,
                 int (*visit)(void *context, const struct segment_status *status), void *context);

    /* What there is and what is left for the segments, before anything is reserved. `free` counts
     * what is kept for root. An engine without such a limit says INT64_MAX. Errors: -EIO. */
    int (*space)(struct segment_store *store, struct segment_space *ret);
};

/* The engine of segments_options that name none. */
extern const struct segment_engine segment_local;

/*
 * The budget is what the space has left for appends, as of the last look plus what happened since.
 * An engine takes the size of an append from it first, and says when space came to a file in
 * another way: preallocation is such. Threads: any, may hold locks of its own.
 */

/* Take `size` bytes for an append. Errors: -ENOSPC when the reserve would be touched; -EIO. */
TFS_MUST_CHECK int segment_budget_take(struct segment_budget *budget, uint64_t size);

/* Give back what was taken for an append that did not happen. */
void segment_budget_return(struct segment_budget *budget, uint64_t size);

/* How many bytes may be preallocated without touching the reserve, taken appends included. */
uint64_t segment_budget_spare(struct segment_budget *budget);

/* The disk gave space to a file (preallocated, or by a finished write); negative: got it back. */
void segment_budget_allocated(struct segment_budget *budget, int64_t size);

#endif
