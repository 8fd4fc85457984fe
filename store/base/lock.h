/*
 * Mutexes with a rank, and conditions.
 *
 * A thread may only take a lock whose rank is higher than every rank it holds. Debug builds assert
 * it; the order is documented in docs/ARCHITECTURE.md and is the order of the enum below. clang's
 * thread-safety analysis sees the lock functions through the attributes.
 */
#ifndef TFS_BASE_LOCK_H
#define TFS_BASE_LOCK_H

#include "store/base/defs.h"

#include <pthread.h>

#if defined(__clang__)
#define TFS_CAPABILITY       __attribute__((capability("mutex")))
#define TFS_ACQUIRES(...)    __attribute__((acquire_capability(__VA_ARGS__)))
#define TFS_RELEASES(...)    __attribute__((release_capability(__VA_ARGS__)))
#define TFS_REQUIRES(...)    __attribute__((requires_capability(__VA_ARGS__)))
#define TFS_NO_LOCK_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define TFS_CAPABILITY
#define TFS_ACQUIRES(...)
#define TFS_RELEASES(...)
#define TFS_REQUIRES(...)
#define TFS_NO_LOCK_ANALYSIS
#endif

/* Outermost first. Two locks of one rank are never held together. */
enum tfs_lock_rank {
    TFS_RANK_FS_UPCALL,   /* fs: whether there is a mount that the store can tell something */
    TFS_RANK_FS_LOOP,     /* fs: the request loop's queues */
    TFS_RANK_NAMESPACE,   /* store: changes of the index, one at a time */
    TFS_RANK_INODE,       /* store: attributes of one inode, and its data's chunks */
    TFS_RANK_FLUSH,       /* store: the list of dirty chunks */
    TFS_RANK_COMMIT,      /* store: the list of inodes to commit */
    TFS_RANK_RECLAIM,     /* store: dead frames and removed files */
    TFS_RANK_CACHE,       /* store: decoded blocks */
    TFS_RANK_SEGMENT,     /* segment: the segments that are written to */
    TFS_RANK_NUMBERS,     /* store: ranges of inode and segment numbers */
    TFS_RANK_INDEX,       /* index: the adapter's own state */
    TFS_RANK_POOL,        /* base and store: buffers and workers */
    TFS_RANK_INODE_TABLE, /* store: inode number -> inode in memory, and the counts of its holds */
    TFS_RANK_LEAF         /* taken with anything held, holds nothing else */
};

struct TFS_CAPABILITY tfs_mutex {
    pthread_mutex_t mutex;
    enum tfs_lock_rank rank;
};

/* Cannot fail: a default mutex needs no resources on Linux. Threads: none may use it yet. */
void tfs_mutex_init(struct tfs_mutex *mutex, enum tfs_lock_rank rank);
void tfs_mutex_release(struct tfs_mutex *mutex);

void tfs_mutex_lock(struct tfs_mutex *mutex) TFS_ACQUIRES(mutex);
void tfs_mutex_unlock(struct tfs_mutex *mutex) TFS_RELEASES(mutex);

/* Whether the calling thread holds none; for assertions. */
bool tfs_mutex_none_held(void);

struct tfs_cond {
    pthread_cond_t cond; /* on CLOCK_MONOTONIC */
};

void tfs_cond_init(struct tfs_cond *cond);
void tfs_cond_release(struct tfs_cond *cond);
void tfs_cond_signal(struct tfs_cond *cond);
void tfs_cond_broadcast(struct tfs_cond *cond);

/* Wakes spuriously, like every condition: wait in a loop. */
void tfs_cond_wait(struct tfs_cond *cond, struct tfs_mutex *mutex) TFS_REQUIRES(mutex);

/* Returns false when the time (monotonic, nanoseconds, see clock.h) has come. */
bool tfs_cond_wait_until(struct tfs_cond *cond, struct tfs_mutex *mutex, uint64_t deadline_ns)
    TFS_REQUIRES(mutex);

#endif
