/*
 * Decoding of parts. All of it is hostile: every size is compared with what is left before it is
 * used, and a part must name each of its planes once.
 */
#include "store/base/error.h"
#include "store/codec/codec_ctx.h"
#include "store/codec/part.h"

#include <errno.h>
#include <string.h>

struct part_reader {
    struct codec_ctx *ctx;
    const uint8_t *at;
    uint32_t left; /* bytes of input from `at` on */
};

struct part {
    uint32_t raw_size;
    uint32_t head, tail; /* bytes before and after the elements */
    uint32_t count;      /* elements */
    unsigned width_log;
    bool rotated;
    const uint8_t *table;
};

static uint32_t get_u24(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static const uint8_t *take(struct part_reader *reader, uint32_t size)
{
    const uint8_t *at = reader->at;

    if (size > reader->left)
        return NULL;
    reader->at += size;
    reader->left -= size;
    return at;
}

static int part_header_read(struct part_reader *reader, uint32_t raw_left, struct part *ret)
{
    const uint8_t *header = take(reader, PART_HEADER_SIZE);
    struct part part = {.table = NULL};
    uint8_t transform;

    if (!header)
        return tfs_fail(-EUCLEAN, "part header cut short");
    transform = header[PART_AT_TRANSFORM];
    part.raw_size = get_u24(header + PART_AT_RAW_SIZE);
    part.width_log = transform & PART_TRANSFORM_WIDTH_MASK;
    part.rotated = transform & PART_TRANSFORM_ROTATED;
    part.head = (transform & ~PART_TRANSFORM_UNUSED) >> PART_TRANSFORM_HEAD_SHIFT;
    if (part.raw_size == 0 || part.raw_size > raw_left || part.head > part.raw_size ||
        part.head >= 1u << part.width_log || (transform & PART_TRANSFORM_UNUSED) ||
        (part.rotated && part.width_log == 0) || header[PART_AT_KIND] >= CODEC_KIND_COUNT)
        return tfs_fail(-EUCLEAN, "part of %u bytes in %u, kind %u, transform 0x%02x",
                        part.raw_size, raw_left, header[PART_AT_KIND], transform);
    part.count = (part.raw_size - part.head) >> part.width_log;
    part.tail = part.raw_size - part.head - (part.count << part.width_log);
    *ret = part;
    return 0;
}

/* Where the bytes of one plane are: in the input, or decoded into `scratch`, which holds `count`.
 */
static int stream_decode(struct part_reader *reader, uint32_t entry, uint32_t count,
                         uint8_t *scratch, const uint8_t **ret)
{
    uint32_t size = entry & ((1u << PART_STREAM_SIZE_BITS) - 1);
    unsigned coding = entry >> PART_STREAM_CODING_SHIFT;
    const uint8_t *stored = take(reader, size);
    int err;

    if (!stored)
        return tfs_fail(-EUCLEAN, "stream of %u bytes cut short", size);
    switch (coding) {
    case PART_RAW:
        if (size != count)
            break;
        *ret = stored;
        return 0;
    case PART_CONSTANT:
        if (size != 1)
            break;
        memset(scratch, stored[0], count);
        *ret = scratch;
        return 0;
    case PART_ZSTD:
        err = codec_zstd_decompress(reader->ctx, stored, size, scratch, count);
        if (err < 0)
            return err;
        *ret = scratch;
        return 0;
    default:
        break;
    }
    return tfs_fail(-EUCLEAN, "stream of %u bytes, coding %u, for %u elements", size, coding,
                    count);
}

/* One plane: decoded to where it belongs. */
static int bytes_decode(struct part_reader *reader, const struct part *part, uint8_t *dst)
{
    uint32_t entry = get_u24(part->table);
    const uint8_t *plane = NULL;
    int err;

    if ((entry >> PART_STREAM_PLANE_SHIFT & (PLANES_MAX - 1)) != 0)
        return tfs_fail(-EUCLEAN, "a second plane of bytes");
    err = stream_decode(reader, entry, part->count, dst, &plane);
    if (err < 0)
        return err;
    if (plane != dst)
        memcpy(dst, plane, part->count);
    return 0;
}

static int planes_decode(struct part_reader *reader, const struct part *part, uint8_t *dst)
{
    const uint8_t *planes[PLANES_MAX] = {NULL};
    unsigned width = 1u << part->width_log;
    uint32_t scratch_stride = (uint32_t)tfs_align_up(part->count, 64);

    for (unsigned i = 0; i < width; i++) {
        uint32_t entry = get_u24(part->table + (size_t)i * PART_STREAM_SIZE);
        unsigned plane = entry >> PART_STREAM_PLANE_SHIFT & (PLANES_MAX - 1);
        int err;

        if (plane >= width || planes[plane])
            return tfs_fail(-EUCLEAN, "stream %u is for plane %u of %u", i, plane, width);
        err = stream_decode(reader, entry, part->count,
                            reader->ctx->planes + (size_t)i * scratch_stride, &planes[plane]);
        if (err < 0)
            return err;
    }
    planes_best()->merge[part->width_log - 1][part->rotated](planes, part->count, dst);
    return 0;
}

static int part_decode(struct part_reader *reader, uint32_t raw_left, uint8_t *dst,
                       uint32_t *ret_raw_size)
{
    struct part part = {.table = NULL};
    const uint8_t *literals;
    int err;

    err = part_header_read(reader, raw_left, &part);
    if (err < 0)
        return err;
    literals = take(reader, part.head + part.tail);
    part.table = take(reader, PART_STREAM_SIZE << part.width_log);
    if (!literals || !part.table)
        return tfs_fail(-EUCLEAN, "part header cut short");

    memcpy(dst, literals, part.head);
    memcpy(dst + part.raw_size - part.tail, literals + part.head, part.tail);
    if (part.width_log == 0)
        err = bytes_decode(reader, &part, dst + part.head);
    else
        err = planes_decode(reader, &part, dst + part.head);
    if (err < 0)
        return err;
    *ret_raw_size = part.raw_size;
    return 0;
}

int part_decode_all(struct codec_ctx *ctx, const uint8_t *stored, uint32_t stored_size,
                    uint8_t *dst, uint32_t raw_size)
{
    struct part_reader reader = {.ctx = ctx, .at = stored, .left = stored_size};
    uint32_t done = 0;

    while (done < raw_size) {
        uint32_t part_size = 0;
        int err = part_decode(&reader, raw_size - done, dst + done, &part_size);

        if (err < 0)
            return err;
        done += part_size;
    }
    if (reader.left != 0)
        return tfs_fail(-EUCLEAN, "%u bytes after the last part", reader.left);
    return 0;
}
