#include "gpu/cuda.h"

#include "store/base/error.h"

#include <errno.h>

int cuda_status(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* forget it, or the next launch reports it again */
    return tfs_fail(error == cudaErrorMemoryAllocation ? -ENOMEM : -EIO, "%s: %s", what,
                    cudaGetErrorString(error));
}

void cuda_host_free(void *pointer)
{
    if (pointer)
        (void)cudaFreeHost(pointer);
}

void cuda_device_free(const void *pointer)
{
    if (pointer)
        (void)cudaFree((void *)(uintptr_t)pointer);
}

void cuda_event_free(cudaEvent_t event)
{
    if (event)
        (void)cudaEventDestroy(event);
}

int cuda_host_new(void *ret_pointer, size_t size)
{
    return cuda_status(cudaHostAlloc((void **)ret_pointer, size, cudaHostAllocDefault),
                       "pinned memory");
}

int cuda_device_new(const void *ret_pointer, size_t size)
{
    return cuda_status(cudaMalloc((void **)(uintptr_t)ret_pointer, size), "device memory");
}

int cuda_batch_new(struct gpu_kernel_batch *batch, const struct gpu_slot_limits *limits)
{
    const size_t item_count = limits->item_count;
    const size_t part_count = limits->part_count;
    int err = cuda_device_new(&batch->data, limits->byte_count);

    err = err < 0 ? err : cuda_device_new(&batch->items, item_count * sizeof(*batch->items));
    err = err < 0 ? err : cuda_device_new(&batch->leaves, item_count * sizeof(*batch->leaves));
    err = err < 0 ? err : cuda_device_new(&batch->order, item_count * sizeof(*batch->order));
    err =
        err < 0 ? err : cuda_device_new(&batch->part_ends, part_count * sizeof(*batch->part_ends));
    return err < 0 ? err
                   : cuda_device_new(&batch->part_raws, part_count * sizeof(*batch->part_raws));
}

void cuda_batch_free(const struct gpu_kernel_batch *batch)
{
    cuda_device_free(batch->data);
    cuda_device_free(batch->items);
    cuda_device_free(batch->leaves);
    cuda_device_free(batch->order);
    cuda_device_free(batch->part_ends);
    cuda_device_free(batch->part_raws);
}

cudaError_t cuda_upload(const void *device, const void *host, size_t size, cudaStream_t stream)
{
    if (size == 0)
        return cudaSuccess;
    return cudaMemcpyAsync((void *)(uintptr_t)device, host, size, cudaMemcpyHostToDevice, stream);
}
