/*
 * How fast a GPU copies and checks: the kernel over leaves of one part each that lie in the
 * device's memory, timed by the device's own events.
 */
#include "gpu/cuda.h"
#include "store/base/error.h"
#include "store/base/median.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct cuda_slot *slot; /* its events and stream; its data is the pattern */
    struct gpu_kernel_batch device;
    uint8_t *target; /* device memory, for the copy */
    uint64_t byte_count;
    uint32_t item_count;
    enum dtype dtype;
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
        *ret = tfs_median(speeds, round_count);
    free(speeds);
    return cuda_status(error, "measure");
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
        error = cuda_upload(bench->device.data + at, bench->slot->base.slot.data,
                            tfs_min_u64(bench->byte_count - at, GPU_PATTERN_BYTES), stream);
    error =
        error ? error
              : cuda_upload(bench->device.items, items, bench->item_count * sizeof(*items), stream);
    error = error ? error
                  : cuda_upload(bench->device.order, numbers, bench->item_count * sizeof(*numbers),
                                stream);
    error = error ? error
                  : cuda_upload(bench->device.part_ends, ends, bench->item_count * sizeof(*ends),
                                stream);
    error = error ? error : cudaStreamSynchronize(stream);
    err = cuda_status(error, "fill the device");
out:
    free(ends);
    free(numbers);
    free(items);
    return err;
}

static int bench_allocate(struct bench *bench)
{
    const struct gpu_slot_limits limits = {bench->byte_count, bench->item_count, bench->item_count};
    int err = cuda_batch_new(&bench->device, &limits);

    return err < 0
               ? err
               : cuda_device_new(&bench->target, tfs_max_u64(bench->byte_count, GPU_PATTERN_BYTES));
}

/* The slot first: that waits for what a failure left at work on this memory. */
static void bench_release(struct bench *bench)
{
    if (bench->slot)
        cuda_slot_free(&bench->slot->base.slot);
    cuda_device_free(bench->target);
    cuda_batch_free(&bench->device);
}

int cuda_measure(struct gpu *gpu, const uint8_t *pattern, uint64_t byte_count, enum dtype dtype,
                 unsigned round_count, struct gpu_speed *ret)
{
    struct bench bench = {.byte_count = byte_count, .dtype = dtype};
    const struct gpu_slot_limits limits = {GPU_PATTERN_BYTES, 1, 1};
    struct gpu_speed speed = {0, 0, 0};
    struct gpu_slot *slot;
    int err;

    if (byte_count > 1ull << 32) /* an item's offset has 32 bits */
        return tfs_fail(-EINVAL, "measure %llu bytes", (unsigned long long)byte_count);
    err = cuda_slot_new(gpu, &limits, &slot);
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
