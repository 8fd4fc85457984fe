/*
 * Scratch memory for encoding, decoding and direct I/O: a codec context and one aligned buffer.
 * Workers own one each; other threads borrow from a small pool, which also bounds how many of them
 * decode at the same time.
 */
#ifndef TFS_SCRATCH_H
#define TFS_SCRATCH_H

#include "store/base/defs.h"

struct codec_ctx;
struct tfs_scratch_pool;

struct tfs_scratch {
    struct codec_ctx *codec;
    uint8_t *bytes; /* aligned to SEGMENT_ALIGNMENT */
    size_t capacity;
    struct tfs_scratch *next; /* the pool's */
};

/* Room for any frame, encoded, padded, and read with its aligned surroundings. */
size_t scratch_capacity_for_frames(void);

/* Room for what one request of TFS_READ_SIZE_MAX needs of a frame. */
size_t scratch_capacity_for_requests(void);

TFS_MUST_CHECK int scratch_new(size_t capacity, struct tfs_scratch **ret);
void scratch_free(struct tfs_scratch *scratch); /* accepts NULL */

TFS_MUST_CHECK int scratch_pool_new(unsigned count, size_t capacity, struct tfs_scratch_pool **ret);
void scratch_pool_free(struct tfs_scratch_pool *pool); /* accepts NULL; all were given back */

/* Waits until one is free. A thread borrows one at a time. Threads: any; takes a lock of rank POOL.
 */
struct tfs_scratch *scratch_pool_take(struct tfs_scratch_pool *pool);
struct tfs_scratch *scratch_pool_try_take(struct tfs_scratch_pool *pool); /* NULL: none is free */
void scratch_pool_give(struct tfs_scratch_pool *pool, struct tfs_scratch *scratch);

#endif
