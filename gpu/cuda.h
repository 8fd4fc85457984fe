/*
 * What the CUDA backend's files share: its structures, and CUDA's calls with our errors.
 */
#ifndef TFS_GPU_CUDA_H
#define TFS_GPU_CUDA_H

#include "gpu/backend.h"
#include "gpu/kernel.h"

#include <cuda_runtime_api.h>

struct cuda_gpu {
    struct gpu gpu;
    struct gpu_crc_constants *constants; /* device memory */
    cudaEvent_t opened;                  /* what the events' times count from */
};

struct cuda_slot {
    struct gpu_slot_base base;
    cudaStream_t stream;
    cudaEvent_t copy_begin;
    cudaEvent_t check_begin;
    cudaEvent_t check_end;
    cudaEvent_t done;
    uint32_t *order; /* pinned: the items' indices, sorted by dtype */
    /* device memory */
    struct gpu_kernel_batch device;
    struct gpu_batch batch; /* the one that was started */
};

static inline struct cuda_slot *cuda_slot_of(struct gpu_slot *slot)
{
    return (struct cuda_slot *)slot;
}

/* 0; or CUDA's error as ours, said with `what`: -ENOMEM or -EIO. */
TFS_MUST_CHECK int cuda_status(cudaError_t error, const char *what);

/* Pinned memory of the host, and memory of the device. The first argument points to a pointer. */
TFS_MUST_CHECK int cuda_host_new(void *ret_pointer, size_t size);
TFS_MUST_CHECK int cuda_device_new(const void *ret_pointer, size_t size);

/* Accept NULL; a failure here has nobody left to tell. */
void cuda_host_free(void *pointer);
void cuda_device_free(const void *pointer);
void cuda_event_free(cudaEvent_t event);

/* A batch's arrays in device memory; its constants and its count are the caller's affair. What a
 * failure leaves is freed like the rest. */
TFS_MUST_CHECK int cuda_batch_new(struct gpu_kernel_batch *batch,
                                  const struct gpu_slot_limits *limits);
void cuda_batch_free(const struct gpu_kernel_batch *batch);

/* Queue a copy to the device; nothing when there is nothing to copy. */
cudaError_t cuda_upload(const void *device, const void *host, size_t size, cudaStream_t stream);

/* See struct gpu_backend_ops. */
TFS_MUST_CHECK int cuda_slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits,
                                 struct gpu_slot **ret);
void cuda_slot_free(struct gpu_slot *slot); /* waits for what is at work in it */
TFS_MUST_CHECK int cuda_slot_start(struct gpu_slot *slot, const struct gpu_batch *batch);
TFS_MUST_CHECK int cuda_slot_wait(struct gpu_slot *slot, struct gpu_times *ret);
TFS_MUST_CHECK int cuda_measure(struct gpu *gpu, const uint8_t *pattern, uint64_t byte_count,
                                enum dtype dtype, unsigned round_count, struct gpu_speed *ret);

#endif
