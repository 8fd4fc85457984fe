/*
 * Encoding of one part. Planes that are stored raw are split straight to their place in the output;
 * the others are split into scratch memory and compressed from there.
 */
#include "store/codec/codec_ctx.h"
#include "store/codec/huffman.h"
#include "store/codec/part.h"

#include <assert.h>
#include <string.h>

enum {
    /* A plane must shrink by one part in so many, or decoding it is not worth the time. */
    WORTH_FRACTION = 64,
    /* Elements fewer than this are not worth a header for each plane. */
    COUNT_MIN = 16,
    /* A plane of so many elements that shrinks by less than this is not tried again. */
    COUNT_TELLING = 32768,
    HOPELESS_FRACTION = 512,
};

/* A part while it is written. */
struct part_writer {
    struct codec_ctx *ctx;
    struct part_plan *plan;
    uint8_t *dst;
    size_t capacity;
    size_t stream_table; /* offset of the next stream's entry */
    size_t size;         /* bytes written so far, with room for the whole table */
    size_t count;        /* elements */
    uint8_t *planes[PLANES_MAX];
};

static void put_u24(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
}

static void stream_put(struct part_writer *writer, unsigned plane, enum part_coding coding,
                       size_t size)
{
    put_u24(writer->dst + writer->stream_table, (uint32_t)size | plane << PART_STREAM_PLANE_SHIFT |
                                                    (uint32_t)coding << PART_STREAM_CODING_SHIFT);
    writer->stream_table += PART_STREAM_SIZE;
    writer->size += size;
}

static bool is_constant(const uint8_t *data, size_t size)
{
    return memcmp(data, data + 1, size - 1) == 0;
}

/*
 * Compress at the end of dst. zstd is faster when it sees that its bound fits, so small room is
 * avoided.
 */
static int64_t plane_compress(struct part_writer *writer, unsigned plane)
{
    struct codec_ctx *ctx = writer->ctx;
    const uint8_t *src = writer->planes[plane];
    size_t room = writer->capacity - writer->size;
    size_t bound = ZSTD_COMPRESSBOUND(writer->count);
    uint8_t *at = writer->dst + writer->size;
    int64_t size;

    if (room < bound)
        at = ctx->compressed;
    size = codec_zstd_compress(ctx, writer->plan->level, src, writer->count, at, bound);
    if (room < bound && size > 0 && (size_t)size <= room)
        memcpy(writer->dst + writer->size, at, (size_t)size);
    return size;
}

/* Store a plane that is in scratch memory. Returns: false when there is no room; sets *ret_err on
 * failure. */
static bool plane_store(struct part_writer *writer, unsigned plane, int *ret_err)
{
    const uint8_t *src = writer->planes[plane];
    size_t worth = writer->count - writer->count / WORTH_FRACTION;
    size_t hopeless = writer->count - writer->count / HOPELESS_FRACTION;
    size_t room = writer->capacity - writer->size;
    int64_t size;

    if (writer->plan->intents[plane] == PART_INTENT_HUFFMAN) {
        size = (int64_t)huffman_encode(huffman_best(), src, writer->count,
                                       writer->dst + writer->size, tfs_min_u64(room, hopeless));
        if (size == 0 && room < hopeless)
            return false;
    } else {
        if (is_constant(src, writer->count)) {
            if (room < 1)
                return false;
            writer->dst[writer->size] = src[0];
            stream_put(writer, plane, PART_CONSTANT, 1);
            return true;
        }
        size = plane_compress(writer, plane);
        if (size < 0) {
            *ret_err = (int)size;
            return false;
        }
    }
    if (size > 0 && (size_t)size < worth) {
        if ((size_t)size > room)
            return false;
        stream_put(writer, plane, PART_ZSTD, (size_t)size);
        return true;
    }

    if (writer->count >= COUNT_TELLING && (size == 0 || (size_t)size > hopeless))
        writer->plan->intents[plane] = PART_INTENT_RAW;
    if (room < writer->count)
        return false;
    memcpy(writer->dst + writer->size, src, writer->count);
    stream_put(writer, plane, PART_RAW, writer->count);
    return true;
}

