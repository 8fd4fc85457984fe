/*
 * The choice between the devices, and the checks that do not depend on it.
 */
#include "gpu/gpu.h"

#include "gpu/arithmetic.h"
#include "gpu/backend.h"
#include "store/base/error.h"
#include "store/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define GPU_SLOT_BYTES_MAX (1ull << 30)

const char *gpu_absence(void)
{
#if TFS_HAVE_CUDA
    return gpu_cuda_absence();
#else
    return "built without CUDA";
#endif
}

static int open_cuda(struct gpu **ret)
{
#if TFS_HAVE_CUDA
    return gpu_cuda_open(ret);
#else
    (void)ret;
    return tfs_fail(-ENODEV, "%s", gpu_absence());
#endif
}

static int open_cpu(const char *why, struct gpu **ret)
{
    struct gpu *gpu;
    int err = gpu_cpu_open(&gpu);

    if (err < 0)
        return err;
    (void)snprintf(gpu->description, sizeof(gpu->description), "cpu (%s)", why);
    *ret = gpu;
    return 0;
}

int gpu_open(enum gpu_choice choice, struct gpu **ret)
{
    switch (choice) {
    case GPU_CHOICE_CUDA:
        return open_cuda(ret);
    case GPU_CHOICE_CPU:
        return open_cpu("as asked", ret);
    case GPU_CHOICE_AUTO:
        if (gpu_absence() != NULL)
            return open_cpu(gpu_absence(), ret);
        if (open_cuda(ret) == 0)
            return 0;
        return open_cpu("the GPU could not be opened", ret);
    }
    return tfs_fail(-EINVAL, "device choice %d", (int)choice);
}

void gpu_close(struct gpu *gpu)
{
    if (gpu)
        gpu->ops->close(gpu);
}

bool gpu_is_cuda(const struct gpu *gpu)
{
    return gpu->is_cuda;
}

const char *gpu_description(const struct gpu *gpu)
{
    return gpu->description;
}

int gpu_slot_new(struct gpu *gpu, const struct gpu_slot_limits *limits, struct gpu_slot **ret)
{
    if (limits->byte_count == 0 || limits->byte_count > GPU_SLOT_BYTES_MAX ||
        limits->byte_count % GPU_ITEM_ALIGNMENT != 0)
        return tfs_fail(-EINVAL, "slot of %zu bytes", limits->byte_count);
    if (limits->item_count == 0 || limits->part_count < limits->item_count ||
        limits->part_count > GPU_SLOT_BYTES_MAX)
        return tfs_fail(-EINVAL, "slot of %u items in %u parts", limits->item_count,
                        limits->part_count);
    return gpu->ops->slot_new(gpu, limits, ret);
}

void gpu_slot_free(struct gpu_slot *slot)
{
    if (slot)
        gpu_of_slot(slot)->ops->slot_free(slot);
}

/* Parts end in ascending order, none is empty, and the last ends with the item. */
static bool parts_are_valid(const struct gpu_slot *slot, const struct gpu_item *item)
{
    uint32_t end = 0;

    for (uint32_t i = 0; i < item->part_count; i++) {
        uint32_t next = slot->part_ends[item->part_first + i];

        if (next <= end)
            return false;
        end = next;
    }
    return end == item->size;
}

static int item_check(const struct gpu_slot *slot, const struct gpu_batch *batch, uint32_t index)
{
    const struct gpu_item *item = &slot->items[index];

    if (item->dtype >= DTYPE_ARITHMETIC_COUNT)
        return tfs_fail(-EINVAL, "item %u: dtype %u", index, item->dtype);
    if (item->size == 0 || item->size > GPU_LEAF_BYTES ||
        item->size % gpu_width_of(item->dtype) != 0)
        return tfs_fail(-EINVAL, "item %u: %u bytes of %s", index, item->size,
                        dtype_name((enum dtype)item->dtype));
    if (item->offset % GPU_ITEM_ALIGNMENT != 0 || item->offset > batch->byte_count ||
        item->size > batch->byte_count - item->offset)
        return tfs_fail(-EINVAL, "item %u: %u bytes at %u of %zu", index, item->size, item->offset,
                        batch->byte_count);
    if (item->part_count == 0 || item->part_first > batch->part_count ||
        item->part_count > batch->part_count - item->part_first || !parts_are_valid(slot, item))
        return tfs_fail(-EINVAL, "item %u: %u parts from %u of %u", index, item->part_count,
                        item->part_first, batch->part_count);
    return 0;
}

int gpu_slot_start(struct gpu_slot *slot, const struct gpu_batch *batch)
{
    if (batch->byte_count > slot->limits.byte_count ||
        batch->item_count > slot->limits.item_count || batch->part_count > slot->limits.part_count)
        return tfs_fail(-EINVAL, "batch of %zu bytes, %u items, %u parts", batch->byte_count,
                        batch->item_count, batch->part_count);
    for (uint32_t i = 0; i < batch->item_count; i++) {
        int err = item_check(slot, batch, i);

        if (err < 0)
            return err;
    }
    return gpu_of_slot(slot)->ops->slot_start(slot, batch);
}

int gpu_slot_wait(struct gpu_slot *slot, struct gpu_times *ret)
{
    return gpu_of_slot(slot)->ops->slot_wait(slot, ret);
}
