/*
 * Checks on an NVIDIA GPU, through the CUDA runtime. Each slot has a stream of its own: its copy,
 * its kernels and the copy of its results follow one another, and those of different slots overlap.
 *
 * A batch's items are sorted by dtype, with one launch for each dtype that occurs. Waiting blocks
 * and does not spin: dozens of threads wait here while others decompress.
 */
#include "gpu/backend.h"
#include "gpu/crc.h"
#include "gpu/kernel.h"
#include "store/base/clock.h"
#include "store/base/error.h"

#include <cuda_runtime_api.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

static struct cuda_slot *cuda_slot_of(struct gpu_slot *slot)
{
    return (struct cuda_slot *)slot;
}

/* CUDA's errors become ours here, once. */
static int status(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* forget it, or the next launch reports it again */
    return tfs_fail(error == cudaErrorMemoryAllocation ? -ENOMEM : -EIO, "%s: %s", what,
                    cudaGetErrorString(error));
}

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

/* The three below accept NULL; a failure here has nobody left to tell. */
static void host_free(void *pointer)
{
    if (pointer)
        (void)cudaFreeHost(pointer);
}

static void device_free(const void *pointer)
{
    if (pointer)
        (void)cudaFree((void *)(uintptr_t)pointer);
}

static void event_free(cudaEvent_t event)
{
    if (event)
        (void)cudaEventDestroy(event);
}

static void slot_free(struct gpu_slot *slot)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);

    if (cuda->stream)
        (void)cudaStreamSynchronize(cuda->stream);
    host_free(slot->data);
    host_free(slot->items);
    host_free(slot->part_ends);
    host_free(slot->part_crcs);
    host_free(slot->leaves);
    host_free(cuda->order);
    device_free(cuda->device.data);
    device_free(cuda->device.items);
    device_free(cuda->device.part_ends);
    device_free(cuda->device.order);
    device_free(cuda->device.part_raws);
    device_free(cuda->device.leaves);
    event_free(cuda->copy_begin);
    event_free(cuda->check_begin);
    event_free(cuda->check_end);
    event_free(cuda->done);
    if (cuda->stream)
        (void)cudaStreamDestroy(cuda->stream);
    free(cuda);
}

static int host_new(void *ret_pointer, size_t size)
{
    return status(cudaHostAlloc((void **)ret_pointer, size, cudaHostAllocDefault), "pinned memory");
}

static int device_new(const void *ret_pointer, size_t size)
{
    return status(cudaMalloc((void **)(uintptr_t)ret_pointer, size), "device memory");
}

static int slot_allocate(struct cuda_slot *cuda, const struct gpu_slot_limits *limits)
{
    struct gpu_slot *slot = &cuda->base.slot;
    const size_t items_size = limits->item_count * sizeof(struct gpu_item);
    const size_t leaves_size = limits->item_count * sizeof(struct gpu_leaf);
    const size_t order_size = limits->item_count * sizeof(uint32_t);
    const size_t parts_size = limits->part_count * sizeof(uint32_t);
    int err = host_new(&slot->data, limits->byte_count);

    err = err < 0 ? err : host_new(&slot->items, items_size);
    err = err < 0 ? err : host_new(&slot->leaves, leaves_size);
    err = err < 0 ? err : host_new(&slot->part_ends, parts_size);
    err = err < 0 ? err : host_new(&slot->part_crcs, parts_size);
    err = err < 0 ? err : host_new(&cuda->order, order_size);
    err = err < 0 ? err : device_new(&cuda->device.data, limits->byte_count);
    err = err < 0 ? err : device_new(&cuda->device.items, items_size);
    err = err < 0 ? err : device_new(&cuda->device.leaves, leaves_size);
    err = err < 0 ? err : device_new(&cuda->device.part_ends, parts_size);
    err = err < 0 ? err : device_new(&cuda->device.part_raws, parts_size);
    return err < 0 ? err : device_new(&cuda->device.order, order_size);
}

static int slot_events_new(struct cuda_slot *cuda)
{
    cudaError_t error = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);

    error = error ? error : cudaEventCreate(&cuda->copy_begin);
    error = error ? error : cudaEventCreate(&cuda->check_begin);
    error = error ? error : cudaEventCreate(&cuda->check_end);
    error = error ? error
                  : cudaEventCreateWithFlags(&cuda->done,
                                             cudaEventBlockingSync | cudaEventDisableTiming);
    return status(error, "stream and events");
}

static int slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits, struct gpu_slot **ret)
{
    struct cuda_slot *cuda = calloc(1, sizeof(*cuda));
    int err;

    if (!cuda)
        return -ENOMEM;
    cuda->base.gpu = gpu;
    cuda->base.slot.limits = *limits;
    cuda->device.constants = ((struct cuda_gpu *)gpu)->constants;
    err = slot_events_new(cuda);
    if (err == 0)
        err = slot_allocate(cuda, limits);
    if (err < 0) {
        slot_free(&cuda->base.slot);
        return err;
    }
    *ret = &cuda->base.slot;
    return 0;
}

