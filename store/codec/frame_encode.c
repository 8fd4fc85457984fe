/*
 * Making a frame: blocks one after another into the payload, their table entries as they come, the
 * header last, because it carries the checksum of it all.
 *
 * As long as the frame may become a plain one, raw blocks stay where they are. The first block that
 * is not raw decides against it: those before it are copied to their places then.
 */
#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/codec/block.h"
#include "store/codec/block_auto.h"
#include "store/codec/frame.h"
#include "store/codec/frame_format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static uint32_t source_block_count(const struct frame_source *source)
{
    return frame_block_count(source->raw_size, source->block_size);
}

static size_t capacity_needed(const struct frame_source *source)
{
    size_t packed = frame_stored_size_max(source->raw_size, source->block_size);

    return source->plain ? tfs_max_u64(packed, frame_plain_offset(source_block_count(source)))
                         : packed;
}

static int source_check(const struct codec_spec *spec, const struct frame_source *source,
                        size_t capacity)
{
    if (!codec_spec_is_valid(spec))
        return tfs_fail(-EINVAL, "codec %d level %d", (int)spec->codec, spec->level);
    if (!tfs_is_power_of_two(source->block_size) || source->block_size < FRAME_BLOCK_SIZE_MIN ||
        source->block_size > FRAME_BLOCK_SIZE_MAX)
        return tfs_fail(-EINVAL, "blocks of %u bytes", source->block_size);
    if (source->raw_size == 0 || source->raw_size > FRAME_RAW_SIZE_MAX ||
        source_block_count(source) > FRAME_BLOCKS_MAX)
        return tfs_fail(-EINVAL, "a frame of %u bytes in blocks of %u", source->raw_size,
                        source->block_size);
    if (source->plain && source->block_size < FRAME_PLAIN_ALIGNMENT)
        return tfs_fail(-EINVAL, "a plain frame in blocks of %u bytes", source->block_size);
    if (capacity < capacity_needed(source))
        return tfs_fail(-ENOSPC, "capacity of %zu bytes for %u", capacity, source->raw_size);
    return 0;
}

static struct block_raw source_block(const struct frame_source *source, uint32_t index)
{
    uint32_t offset = index * source->block_size;
    const uint8_t *buffer = source->buffers[offset / FRAME_BUFFER_SIZE];

    return (struct block_raw){
        .data = buffer + offset % FRAME_BUFFER_SIZE,
        .size = (uint32_t)tfs_min_u64(source->block_size, source->raw_size - offset),
    };
}

static void entry_put(uint8_t *entry, const struct block_raw *raw, const uint8_t *stored,
                      const struct block_result *result)
{
    uint32_t raw_crc = tfs_crc32c(0, raw->data, raw->size);
    uint32_t stored_crc = raw_crc;

    if (result->method != CODEC_METHOD_RAW)
        stored_crc = tfs_crc32c(0, stored, result->stored_size);
    tfs_put_le32(entry + FRAME_ENTRY_AT_WORD,
                 result->stored_size | (uint32_t)result->method << FRAME_WORD_METHOD_SHIFT |
                     (uint32_t)result->kind << FRAME_WORD_KIND_SHIFT);
    tfs_put_le32(entry + FRAME_ENTRY_AT_STORED_CRC, stored_crc);
    tfs_put_le32(entry + FRAME_ENTRY_AT_RAW_CRC, raw_crc);
}

static void header_put(uint8_t *header, const struct codec_spec *spec,
                       const struct frame_source *source, uint8_t version, size_t stored_size)
{
    uint32_t crc;

    tfs_put_le32(header + FRAME_AT_MAGIC, FRAME_MAGIC);
    header[FRAME_AT_VERSION] = version;
    header[FRAME_AT_CODEC] = (uint8_t)spec->codec;
    header[FRAME_AT_LEVEL] = (uint8_t)spec->level;
    header[FRAME_AT_BLOCK_SIZE_LOG] = (uint8_t)__builtin_ctz(source->block_size);
    tfs_put_le32(header + FRAME_AT_RAW_SIZE, source->raw_size);
    tfs_put_le32(header + FRAME_AT_STORED_SIZE, (uint32_t)stored_size);
    tfs_put_le64(header + FRAME_AT_TAG_INODE, source->tag.inode);
    tfs_put_le64(header + FRAME_AT_TAG_OFFSET, source->tag.offset);
    memset(header + FRAME_AT_RESERVED, 0, FRAME_RESERVED_SIZE);
    crc = tfs_crc32c(0, header, FRAME_AT_CRC);
    crc = tfs_crc32c(crc, header + FRAME_FIXED_HEADER_SIZE,
                     (size_t)source_block_count(source) * FRAME_TABLE_ENTRY_SIZE);
    tfs_put_le32(header + FRAME_AT_CRC, crc);
}

