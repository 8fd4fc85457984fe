/*
 * Every allocation is one of malloc, so that AddressSanitizer knows where it ends, and is listed
 * here, so that a copy can be told from and to where it goes.
 */
#include "tests/gpu/emulator/device.h"

#include "store/base/list.h"
#include "store/base/lock.h"

#include <stdlib.h>

struct allocation {
    struct list node;
    uint8_t *begin;
    size_t size;
    enum memory_side side;
};

static struct tfs_mutex lock = {PTHREAD_MUTEX_INITIALIZER, TFS_RANK_LEAF};
static struct list allocations = {&allocations, &allocations}; /* guarded by lock */

static struct allocation *find(const void *pointer) TFS_REQUIRES(&lock)
{
    const uint8_t *at = pointer;
    struct list *node;

    list_for_each (node, &allocations) {
        struct allocation *allocation = list_entry(node, struct allocation, node);

        if (at >= allocation->begin && at < allocation->begin + allocation->size)
            return allocation;
    }
    return NULL;
}

enum memory_side memory_side(const void *pointer, size_t size)
{
    enum memory_side side = MEMORY_PAGEABLE;
    const struct allocation *allocation;

    tfs_mutex_lock(&lock);
    allocation = find(pointer);
    if (allocation) {
        side = allocation->side;
        if (size > allocation->size - (size_t)((const uint8_t *)pointer - allocation->begin))
            device_misused("a copy reaches beyond an allocation");
    }
    tfs_mutex_unlock(&lock);
    return side;
}

static cudaError_t allocate(void **ret, size_t size, enum memory_side side)
{
    cudaError_t error = device_admit_allocation("an allocation");
    struct allocation *allocation;

    if (error)
        return error;
    allocation = calloc(1, sizeof(*allocation));
    if (!allocation || size == 0 || posix_memalign((void **)&allocation->begin, 256, size) != 0) {
        free(allocation);
        return device_report(cudaErrorMemoryAllocation);
    }
    allocation->size = size;
    allocation->side = side;
    device_count_live(1);
    tfs_mutex_lock(&lock);
    list_push_back(&allocations, &allocation->node);
    tfs_mutex_unlock(&lock);
    *ret = allocation->begin;
    return cudaSuccess;
}

/* Also on a device that is lost, so that what a failure leaves behind can be told from leaks. */
static cudaError_t give_back(void *pointer, enum memory_side side)
{
    struct allocation *allocation;

    if (!pointer)
        return cudaSuccess;
    tfs_mutex_lock(&lock);
    allocation = find(pointer);
    if (!allocation || allocation->begin != pointer || allocation->side != side)
        device_misused("memory is freed that was not allocated like this");
    list_remove(&allocation->node);
    tfs_mutex_unlock(&lock);
    device_count_live(-1);
    free(allocation->begin);
    free(allocation);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **ret, size_t size)
{
    return allocate(ret, size, MEMORY_DEVICE);
}

cudaError_t cudaFree(void *pointer)
{
    return give_back(pointer, MEMORY_DEVICE);
}

cudaError_t cudaHostAlloc(void **ret, size_t size, unsigned flags)
{
    (void)flags;
    return allocate(ret, size, MEMORY_PINNED);
}

cudaError_t cudaFreeHost(void *pointer)
{
    return give_back(pointer, MEMORY_PINNED);
}
