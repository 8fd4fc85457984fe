/*
 * Requests in memory: a bounded pool of buffers that are used over and over.
 *
 * A buffer holds one message of the kernel. Its start is placed so that a WRITE's data, which come
 * 80 bytes into the message, lie on a page: they can be handed on and hashed without another copy.
 * Buffers are given out last in, first out, because memory that is touched for the first time is
 * slow on virtual machines (3 GB/s and less where it was measured), and memory in the cache is
 * fast.
 */
#ifndef TFS_FS_REQUEST_H
#define TFS_FS_REQUEST_H

#include "store/base/list.h"
#include "store/base/lock.h"

#include <linux/fuse.h>

enum {
    REQUEST_DATA_OFFSET = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in),
    REQUEST_SMALL_SIZE_MAX = 4096, /* up to here a waiting request is copied out of its buffer */
    REQUEST_SMALL_COUNT_MAX = 16384,
};

struct request {
    struct list node; /* in the pool's free list or in the gate's queue; theirs to guard */
    char *message;    /* struct fuse_in_header and what follows */
    size_t size;      /* of the message, bytes */
    bool is_small;    /* a copy on the heap */
};

struct request_pool {
    struct tfs_mutex lock; /* rank TFS_RANK_POOL */
    struct tfs_cond freed; /* a buffer came back, or the pool was closed */
    struct list free;      /* guarded by lock; last used first */
    struct request *slots; /* immutable; slot_count */
    char *memory;          /* immutable; one mapping for all */
    size_t memory_size;    /* immutable */
    size_t capacity;       /* immutable; bytes of one message */
    unsigned slot_count;   /* immutable */
    unsigned small_count;  /* guarded by lock; copies that wait */
    bool is_closed;        /* guarded by lock */
};

/*
 * Units:  capacity: bytes of the longest message; touched_count: buffers whose memory is touched
 *         now rather than at first use.
 * Errors: -ENOMEM.
 */
TFS_MUST_CHECK int request_pool_init(struct request_pool *pool, unsigned slot_count,
                                     unsigned touched_count, size_t capacity);

/* Every request has to be back. Accepts a zeroed pool. */
void request_pool_release(struct request_pool *pool);

/* Take a buffer; waits while all are in use. NULL when the pool was closed. */
struct request *request_pool_get(struct request_pool *pool);

/* Give a buffer or a small copy back. */
void request_pool_put(struct request_pool *pool, struct request *request);

/* Wakes everybody who waits for a buffer; nobody gets one any more. */
void request_pool_close(struct request_pool *pool);

/*
 * Make a request that will wait cheap to keep: a small one moves to the heap and its buffer is
 * free again. Where that is not possible the request stays what it is.
 *
 * Ownership: takes `request`, returns what to keep instead.
 */
struct request *request_make_small(struct request_pool *pool, struct request *request);

static inline const struct fuse_in_header *request_header(const struct request *request)
{
    return (const struct fuse_in_header *)(const void *)request->message;
}

#endif
