/*
 * Making a frame: blocks one after another into the payload, their table entries as they come, the
 * header last, because it carries the checksum of it all.
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

static int source_check(const struct codec_spec *spec, const struct frame_source *source,
                        size_t capacity)
{
    if (!codec_spec_is_valid(spec))
        return tfs_fail(-EINVAL, "codec %d level %d", (int)spec->codec, spec->level);
    if (!tfs_is_power_of_two(source->block_size) || source->block_size < FRAME_BLOCK_SIZE_MIN ||
        source->block_size > FRAME_BLOCK_SIZE_MAX)
        return tfs_fail(-EINVAL, "blocks of %u bytes", source->block_size);
    if (source->raw_size == 0 || source->raw_size > FRAME_RAW_SIZE_MAX ||
        frame_block_count(source->raw_size, source->block_size) > FRAME_BLOCKS_MAX)
        return tfs_fail(-EINVAL, "a frame of %u bytes in blocks of %u", source->raw_size,
                        source->block_size);
    if (capacity < frame_stored_size_max(source->raw_size, source->block_size))
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
    uint32_t stored_crc = tfs_crc32c(0, stored, result->stored_size);
    uint32_t raw_crc = stored_crc;

    if (result->method != CODEC_METHOD_RAW)
        raw_crc = tfs_crc32c(0, raw->data, raw->size);
    tfs_put_le32(entry + FRAME_ENTRY_AT_WORD,
                 result->stored_size | (uint32_t)result->method << FRAME_WORD_METHOD_SHIFT |
                     (uint32_t)result->kind << FRAME_WORD_KIND_SHIFT);
    tfs_put_le32(entry + FRAME_ENTRY_AT_STORED_CRC, stored_crc);
    tfs_put_le32(entry + FRAME_ENTRY_AT_RAW_CRC, raw_crc);
}

static void header_put(uint8_t *header, const struct codec_spec *spec,
                       const struct frame_source *source, size_t stored_size)
{
    uint32_t block_count = frame_block_count(source->raw_size, source->block_size);
    uint32_t crc;

    tfs_put_le32(header + FRAME_AT_MAGIC, FRAME_MAGIC);
    header[FRAME_AT_VERSION] = FRAME_VERSION;
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
                     (size_t)block_count * FRAME_TABLE_ENTRY_SIZE);
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
    size_t stored_size; /* so far */
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
    entry_put(writer->frame + frame_header_size(index), &raw, stored, &result);
    writer->stored_size += result.stored_size;
    return 0;
}

int64_t frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                     const struct frame_source *source, void *dst, size_t capacity)
{
    struct frame_writer writer = {.ctx = ctx, .spec = spec, .source = source, .frame = dst};
    uint32_t block_count;
    int err;

    err = source_check(spec, source, capacity);
    if (err < 0)
        return err;

    block_count = frame_block_count(source->raw_size, source->block_size);
    writer.capacity = capacity;
    writer.stored_size = frame_header_size(block_count);
    probe_init(&writer.probe);
    for (uint32_t i = 0; i < block_count; i++) {
        err = writer_block(&writer, i);
        if (err < 0)
            return err;
    }
    header_put(dst, spec, source, writer.stored_size);
    return (int64_t)writer.stored_size;
}