static cudaError_t upload(const void *device, const void *host, size_t size, cudaStream_t stream)
{
    if (size == 0)
        return cudaSuccess;
    return cudaMemcpyAsync((void *)(uintptr_t)device, host, size, cudaMemcpyHostToDevice, stream);
}

static cudaError_t download(void *host, const void *device, size_t size, cudaStream_t stream)
{
    if (size == 0)
        return cudaSuccess;
    return cudaMemcpyAsync(host, device, size, cudaMemcpyDeviceToHost, stream);
}

/* A counting sort: counts[d] items of dtype d follow those of the smaller dtypes. */
static void items_order(const struct gpu_item *items, uint32_t item_count,
                        uint32_t counts[GPU_DTYPE_COUNT], uint32_t *order)
{
    uint32_t next[GPU_DTYPE_COUNT];

    memset(counts, 0, GPU_DTYPE_COUNT * sizeof(*counts));
    for (uint32_t i = 0; i < item_count; i++)
        counts[items[i].dtype]++;
    next[0] = 0;
    for (uint32_t d = 1; d < GPU_DTYPE_COUNT; d++)
        next[d] = next[d - 1] + counts[d - 1];
    for (uint32_t i = 0; i < item_count; i++)
        order[next[items[i].dtype]++] = i;
}

static cudaError_t kernels_launch(const struct gpu_kernel_batch *device,
                                  const uint32_t counts[GPU_DTYPE_COUNT], cudaStream_t stream)
{
    struct gpu_kernel_batch batch = *device;

    for (uint32_t dtype = 0; dtype < GPU_DTYPE_COUNT; dtype++) {
        int error;

        if (counts[dtype] == 0)
            continue;
        batch.order_count = counts[dtype];
        error = gpu_kernel_launch(dtype, &batch, stream);
        if (error)
            return (cudaError_t)error;
        batch.order += counts[dtype];
    }
    return cudaSuccess;
}

static cudaError_t check_queue(struct cuda_slot *cuda, const struct gpu_batch *batch)
{
    struct gpu_slot *slot = &cuda->base.slot;
    uint32_t counts[GPU_DTYPE_COUNT];
    const size_t leaves_size = batch->item_count * sizeof(struct gpu_leaf);
    const size_t parts_size = batch->part_count * sizeof(uint32_t);
    cudaError_t error;

    items_order(slot->items, batch->item_count, counts, cuda->order);
    error = upload(cuda->device.items, slot->items, batch->item_count * sizeof(struct gpu_item),
                   cuda->stream);
    error = error ? error
                  : upload(cuda->device.order, cuda->order, batch->item_count * sizeof(uint32_t),
                           cuda->stream);
    error =
        error ? error : upload(cuda->device.part_ends, slot->part_ends, parts_size, cuda->stream);
    error = error ? error
                  : cudaMemsetAsync(cuda->device.leaves, 0, leaves_size ? leaves_size : 1,
                                    cuda->stream);
    error = error ? error : cudaEventRecord(cuda->check_begin, cuda->stream);
    error = error ? error : kernels_launch(&cuda->device, counts, cuda->stream);
    error = error ? error : cudaEventRecord(cuda->check_end, cuda->stream);
    error = error ? error : download(slot->leaves, cuda->device.leaves, leaves_size, cuda->stream);
    return error ? error
                 : download(slot->part_crcs, cuda->device.part_raws, parts_size, cuda->stream);
}

static int slot_start(struct gpu_slot *slot, const struct gpu_batch *batch)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);
    cudaError_t error = cudaEventRecord(cuda->copy_begin, cuda->stream);

    cuda->batch = *batch;
    error = error ? error : upload(cuda->device.data, slot->data, batch->byte_count, cuda->stream);
    if (batch->work == GPU_WORK_CHECK) {
        error = error ? error : check_queue(cuda, batch);
    } else {
        error = error ? error : cudaEventRecord(cuda->check_begin, cuda->stream);
        error = error ? error : cudaEventRecord(cuda->check_end, cuda->stream);
    }
    error = error ? error : cudaEventRecord(cuda->done, cuda->stream);
    return status(error, "queue a batch");
}

static void parts_finish(struct gpu_slot *slot, const struct gpu_item *item)
{
    uint32_t begin = 0;

    for (uint32_t i = item->part_first; i < item->part_first + item->part_count; i++) {
        uint32_t end = slot->part_ends[i];
        uint32_t padding = (uint32_t)tfs_align_up(end, GPU_TILE_BYTES) - end;

        slot->part_crcs[i] = gpu_crc_from_raw(slot->part_crcs[i], end - begin, padding);
        begin = end;
    }
}