/* A frame while it is made. */
struct frame_writer {
    struct codec_ctx *ctx;
    const struct codec_spec *spec;
    const struct frame_source *source;
    struct probe probe; /* for CODEC_AUTO */
    uint8_t *frame;
    size_t capacity;
    size_t stored_size; /* so far, as if not plain */
    bool plain;         /* so far: all blocks are raw, and none is in `frame` */
};

static int writer_block_auto(struct frame_writer *writer, uint32_t index,
                             const struct block_raw *raw, struct block_result *ret)
{
    const struct frame_source *source = writer->source;
    uint32_t offset = index * source->block_size % FRAME_BUFFER_SIZE;
    uint32_t buffer_left = source->raw_size - index * source->block_size;
    int err;

    if (offset == 0) {
        if (index > 0)
            probe_buffer_done(&writer->probe);
        err = probe_buffer(writer->ctx, &writer->probe, raw->data,
                           (uint32_t)tfs_min_u64(FRAME_BUFFER_SIZE, buffer_left));
        if (err < 0)
            return err;
    }
    return block_auto_encode(writer->ctx, &writer->probe, offset, raw,
                             writer->frame + writer->stored_size,
                             writer->capacity - writer->stored_size, ret);
}

/* Block `count` is not raw: what stands before it has to be in the frame after all. */
static void writer_copy_blocks(struct frame_writer *writer, uint32_t count)
{
    uint8_t *stored = writer->frame + frame_header_size(source_block_count(writer->source));

    for (uint32_t i = 0; i < count; i++) {
        struct block_raw raw = source_block(writer->source, i);

        memcpy(stored, raw.data, raw.size);
        stored += raw.size;
    }
    writer->plain = false;
}

static int writer_block(struct frame_writer *writer, uint32_t index)
{
    struct block_raw raw = source_block(writer->source, index);
    uint8_t *stored = writer->frame + writer->stored_size;
    struct block_result result;
    int err;

    /* What is left is enough, because no block before has grown. */
    assert(writer->capacity - writer->stored_size >= raw.size);
    if (writer->spec->codec == CODEC_AUTO)
        err = writer_block_auto(writer, index, &raw, &result);
    else
        err = block_encode(writer->ctx, writer->spec, &raw, stored, &result);
    if (err < 0)
        return err;
    if (writer->plain && result.method != CODEC_METHOD_RAW)
        writer_copy_blocks(writer, index);
    if (!writer->plain && result.method == CODEC_METHOD_RAW)
        memcpy(stored, raw.data, raw.size);
    entry_put(writer->frame + frame_header_size(index), &raw, stored, &result);
    writer->stored_size += result.stored_size;
    return 0;
}

/* Returns: the frame's size. */
static int64_t writer_finish(struct frame_writer *writer)
{
    const struct frame_source *source = writer->source;
    uint32_t block_count = source_block_count(source);
    size_t header_size = frame_header_size(block_count);

    if (!writer->plain) {
        header_put(writer->frame, writer->spec, source, FRAME_VERSION_PACKED, writer->stored_size);
        return (int64_t)writer->stored_size;
    }
    writer->stored_size = frame_plain_size(source->raw_size, source->block_size);
    memset(writer->frame + header_size, 0, frame_plain_offset(block_count) - header_size);
    header_put(writer->frame, writer->spec, source, FRAME_VERSION_PLAIN, writer->stored_size);
    return (int64_t)writer->stored_size;
}

int64_t frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                     const struct frame_source *source, void *dst, size_t capacity)
{
    struct frame_writer writer = {
        .ctx = ctx, .spec = spec, .source = source, .frame = dst, .plain = source->plain};
    uint32_t block_count;
    int err;

    err = source_check(spec, source, capacity);
    if (err < 0)
        return err;

    block_count = source_block_count(source);
    writer.capacity = capacity;
    writer.stored_size = frame_header_size(block_count);
    probe_init(&writer.probe);
    for (uint32_t i = 0; i < block_count; i++) {
        err = writer_block(&writer, i);
        if (err < 0)
            return err;
    }
    return writer_finish(&writer);
}
