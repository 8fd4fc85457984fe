/*
 * The memory budget for data: one pool of equal buffers, shared by dirty chunks and decoded blocks.
 *
 * Buffers are FRAME_BUFFER_SIZE bytes, 4 KiB-aligned, in one region that asks for huge pages; they
 * are recycled last in, first out, so that memory once touched is used again. Dirty data may take
 * all but a reserve that loads can always count on; decoded blocks take what is free and are
 * evicted when somebody needs a buffer.
 *
 * Memory that is touched for the first time costs more than writing to the disk does (the kernel
 * clears it, on virtual machines at 3 GB/s and less), so warm buffers are preferred: once
 * `warm_count` are in use, a taker first lets recycle() give some back, and a writer waits a moment
 * for write-back to do so.
 *
 * Whoever needs several buffers takes them together, before it holds anything that another taker
 * may wait for.
 *
 * Threads: any. Takes a lock of rank POOL, and calls the hooks without it.
 */
#ifndef TFS_MEMORY_H
#define TFS_MEMORY_H

#include "store/base/defs.h"

struct tfs_memory;

struct memory_options {
    size_t buffer_count;
    size_t dirty_count_max; /* less than buffer_count */
    size_t warm_count;      /* so many are touched without asking */

    /* Give back up to `count` buffers of clean data by memory_give_clean(); returns how many. */
    size_t (*evict)(void *context, size_t count);

    /* The same of clean data that nobody will miss. NULL: there is none. */
    size_t (*recycle)(void *context, size_t count);

    /* A writer waits: write dirty data back now. A negative errno ends the wait, because that
     * cannot succeed. */
    int (*relieve)(void *context);

    void *context;
};

TFS_MUST_CHECK int memory_new(const struct memory_options *options, struct tfs_memory **ret);
void memory_free(struct tfs_memory *memory);

/* Touch the first `warm_count` buffers, so that no request has to. May run beside everything else.
 */
void memory_prefault(struct tfs_memory *memory);

/* `count` buffers for dirty data, all or none. Waits, in the order of the callers. Errors: of
 * relieve(). */
TFS_MUST_CHECK int memory_take_dirty(struct tfs_memory *memory, size_t count, void **ret);

/* `count` buffers for loads, all or none. Waits, when asked to, else -EAGAIN. */
TFS_MUST_CHECK int memory_take_clean(struct tfs_memory *memory, size_t count, bool wait,
                                     void **ret);

void memory_give_dirty(struct tfs_memory *memory, size_t count, void **buffers);
void memory_give_clean(struct tfs_memory *memory, size_t count, void **buffers);

/* Whether there are warm buffers to spare, so that clean data may keep one that was written back.
 */
bool memory_has_warm_spare(struct tfs_memory *memory);

/* A dirty buffer was written back and stays as clean data. */
void memory_dirty_to_clean(struct tfs_memory *memory, size_t count);

struct memory_status {
    size_t buffer_count;
    size_t free_count;
    size_t untouched_count; /* of the free ones */
    size_t dirty_count;
    uint64_t waits; /* how often a taker had to wait */
};
void memory_get_status(struct tfs_memory *memory, struct memory_status *ret);

#endif
