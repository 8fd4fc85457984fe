#include "fs/request.h"

#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

/* One buffer's share of the mapping: a page in front whose end takes the headers, then the data. */
static size_t slot_stride(size_t capacity)
{
    return PAGE + tfs_align_up(capacity - REQUEST_DATA_OFFSET, PAGE);
}

int request_pool_init(struct request_pool *pool, unsigned slot_count, unsigned touched_count,
                      size_t capacity)
{
    size_t stride = slot_stride(capacity);

    assert(capacity >= REQUEST_DATA_OFFSET);
    memset(pool, 0, sizeof(*pool));
    pool->slots = calloc(slot_count, sizeof(*pool->slots));
    if (!pool->slots)
        return tfs_fail(-ENOMEM, "%u request buffers", slot_count);
    pool->memory_size = stride * slot_count;
    pool->memory = mmap(NULL, pool->memory_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool->memory == MAP_FAILED) {
        free(pool->slots);
        memset(pool, 0, sizeof(*pool));
        return tfs_fail(-ENOMEM, "%u request buffers of %zu bytes", slot_count, stride);
    }
    pool->slot_count = slot_count;
    pool->capacity = capacity;
    tfs_mutex_init(&pool->lock, TFS_RANK_POOL);
    tfs_cond_init(&pool->freed);
    list_init(&pool->free);
    for (unsigned i = 0; i < slot_count; i++) {
        pool->slots[i].message = pool->memory + stride * i + PAGE - REQUEST_DATA_OFFSET;
        list_push_back(&pool->free, &pool->slots[i].node);
    }
    memset(pool->memory, 0, stride * tfs_min_u64(touched_count, slot_count));
    return 0;
}

void request_pool_release(struct request_pool *pool)
{
    if (!pool->slots)
        return;
    assert(pool->small_count == 0);
    (void)munmap(pool->memory, pool->memory_size); /* fails on wrong arguments only */
    tfs_cond_release(&pool->freed);
    tfs_mutex_release(&pool->lock);
    free(pool->slots);
    memset(pool, 0, sizeof(*pool));
}

struct request *request_pool_get(struct request_pool *pool)
{
    struct list *node = NULL;

    tfs_mutex_lock(&pool->lock);
    while (!pool->is_closed && list_is_empty(&pool->free))
        tfs_cond_wait(&pool->freed, &pool->lock);
    if (!pool->is_closed)
        node = list_pop_front(&pool->free);
    tfs_mutex_unlock(&pool->lock);
    return node ? list_entry(node, struct request, node) : NULL;
}

void request_pool_put(struct request_pool *pool, struct request *request)
{
    bool is_small = request->is_small;

    tfs_mutex_lock(&pool->lock);
    if (is_small) {
        pool->small_count--;
    } else {
        list_push_front(&pool->free, &request->node);
        tfs_cond_signal(&pool->freed);
    }
    tfs_mutex_unlock(&pool->lock);
    if (is_small)
        free(request);
}

void request_pool_close(struct request_pool *pool)
{
    tfs_mutex_lock(&pool->lock);
    pool->is_closed = true;
    tfs_cond_broadcast(&pool->freed);
    tfs_mutex_unlock(&pool->lock);
}

static bool small_reserve(struct request_pool *pool)
{
    bool reserved;

    tfs_mutex_lock(&pool->lock);
    reserved = pool->small_count < REQUEST_SMALL_COUNT_MAX;
    if (reserved)
        pool->small_count++;
    tfs_mutex_unlock(&pool->lock);
    return reserved;
}

static void small_unreserve(struct request_pool *pool)
{
    tfs_mutex_lock(&pool->lock);
    pool->small_count--;
    tfs_mutex_unlock(&pool->lock);
}

struct request *request_make_small(struct request_pool *pool, struct request *request)
{
    struct request *small;

    if (request->is_small || request->size > REQUEST_SMALL_SIZE_MAX || !small_reserve(pool))
        return request;
    small = malloc(sizeof(*small) + request->size);
    if (!small) {
        small_unreserve(pool);
        return request;
    }
    list_init(&small->node);
    small->message = (char *)(small + 1);
    small->size = request->size;
    small->is_small = true;
    memcpy(small->message, request->message, request->size);
    request_pool_put(pool, request);
    return small;
}