/* Give each plane its place, those stored raw in the output, and split. Returns: false without
 * room. */
static bool planes_split(struct part_writer *writer, const uint8_t *elements)
{
    const struct part_plan *plan = writer->plan;
    unsigned width = 1u << plan->width_log;
    uint8_t *scratch = writer->ctx->planes;

    for (unsigned k = 0; k < width; k++) {
        if (plan->intents[k] != PART_INTENT_RAW) {
            writer->planes[k] = scratch;
            scratch += tfs_align_up(writer->count, 64);
            continue;
        }
        if (writer->capacity - writer->size < writer->count)
            return false;
        writer->planes[k] = writer->dst + writer->size;
        stream_put(writer, k, PART_RAW, writer->count);
    }
    planes_best()->split[plan->width_log - 1][plan->rotated](elements, writer->count,
                                                             writer->planes);
    return true;
}

/* Write the streams of a part of several planes, the raw ones first. */
static bool planes_encode(struct part_writer *writer, const uint8_t *elements, int *ret_err)
{
    unsigned width = 1u << writer->plan->width_log;
    uint8_t intents[PLANES_MAX];

    memcpy(intents, writer->plan->intents, sizeof(intents)); /* plane_store changes the plan's */
    if (!planes_split(writer, elements))
        return false;
    for (unsigned k = 0; k < width; k++)
        if (intents[k] != PART_INTENT_RAW && !plane_store(writer, k, ret_err))
            return false;
    return true;
}

/* A part of bytes needs no split: it is its own plane. */
static bool bytes_encode(struct part_writer *writer, const uint8_t *elements, int *ret_err)
{
    if (writer->plan->intents[0] == PART_INTENT_RAW) {
        if (writer->capacity - writer->size < writer->count)
            return false;
        memcpy(writer->dst + writer->size, elements, writer->count);
        stream_put(writer, 0, PART_RAW, writer->count);
        return true;
    }
    writer->planes[0] = (uint8_t *)(uintptr_t)elements; /* read only */
    return plane_store(writer, 0, ret_err);
}

int64_t part_encode(struct codec_ctx *ctx, struct part_plan *plan, const struct part_raw *raw,
                    uint8_t *dst, size_t capacity)
{
    static const struct part_plan plan_raw = {.kind = CODEC_KIND_INCOMPRESSIBLE};
    struct part_plan bytes = plan_raw;
    struct part_writer writer = {.ctx = ctx, .plan = plan, .dst = dst, .capacity = capacity};
    uint32_t width = 1u << plan->width_log;
    uint32_t head = (plan->phase - raw->offset) & (width - 1);
    uint32_t tail;
    int err = 0;
    bool fits;

    if (raw->size < head + COUNT_MIN * width) {
        bytes.kind = plan->kind;
        writer.plan = plan = &bytes;
        width = 1;
        head = 0;
    }
    writer.count = (raw->size - head) / width;
    tail = (raw->size - head) % width;
    writer.stream_table = PART_HEADER_SIZE + head + tail;
    writer.size = writer.stream_table + (size_t)width * PART_STREAM_SIZE;
    if (writer.size > capacity)
        return 0;

    put_u24(dst + PART_AT_RAW_SIZE, raw->size);
    dst[PART_AT_KIND] = (uint8_t)plan->kind;
    dst[PART_AT_TRANSFORM] =
        (uint8_t)(plan->width_log | (plan->rotated ? PART_TRANSFORM_ROTATED : 0) |
                  head << PART_TRANSFORM_HEAD_SHIFT);
    memcpy(dst + PART_HEADER_SIZE, raw->data, head);
    memcpy(dst + PART_HEADER_SIZE + head, raw->data + raw->size - tail, tail);
    fits = width == 1 ? bytes_encode(&writer, raw->data + head, &err)
                      : planes_encode(&writer, raw->data + head, &err);
    if (!fits)
        return err;
    return (int64_t)writer.size;
}
