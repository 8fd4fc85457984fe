/*
 * The CUDA backend: whether there is a GPU, and what belongs to all of its slots.
 */
#include "gpu/crc.h"
#include "gpu/cuda.h"
#include "store/base/clock.h"
#include "store/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *gpu_cuda_absence(void)
{
    int version = 0;
    int count = 0;
    cudaError_t error = cudaDriverGetVersion(&version);

    if (error == cudaSuccess && version == 0)
        return "no NVIDIA driver";
    error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count > 0)
        error = (cudaError_t)gpu_kernel_probe();
    else if (error == cudaSuccess)
        error = cudaErrorNoDevice;
    if (error == cudaSuccess)
        return NULL;
    (void)cudaGetLastError();
    return cudaGetErrorString(error);
}

static void cuda_close(struct gpu *gpu)
{
    struct cuda_gpu *cuda = (struct cuda_gpu *)gpu;

    cuda_device_free(cuda->constants);
    cuda_event_free(cuda->opened);
    free(cuda);
}

static int constants_upload(struct cuda_gpu *cuda)
{
    struct gpu_crc_constants constants;
    int err = cuda_device_new(&cuda->constants, sizeof(constants));

    if (err < 0)
        return err;
    gpu_crc_constants_init(&constants);
    return cuda_status(
        cudaMemcpy(cuda->constants, &constants, sizeof(constants), cudaMemcpyHostToDevice),
        "upload constants");
}

static int cuda_init(struct cuda_gpu *cuda)
{
    struct cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, 0);
    int err;

    error = error ? error : cudaSetDevice(0);
    err = cuda_status(error, "first device");
    if (err < 0)
        return err;
    (void)snprintf(cuda->gpu.description, sizeof(cuda->gpu.description),
                   "%.200s (sm_%d%d, %.1f GiB)", properties.name, properties.major,
                   properties.minor, (double)properties.totalGlobalMem / (double)TFS_GIB);
    err = constants_upload(cuda);
    if (err < 0)
        return err;
    error = cudaEventCreate(&cuda->opened);
    error = error ? error : cudaEventRecord(cuda->opened, NULL);
    error = error ? error : cudaEventSynchronize(cuda->opened);
    cuda->gpu.opened_ns = tfs_clock_ns();
    return cuda_status(error, "first event");
}

int gpu_cuda_open(struct gpu **ret)
{
    static const struct gpu_backend_ops ops = {
        .slot_new = cuda_slot_new,
        .slot_free = cuda_slot_free,
        .slot_start = cuda_slot_start,
        .slot_wait = cuda_slot_wait,
        .measure = cuda_measure,
        .close = cuda_close,
    };
    const char *absence = gpu_cuda_absence();
    struct cuda_gpu *cuda;
    int err;

    if (absence)
        return tfs_fail(-ENODEV, "no GPU: %s", absence);
    cuda = calloc(1, sizeof(*cuda));
    if (!cuda)
        return -ENOMEM;
    cuda->gpu.ops = &ops;
    cuda->gpu.is_cuda = true;
    err = cuda_init(cuda);
    if (err < 0) {
        cuda_close(&cuda->gpu);
        return err;
    }
    *ret = &cuda->gpu;
    return 0;
}
