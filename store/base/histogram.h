/*
 * Durations counted in buckets that double: bucket i holds those of less than 2^i microseconds, the
 * last one all the rest. Relaxed atomics: they are statistics, nothing is decided by them.
 */
#ifndef TFS_BASE_HISTOGRAM_H
#define TFS_BASE_HISTOGRAM_H

#include "store/base/defs.h"

#include <stdatomic.h>

enum { TFS_HISTOGRAM_BUCKETS = 26 }; /* the last limit is 2^25 us, half a minute */

struct tfs_histogram {
    _Atomic uint64_t count;
    _Atomic uint64_t total_ns;
    _Atomic uint64_t buckets[TFS_HISTOGRAM_BUCKETS];
};

/* What was counted; each number is one that was true at some moment. */
struct tfs_histogram_sum {
    uint64_t count;
    uint64_t total_ns;
    uint64_t buckets[TFS_HISTOGRAM_BUCKETS];
};

static inline unsigned tfs_histogram_bucket(uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned bucket = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

    return bucket < TFS_HISTOGRAM_BUCKETS ? bucket : TFS_HISTOGRAM_BUCKETS - 1;
}

/* Threads: any; three relaxed additions. */
static inline void tfs_histogram_add(struct tfs_histogram *histogram, uint64_t ns)
{
    atomic_fetch_add_explicit(&histogram->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->total_ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->buckets[tfs_histogram_bucket(ns)], 1,
                              memory_order_relaxed);
}

/* Threads: one writer; no atomic addition is needed then. */
static inline void tfs_histogram_add_alone(struct tfs_histogram *histogram, uint64_t ns)
{
    _Atomic uint64_t *bucket = &histogram->buckets[tfs_histogram_bucket(ns)];

    atomic_store_explicit(&histogram->count,
                          atomic_load_explicit(&histogram->count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&histogram->total_ns,
                          atomic_load_explicit(&histogram->total_ns, memory_order_relaxed) + ns,
                          memory_order_relaxed);
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Adds what was counted to *sum. */
static inline void tfs_histogram_sum_up(const struct tfs_histogram *histogram,
                                        struct tfs_histogram_sum *sum)
{
    sum->count += atomic_load_explicit(&histogram->count, memory_order_relaxed);
    sum->total_ns += atomic_load_explicit(&histogram->total_ns, memory_order_relaxed);
    for (unsigned i = 0; i < TFS_HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
}

#endif
