/*
 * Checks on the CPU. A batch is done where it is started, by the thread that starts it; callers
 * that want more cores start batches from more threads.
 */
#include "gpu/arithmetic.h"
#include "gpu/backend.h"
#include "gpu/leaf_cpu.h"
#include "store/base/clock.h"
#include "store/base/crc32c.h"
#include "store/base/median.h"

#include <errno.h>
#include <stdlib.h>

enum { MEMORY_ALIGNMENT = 4096 };

struct cpu_slot {
    struct gpu_slot_base base;
    struct gpu_times times;
};

static void slot_free(struct gpu_slot *slot)
{
    free(slot->data);
    free(slot->items);
    free(slot->part_ends);
    free(slot->part_crcs);
    free(slot->leaves);
    free((struct cpu_slot *)slot);
}

static int slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits, struct gpu_slot **ret)
{
    struct cpu_slot *cpu = calloc(1, sizeof(*cpu));
    struct gpu_slot *slot;

    if (!cpu)
        return -ENOMEM;
    cpu->base.gpu = gpu;
    slot = &cpu->base.slot;
    slot->limits = *limits;
    slot->data =
        aligned_alloc(MEMORY_ALIGNMENT, tfs_align_up(limits->byte_count, MEMORY_ALIGNMENT));
    slot->items = calloc(limits->item_count, sizeof(*slot->items));
    slot->part_ends = calloc(limits->part_count, sizeof(*slot->part_ends));
    slot->part_crcs = calloc(limits->part_count, sizeof(*slot->part_crcs));
    slot->leaves = calloc(limits->item_count, sizeof(*slot->leaves));
    if (!slot->data || !slot->items || !slot->part_ends || !slot->part_crcs || !slot->leaves) {
        slot_free(slot);
        return -ENOMEM;
    }
    memset(slot->data, 0, limits->byte_count); /* first touches are slow and belong to the set-up */
    *ret = slot;
    return 0;
}

static void item_check(struct gpu_slot *slot, uint32_t index)
{
    const struct gpu_item *item = &slot->items[index];
    const uint8_t *data = slot->data + item->offset;
    uint32_t begin = 0;

    for (uint32_t i = item->part_first; i < item->part_first + item->part_count; i++) {
        slot->part_crcs[i] = tfs_crc32c(0, data + begin, slot->part_ends[i] - begin);
        begin = slot->part_ends[i];
    }
    gpu_leaf_variant(0)->function((enum dtype)item->dtype, data, item->size, &slot->leaves[index]);
}

static int slot_start(struct gpu_slot *slot, const struct gpu_batch *batch)
{
    struct cpu_slot *cpu = (struct cpu_slot *)slot;
    const uint64_t opened_ns = cpu->base.gpu->opened_ns;

    cpu->times.copy_begin_ns = tfs_clock_ns() - opened_ns;
    cpu->times.check_begin_ns = cpu->times.copy_begin_ns; /* there is nothing to copy */
    if (batch->work == GPU_WORK_CHECK) {
        for (uint32_t i = 0; i < batch->item_count; i++)
            item_check(slot, i);
    }
    cpu->times.check_end_ns = tfs_clock_ns() - opened_ns;
    return 0;
}

static int slot_wait(struct gpu_slot *slot, struct gpu_times *ret)
{
    *ret = ((struct cpu_slot *)slot)->times;
    return 0;
}

static void buffer_check(const uint8_t *data, uint64_t byte_count, enum dtype dtype,
                         volatile uint32_t *sink)
{
    struct gpu_leaf leaf;

    for (uint64_t at = 0; at < byte_count; at += GPU_LEAF_BYTES) {
        *sink ^= tfs_crc32c(0, data + at, GPU_LEAF_BYTES);
        gpu_leaf_variant(0)->function(dtype, data + at, GPU_LEAF_BYTES, &leaf);
        *sink ^= leaf.zero_count;
    }
}

/* One thread's speed. */
static void buffers_measure(const uint8_t *from, uint8_t *to, uint64_t byte_count, enum dtype dtype,
                            double *copies, double *checks, unsigned round_count)
{
    volatile uint32_t sink = 0;

    for (unsigned i = 0; i < round_count; i++) {
        uint64_t begin = tfs_clock_ns();
        uint64_t middle;

        memcpy(to, from, byte_count);
        middle = tfs_clock_ns();
        buffer_check(to, byte_count, dtype, &sink);
        copies[i] = 2e9 * (double)byte_count / (double)(middle - begin);
        checks[i] = 1e9 * (double)byte_count / (double)(tfs_clock_ns() - middle);
    }
}

static int measure(struct gpu *gpu, const uint8_t *pattern, uint64_t byte_count, enum dtype dtype,
                   unsigned round_count, struct gpu_speed *ret)
{
    uint8_t *from = aligned_alloc(MEMORY_ALIGNMENT, byte_count);
    uint8_t *to = aligned_alloc(MEMORY_ALIGNMENT, byte_count);
    double *copies = calloc(round_count, sizeof(*copies));
    double *checks = calloc(round_count, sizeof(*checks));
    int err = -ENOMEM;

    (void)gpu;
    if (!from || !to || !copies || !checks)
        goto out;
    for (uint64_t at = 0; at < byte_count; at += GPU_PATTERN_BYTES)
        memcpy(from + at, pattern, tfs_min_u64(byte_count - at, GPU_PATTERN_BYTES));
    memset(to, 0, byte_count); /* the first touch is not to be measured */
    buffers_measure(from, to, byte_count, dtype, copies, checks, round_count);
    ret->copy = tfs_median(copies, round_count);
    ret->transfer = ret->copy / 2;
    ret->check = tfs_median(checks, round_count);
    err = 0;
out:
    free(checks);
    free(copies);
    free(to);
    free(from);
    return err;
}

static void cpu_close(struct gpu *gpu)
{
    free(gpu);
}

int gpu_cpu_open(struct gpu **ret)
{
    static const struct gpu_backend_ops ops = {
        .slot_new = slot_new,
        .slot_free = slot_free,
        .slot_start = slot_start,
        .slot_wait = slot_wait,
        .measure = measure,
        .close = cpu_close,
    };
    struct gpu *gpu = calloc(1, sizeof(*gpu));

    if (!gpu)
        return -ENOMEM;
    gpu->ops = &ops;
    gpu->opened_ns = tfs_clock_ns();
    *ret = gpu;
    return 0;
}
