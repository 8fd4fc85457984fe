/*
 * Scratch memory. It is touched and grown once and then used again and again: on virtual machines
 * memory that a process touches for the first time costs more than decoding into it.
 */
#include "store/read/scratch.h"

#include "store/base/lock.h"
#include "store/codec/frame.h"
#include "store/segment/segment.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE_SIZE = 2 << 20 };

struct tfs_scratch_pool {
    struct tfs_mutex lock; /* rank TFS_RANK_POOL */
    struct tfs_cond given;
    struct tfs_scratch *free; /* guarded by lock */
};

size_t scratch_capacity_for_frames(void)
{
    size_t frame = frame_header_size(FRAME_BLOCKS_MAX) + FRAME_RAW_SIZE_MAX;

    return tfs_align_up(frame, SEGMENT_ALIGNMENT) + 2 * SEGMENT_ALIGNMENT;
}

size_t scratch_capacity_for_requests(void)
{
    /* A request that is not aligned touches one unit more than its size says. */
    size_t range = TFS_READ_SIZE_MAX + FRAME_BUFFER_SIZE + frame_header_size(FRAME_BLOCKS_MAX);

    return tfs_align_up(range, SEGMENT_ALIGNMENT) + 2 * SEGMENT_ALIGNMENT;
}

int scratch_new(size_t capacity, struct tfs_scratch **ret)
{
    struct tfs_scratch *scratch = calloc(1, sizeof(*scratch));
    int err;

    if (!scratch)
        return -ENOMEM;
    scratch->capacity = capacity;
    scratch->bytes = aligned_alloc(HUGE_PAGE_SIZE, tfs_align_up(capacity, HUGE_PAGE_SIZE));
    if (scratch->bytes) /* only faster: direct I/O pins few pages instead of many */
        (void)madvise(scratch->bytes, capacity, MADV_HUGEPAGE);
    err = scratch->bytes ? codec_ctx_new(&scratch->codec) : -ENOMEM;
    if (err) {
        scratch_free(scratch);
        return err;
    }
    *ret = scratch;
    return 0;
}

void scratch_free(struct tfs_scratch *scratch)
{
    if (!scratch)
        return;
    codec_ctx_free(scratch->codec);
    free(scratch->bytes);
    free(scratch);
}

int scratch_pool_new(unsigned count, size_t capacity, struct tfs_scratch_pool **ret)
{
    struct tfs_scratch_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return -ENOMEM;
    tfs_mutex_init(&pool->lock, TFS_RANK_POOL);
    tfs_cond_init(&pool->given);
    for (unsigned i = 0; i < count; i++) {
        struct tfs_scratch *scratch;
        int err = scratch_new(capacity, &scratch);

        if (err) {
            scratch_pool_free(pool);
            return err;
        }
        scratch->next = pool->free;
        pool->free = scratch;
    }
    *ret = pool;
    return 0;
}

void scratch_pool_free(struct tfs_scratch_pool *pool)
{
    if (!pool)
        return;
    while (pool->free) {
        struct tfs_scratch *scratch = pool->free;

        pool->free = scratch->next;
        scratch_free(scratch);
    }
    tfs_cond_release(&pool->given);
    tfs_mutex_release(&pool->lock);
    free(pool);
}

struct tfs_scratch *scratch_pool_take(struct tfs_scratch_pool *pool)
{
    struct tfs_scratch *scratch;

    tfs_mutex_lock(&pool->lock);
    while (!pool->free)
        tfs_cond_wait(&pool->given, &pool->lock);
    scratch = pool->free;
    pool->free = scratch->next;
    tfs_mutex_unlock(&pool->lock);
    return scratch;
}

struct tfs_scratch *scratch_pool_try_take(struct tfs_scratch_pool *pool)
{
    struct tfs_scratch *scratch;

    tfs_mutex_lock(&pool->lock);
    scratch = pool->free;
    if (scratch)
        pool->free = scratch->next;
    tfs_mutex_unlock(&pool->lock);
    return scratch;
}

void scratch_pool_give(struct tfs_scratch_pool *pool, struct tfs_scratch *scratch)
{
    tfs_mutex_lock(&pool->lock);
    scratch->next = pool->free;
    pool->free = scratch;
    tfs_cond_signal(&pool->given);
    tfs_mutex_unlock(&pool->lock);
}