static cudaError_t event_time(const struct cuda_slot *cuda, cudaEvent_t event, uint64_t *ret_ns)
{
    const struct cuda_gpu *gpu = (const struct cuda_gpu *)cuda->base.gpu;
    float ms = 0;
    cudaError_t error = cudaEventElapsedTime(&ms, gpu->opened, event);

    *ret_ns = ms > 0 ? (uint64_t)((double)ms * 1e6) : 0;
    return error;
}

static int slot_wait(struct gpu_slot *slot, struct gpu_times *ret)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);
    struct gpu_times times = {0, 0, 0};
    cudaError_t error = cudaEventSynchronize(cuda->done);

    error = error ? error : event_time(cuda, cuda->copy_begin, &times.copy_begin_ns);
    error = error ? error : event_time(cuda, cuda->check_begin, &times.check_begin_ns);
    error = error ? error : event_time(cuda, cuda->check_end, &times.check_end_ns);
    if (error)
        return status(error, "wait for a batch");
    if (cuda->batch.work == GPU_WORK_CHECK) {
        for (uint32_t i = 0; i < cuda->batch.item_count; i++)
            parts_finish(slot, &slot->items[i]);
    }
    *ret = times;
    return 0;
}

/* ---- measurement ---- */

struct bench {
    struct cuda_slot *slot; /* its events and stream; its data is the pattern */
    struct gpu_kernel_batch device;
    uint8_t *target; /* device memory, for the copy */
    uint64_t byte_count;
    uint32_t item_count;
    enum gpu_dtype dtype;
};

enum bench_kind { BENCH_COPY, BENCH_TRANSFER, BENCH_CHECK };

static cudaError_t bench_queue(const struct bench *bench, enum bench_kind kind)
{
    cudaStream_t stream = bench->slot->stream;

    switch (kind) {
    case BENCH_COPY:
        return cudaMemcpyAsync(bench->target, bench->device.data, bench->byte_count,
                               cudaMemcpyDeviceToDevice, stream);
    case BENCH_TRANSFER:
        return cudaMemcpyAsync(bench->target, bench->slot->base.slot.data, GPU_PATTERN_BYTES,
                               cudaMemcpyHostToDevice, stream);
    default:
        return (cudaError_t)gpu_kernel_launch((uint32_t)bench->dtype, &bench->device, stream);
    }
}

/* Bytes counted per second, the median of the rounds after one that warms up. */
static int bench_rounds(const struct bench *bench, enum bench_kind kind, double byte_count,
                        unsigned round_count, double *ret)
{
    double *speeds = calloc(round_count, sizeof(*speeds));
    cudaError_t error = cudaSuccess;

    if (!speeds)
        return -ENOMEM;
    for (unsigned i = 0; i <= round_count && !error; i++) {
        float ms = 0;

        error = cudaEventRecord(bench->slot->check_begin, bench->slot->stream);
        error = error ? error : bench_queue(bench, kind);
        error = error ? error : cudaEventRecord(bench->slot->check_end, bench->slot->stream);
        error = error ? error : cudaStreamSynchronize(bench->slot->stream);
        error = error ? error
                      : cudaEventElapsedTime(&ms, bench->slot->check_begin, bench->slot->check_end);
        if (i > 0 && ms > 0)
            speeds[i - 1] = byte_count / ((double)ms * 1e-3);
    }
    if (!error)
        *ret = gpu_median(speeds, round_count);
    free(speeds);
    return status(error, "measure");
}

/* Leaves of one part each over byte_count bytes of the pattern, repeated. */
static int bench_fill(struct bench *bench, const uint8_t *pattern)
{
    struct gpu_item *items = calloc(bench->item_count, sizeof(*items));
    uint32_t *numbers = calloc(bench->item_count, sizeof(*numbers));
    uint32_t *ends = calloc(bench->item_count, sizeof(*ends));
    cudaStream_t stream = bench->slot->stream;
    cudaError_t error = cudaSuccess;
    int err = -ENOMEM;

    if (!items || !numbers || !ends)
        goto out;
    for (uint32_t i = 0; i < bench->item_count; i++) {
        items[i] = (struct gpu_item){.offset = i * GPU_LEAF_BYTES,
                                     .size = GPU_LEAF_BYTES,
                                     .part_first = i,
                                     .part_count = 1,
                                     .dtype = (uint32_t)bench->dtype};
        numbers[i] = i;
        ends[i] = GPU_LEAF_BYTES;
    }
    memcpy(bench->slot->base.slot.data, pattern, GPU_PATTERN_BYTES);
    for (uint64_t at = 0; at < bench->byte_count && !error; at += GPU_PATTERN_BYTES)
        error = upload(bench->device.data + at, bench->slot->base.slot.data,
                       tfs_min_u64(bench->byte_count - at, GPU_PATTERN_BYTES), stream);
    error = error ? error
                  : upload(bench->device.items, items, bench->item_count * sizeof(*items), stream);
    error =
        error ? error
              : upload(bench->device.order, numbers, bench->item_count * sizeof(*numbers), stream);
    error = error
                ? error
                : upload(bench->device.part_ends, ends, bench->item_count * sizeof(*ends), stream);
    error = error ? error : cudaStreamSynchronize(stream);
    err = status(error, "fill the device");
out:
    free(ends);
    free(numbers);
    free(items);
    return err;
}

