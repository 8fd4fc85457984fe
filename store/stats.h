/*
 * Counters of the volume. Relaxed atomics: they are statistics, nothing is decided or published by
 * them.
 */
#ifndef TFS_STATS_H
#define TFS_STATS_H

#include "store/base/histogram.h"

struct tfs_counter {
    atomic_uint_fast64_t value;
};

static inline void tfs_counter_add(struct tfs_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

static inline uint64_t tfs_counter_get(const struct tfs_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

struct tfs_stats {
    struct tfs_counter read_bytes;      /* asked for and answered */
    struct tfs_counter written_bytes;   /* taken from writers */
    struct tfs_counter flushed_chunks;  /* chunks encoded and handed to the segments */
    struct tfs_counter flushed_bytes;   /* their raw bytes */
    struct tfs_counter stored_bytes;    /* what they became */
    struct tfs_counter flush_failures;  /* chunks that could not be written back at a try */
    struct tfs_counter syncs;           /* requests for durability */
    struct tfs_counter commits;         /* batches they were served by */
    struct tfs_counter committed_files; /* files in all batches */
    struct tfs_counter rows_looked_up;  /* in the index, and decoded */
    struct tfs_counter prefetched;      /* chunks decoded ahead */
    struct tfs_counter checksum_errors; /* blocks or headers that did not verify */
    struct tfs_counter reclaimed_bytes; /* given back to the disk */
    struct tfs_histogram encode_time;   /* a chunk into frames, appended */
    struct tfs_histogram load_time;     /* units of a frame: read, verified, decoded */
    struct tfs_histogram commit_time;   /* a group of files: data synced, batch, index synced */
};

#endif
