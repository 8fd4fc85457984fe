/*
 * A block by the plans of the segments that it touches: one segment without planes is stored raw or
 * as a zstd frame, everything else as parts.
 */
#include "store/codec/block_auto.h"

#include "store/codec/codec_ctx.h"

#include <string.h>

struct segment_range {
    struct probe_segment *segments;
    uint32_t count;
};

static struct segment_range segments_of_block(struct probe *probe, uint32_t offset, uint32_t size)
{
    uint32_t first = 0;
    uint32_t last;

    while (probe->segments[first].end <= offset)
        first++;
    last = first;
    while (probe->segments[last].end < offset + size)
        last++;
    return (struct segment_range){&probe->segments[first], last - first + 1};
}

static enum codec_kind kind_of(const struct segment_range *range)
{
    enum codec_kind kind = range->segments[0].plan.kind;

    for (uint32_t i = 1; i < range->count; i++)
        if (range->segments[i].plan.kind != kind)
            return CODEC_KIND_MIXED;
    return kind;
}

/* Returns: the size of all parts, 0 when they would not be smaller than the block, or -ENOMEM. */
static int64_t parts_encode(struct codec_ctx *ctx, const struct segment_range *range,
                            uint32_t offset, const struct block_raw *raw, uint8_t *dst,
                            size_t capacity)
{
    size_t stored = 0;

    for (uint32_t i = 0; i < range->count; i++) {
        struct probe_segment *segment = &range->segments[i];
        uint32_t start = (uint32_t)tfs_max_u64(segment->start, offset);
        uint32_t end = (uint32_t)tfs_min_u64(segment->end, offset + raw->size);
        struct part_raw part = {raw->data + (start - offset), start, end - start};
        int64_t size = part_encode(ctx, &segment->plan, &part, dst + stored, capacity - stored);

        if (size <= 0)
            return size;
        stored += (size_t)size;
    }
    return stored < raw->size ? (int64_t)stored : 0;
}

static bool plan_is_bytes(const struct part_plan *plan, enum part_intent intent)
{
    return plan->width_log == 0 && plan->intents[0] == intent;
}

int block_auto_encode(struct codec_ctx *ctx, struct probe *probe, uint32_t offset,
                      const struct block_raw *raw, uint8_t *dst, size_t capacity,
                      struct block_result *ret)
{
    struct segment_range range = segments_of_block(probe, offset, raw->size);
    struct part_plan *first = &range.segments[0].plan;
    struct block_result result = {.kind = kind_of(&range)};
    int64_t size;

    if (block_store_constant(raw, dst, ret))
        return 0;

    if (range.count == 1 && plan_is_bytes(first, PART_INTENT_RAW)) {
        size = 0;
    } else if (range.count == 1 && plan_is_bytes(first, PART_INTENT_MATCHES)) {
        result.method = CODEC_METHOD_ZSTD;
        size = codec_zstd_compress(ctx, first->level, raw->data, raw->size, dst, raw->size - 1);
    } else {
        result.method = CODEC_METHOD_PLANES;
        size = parts_encode(ctx, &range, offset, raw, dst, capacity);
    }
    if (size < 0)
        return (int)size;

    result.stored_size = size ? (uint32_t)size : raw->size;
    if (size == 0)
        result.method = CODEC_METHOD_RAW;
    *ret = result;
    return 0;
}