static int bench_allocate(struct bench *bench)
{
    const size_t count = bench->item_count;
    int err = device_new(&bench->device.data, bench->byte_count);

    err = err < 0 ? err
                  : device_new(&bench->target, tfs_max_u64(bench->byte_count, GPU_PATTERN_BYTES));
    err = err < 0 ? err : device_new(&bench->device.items, count * sizeof(struct gpu_item));
    err = err < 0 ? err : device_new(&bench->device.leaves, count * sizeof(struct gpu_leaf));
    err = err < 0 ? err : device_new(&bench->device.order, count * sizeof(uint32_t));
    err = err < 0 ? err : device_new(&bench->device.part_ends, count * sizeof(uint32_t));
    return err < 0 ? err : device_new(&bench->device.part_raws, count * sizeof(uint32_t));
}

/* The slot first: that waits for what a failure left at work on this memory. */
static void bench_release(struct bench *bench)
{
    if (bench->slot)
        slot_free(&bench->slot->base.slot);
    device_free(bench->target);
    device_free(bench->device.data);
    device_free(bench->device.items);
    device_free(bench->device.order);
    device_free(bench->device.part_ends);
    device_free(bench->device.part_raws);
    device_free(bench->device.leaves);
}

static int measure(struct gpu *gpu, const uint8_t *pattern, uint64_t byte_count,
                   enum gpu_dtype dtype, unsigned round_count, struct gpu_speed *ret)
{
    struct bench bench = {.byte_count = byte_count, .dtype = dtype};
    const struct gpu_slot_limits limits = {GPU_PATTERN_BYTES, 1, 1};
    struct gpu_speed speed = {0, 0, 0};
    struct gpu_slot *slot;
    int err;

    if (byte_count > 1ull << 32) /* an item's offset has 32 bits */
        return tfs_fail(-EINVAL, "measure %llu bytes", (unsigned long long)byte_count);
    err = slot_new(gpu, &limits, &slot);
    if (err < 0)
        return err;
    bench.slot = cuda_slot_of(slot);
    bench.item_count = (uint32_t)(byte_count / GPU_LEAF_BYTES);
    bench.device.order_count = bench.item_count;
    bench.device.constants = ((struct cuda_gpu *)gpu)->constants;
    err = bench_allocate(&bench);
    err = err < 0 ? err : bench_fill(&bench, pattern);
    err = err < 0 ? err
                  : bench_rounds(&bench, BENCH_COPY, 2.0 * (double)byte_count, round_count,
                                 &speed.copy);
    err = err < 0 ? err
                  : bench_rounds(&bench, BENCH_TRANSFER, GPU_PATTERN_BYTES, round_count,
                                 &speed.transfer);
    err = err < 0
              ? err
              : bench_rounds(&bench, BENCH_CHECK, (double)byte_count, round_count, &speed.check);
    bench_release(&bench);
    if (err == 0)
        *ret = speed;
    return err;
}

/* ---- opening ---- */

static void cuda_close(struct gpu *gpu)
{
    struct cuda_gpu *cuda = (struct cuda_gpu *)gpu;

    device_free(cuda->constants);
    event_free(cuda->opened);
    free(cuda);
}

static int constants_upload(struct cuda_gpu *cuda)
{
    struct gpu_crc_constants constants;
    int err = device_new(&cuda->constants, sizeof(constants));

    if (err < 0)
        return err;
    gpu_crc_constants_init(&constants);
    return status(
        cudaMemcpy(cuda->constants, &constants, sizeof(constants), cudaMemcpyHostToDevice),
        "upload constants");
}

static int cuda_init(struct cuda_gpu *cuda)
{
    struct cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, 0);
    int err;

    error = error ? error : cudaSetDevice(0);
    err = status(error, "first device");
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
    return status(error, "first event");
}

int gpu_cuda_open(struct gpu **ret)
{
    static const struct gpu_backend_ops ops = {
        .slot_new = slot_new,
        .slot_free = slot_free,
        .slot_start = slot_start,
        .slot_wait = slot_wait,
        .measure = measure,
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
