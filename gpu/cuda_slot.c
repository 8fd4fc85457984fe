/*
 * Slots of a GPU. Each has a stream of its own: its copy, its kernels and the copy of its results
 * follow one another, and those of different slots overlap.
 *
 * A batch's items are sorted by dtype, with one launch for each dtype that occurs. Waiting blocks
 * and does not spin: dozens of threads wait here while others decompress.
 */
#include "gpu/crc.h"
#include "gpu/cuda.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void cuda_slot_free(struct gpu_slot *slot)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);

    if (cuda->stream)
        (void)cudaStreamSynchronize(cuda->stream);
    cuda_host_free(slot->data);
    cuda_host_free(slot->items);
    cuda_host_free(slot->part_ends);
    cuda_host_free(slot->part_crcs);
    cuda_host_free(slot->leaves);
    cuda_host_free(cuda->order);
    cuda_batch_free(&cuda->device);
    cuda_event_free(cuda->copy_begin);
    cuda_event_free(cuda->check_begin);
    cuda_event_free(cuda->check_end);
    cuda_event_free(cuda->done);
    if (cuda->stream)
        (void)cudaStreamDestroy(cuda->stream);
    free(cuda);
}

static int slot_allocate(struct cuda_slot *cuda, const struct gpu_slot_limits *limits)
{
    struct gpu_slot *slot = &cuda->base.slot;
    const size_t items_size = limits->item_count * sizeof(struct gpu_item);
    const size_t leaves_size = limits->item_count * sizeof(struct gpu_leaf);
    const size_t order_size = limits->item_count * sizeof(uint32_t);
    const size_t parts_size = limits->part_count * sizeof(uint32_t);
    int err = cuda_host_new(&slot->data, limits->byte_count);

    err = err < 0 ? err : cuda_host_new(&slot->items, items_size);
    err = err < 0 ? err : cuda_host_new(&slot->leaves, leaves_size);
    err = err < 0 ? err : cuda_host_new(&slot->part_ends, parts_size);
    err = err < 0 ? err : cuda_host_new(&slot->part_crcs, parts_size);
    err = err < 0 ? err : cuda_host_new(&cuda->order, order_size);
    return err < 0 ? err : cuda_batch_new(&cuda->device, limits);
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
    return cuda_status(error, "stream and events");
}

int cuda_slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits, struct gpu_slot **ret)
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
        cuda_slot_free(&cuda->base.slot);
        return err;
    }
    *ret = &cuda->base.slot;
    return 0;
}

static cudaError_t download(void *host, const void *device, size_t size, cudaStream_t stream)
{
    if (size == 0)
        return cudaSuccess;
    return cudaMemcpyAsync(host, device, size, cudaMemcpyDeviceToHost, stream);
}

/* A counting sort: counts[d] items of dtype d follow those of the smaller dtypes. */
static void items_order(const struct gpu_item *items, uint32_t item_count,
                        uint32_t counts[DTYPE_ARITHMETIC_COUNT], uint32_t *order)
{
    uint32_t next[DTYPE_ARITHMETIC_COUNT];

    memset(counts, 0, DTYPE_ARITHMETIC_COUNT * sizeof(*counts));
    for (uint32_t i = 0; i < item_count; i++)
        counts[items[i].dtype]++;
    next[0] = 0;
    for (uint32_t d = 1; d < DTYPE_ARITHMETIC_COUNT; d++)
        next[d] = next[d - 1] + counts[d - 1];
    for (uint32_t i = 0; i < item_count; i++)
        order[next[items[i].dtype]++] = i;
}

static cudaError_t kernels_launch(const struct gpu_kernel_batch *device,
                                  const uint32_t counts[DTYPE_ARITHMETIC_COUNT],
                                  cudaStream_t stream)
{
    struct gpu_kernel_batch batch = *device;

    for (uint32_t dtype = 0; dtype < DTYPE_ARITHMETIC_COUNT; dtype++) {
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
    uint32_t counts[DTYPE_ARITHMETIC_COUNT];
    const size_t leaves_size = batch->item_count * sizeof(struct gpu_leaf);
    const size_t parts_size = batch->part_count * sizeof(uint32_t);
    cudaError_t error;

    items_order(slot->items, batch->item_count, counts, cuda->order);
    error = cuda_upload(cuda->device.items, slot->items,
                        batch->item_count * sizeof(struct gpu_item), cuda->stream);
    error = error ? error
                  : cuda_upload(cuda->device.order, cuda->order,
                                batch->item_count * sizeof(uint32_t), cuda->stream);
    error = error ? error
                  : cuda_upload(cuda->device.part_ends, slot->part_ends, parts_size, cuda->stream);
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

int cuda_slot_start(struct gpu_slot *slot, const struct gpu_batch *batch)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);
    cudaError_t error = cudaEventRecord(cuda->copy_begin, cuda->stream);

    cuda->batch = *batch;
    error =
        error ? error : cuda_upload(cuda->device.data, slot->data, batch->byte_count, cuda->stream);
    if (batch->work == GPU_WORK_CHECK) {
        error = error ? error : check_queue(cuda, batch);
    } else {
        error = error ? error : cudaEventRecord(cuda->check_begin, cuda->stream);
        error = error ? error : cudaEventRecord(cuda->check_end, cuda->stream);
    }
    error = error ? error : cudaEventRecord(cuda->done, cuda->stream);
    return cuda_status(error, "queue a batch");
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

int cuda_slot_wait(struct gpu_slot *slot, struct gpu_times *ret)
{
    struct cuda_slot *cuda = cuda_slot_of(slot);
    struct gpu_times times = {0, 0, 0};
    cudaError_t error = cudaEventSynchronize(cuda->done);

    error = error ? error : event_time(cuda, cuda->copy_begin, &times.copy_begin_ns);
    error = error ? error : event_time(cuda, cuda->check_begin, &times.check_begin_ns);
    error = error ? error : event_time(cuda, cuda->check_end, &times.check_end_ns);
    if (error)
        return cuda_status(error, "wait for a batch");
    if (cuda->batch.work == GPU_WORK_CHECK) {
        for (uint32_t i = 0; i < cuda->batch.item_count; i++)
            parts_finish(slot, &slot->items[i]);
    }
    *ret = times;
    return 0;
}
