/*
 * Reading a frame: header, table, blocks, sums. Everything here may be hostile; what frame_open has
 * accepted adds up, so that no offset computed from it leaves the frame.
 */
#include "store/codec/frame.h"

#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/codec/block.h"
#include "store/codec/frame_format.h"

#include <errno.h>
#include <string.h>

static bool reserved_is_zero(const uint8_t *header)
{
    static const uint8_t zeros[FRAME_RESERVED_SIZE];

    return memcmp(header + FRAME_AT_RESERVED, zeros, sizeof(zeros)) == 0;
}

bool frame_size_is_plain(uint32_t raw_size, uint32_t block_size, uint32_t stored_size)
{
    return block_size >= FRAME_PLAIN_ALIGNMENT &&
           stored_size == frame_plain_size(raw_size, block_size);
}

static bool size_is_packed(uint32_t raw_size, uint32_t block_size, uint32_t stored_size)
{
    return stored_size >= frame_header_size(frame_block_count(raw_size, block_size)) &&
           stored_size <= frame_stored_size_max(raw_size, block_size);
}

bool frame_stored_size_is_possible(uint32_t raw_size, uint32_t block_size, uint32_t stored_size)
{
    return size_is_packed(raw_size, block_size, stored_size) ||
           frame_size_is_plain(raw_size, block_size, stored_size);
}

/* The sizes a header claims, against the limits and each other. */
static bool sizes_are_possible(const struct frame_view *view)
{
    if (view->raw_size == 0 || view->raw_size > FRAME_RAW_SIZE_MAX ||
        frame_block_count(view->raw_size, view->block_size) > FRAME_BLOCKS_MAX)
        return false;
    return view->plain ? frame_size_is_plain(view->raw_size, view->block_size, view->stored_size)
                       : size_is_packed(view->raw_size, view->block_size, view->stored_size);
}

int frame_peek(const void *header, size_t available, struct frame_view *ret)
{
    const uint8_t *at = header;
    struct frame_view view = {.table = NULL};
    unsigned block_size_log;

    if (available < FRAME_FIXED_HEADER_SIZE)
        return tfs_fail(-EUCLEAN, "a frame header cut short at %zu bytes", available);
    if (tfs_get_le32(at + FRAME_AT_MAGIC) != FRAME_MAGIC)
        return tfs_fail(-EUCLEAN, "no frame: magic 0x%08x", tfs_get_le32(at + FRAME_AT_MAGIC));
    view.plain = at[FRAME_AT_VERSION] == FRAME_VERSION_PLAIN;
    if ((at[FRAME_AT_VERSION] != FRAME_VERSION_PACKED && !view.plain) || !reserved_is_zero(at))
        return tfs_fail(-EUCLEAN, "a frame of version %u", at[FRAME_AT_VERSION]);

    view.spec.codec = (enum codec_id)at[FRAME_AT_CODEC];
    view.spec.level = at[FRAME_AT_LEVEL];
    block_size_log = at[FRAME_AT_BLOCK_SIZE_LOG];
    if (!codec_spec_is_valid(&view.spec) || block_size_log > 31 ||
        1u << block_size_log < FRAME_BLOCK_SIZE_MIN || 1u << block_size_log > FRAME_BLOCK_SIZE_MAX)
        return tfs_fail(-EUCLEAN, "a frame with codec %u level %u, blocks of 2^%u bytes",
                        at[FRAME_AT_CODEC], at[FRAME_AT_LEVEL], block_size_log);

    view.block_size = 1u << block_size_log;
    view.raw_size = tfs_get_le32(at + FRAME_AT_RAW_SIZE);
    view.stored_size = tfs_get_le32(at + FRAME_AT_STORED_SIZE);
    if (!sizes_are_possible(&view))
        return tfs_fail(-EUCLEAN, "a frame of %u bytes in %u", view.raw_size, view.stored_size);

    view.block_count = frame_block_count(view.raw_size, view.block_size);
    view.payload_offset = view.plain ? frame_plain_offset(view.block_count)
                                     : (uint32_t)frame_header_size(view.block_count);
    view.tag.inode = tfs_get_le64(at + FRAME_AT_TAG_INODE);
    view.tag.offset = tfs_get_le64(at + FRAME_AT_TAG_OFFSET);
    view.header_crc = tfs_get_le32(at + FRAME_AT_CRC);
    *ret = view;
    return 0;
}

static uint32_t block_raw_size(const struct frame_view *view, uint32_t index)
{
    return (uint32_t)tfs_min_u64(view->block_size, view->raw_size - index * view->block_size);
}

/* What the table says about block `index`, unchecked; its offset is the caller's. */
static struct frame_block table_block(const struct frame_view *view, uint32_t index,
                                      uint32_t offset)
{
    const uint8_t *entry = view->table + (size_t)index * FRAME_TABLE_ENTRY_SIZE;
    uint32_t word = tfs_get_le32(entry + FRAME_ENTRY_AT_WORD);

    return (struct frame_block){
        .index = index,
        .offset = offset,
        .stored_size = word & ((1u << FRAME_WORD_SIZE_BITS) - 1),
        .raw_size = block_raw_size(view, index),
        .stored_crc = tfs_get_le32(entry + FRAME_ENTRY_AT_STORED_CRC),
        .raw_crc = tfs_get_le32(entry + FRAME_ENTRY_AT_RAW_CRC),
        .method = (enum codec_method)(word >> FRAME_WORD_METHOD_SHIFT &
                                      ((1u << FRAME_WORD_METHOD_BITS) - 1)),
        .kind = (enum codec_kind)(word >> FRAME_WORD_KIND_SHIFT),
    };
}

static int table_check(const struct frame_view *view)
{
    /* At most FRAME_BLOCKS_MAX entries of 20 bits: the sum fits. */
    uint32_t offset = view->payload_offset;

    for (uint32_t i = 0; i < view->block_count; i++) {
        struct frame_block block = table_block(view, i, offset);

        if ((unsigned)block.kind >= CODEC_KIND_COUNT ||
            (view->plain && block.method != CODEC_METHOD_RAW) ||
            !block_sizes_are_possible(block.method, block.stored_size, block.raw_size))
            return tfs_fail(-EUCLEAN, "block %u: kind %d, method %d, %u bytes in %u", i,
                            (int)block.kind, (int)block.method, block.raw_size, block.stored_size);
        offset += block.stored_size;
    }
    if (offset != view->stored_size)
        return tfs_fail(-EUCLEAN, "blocks end at %u in a frame of %u", offset, view->stored_size);
    return 0;
}

int frame_open(const void *header, size_t available, struct frame_view *ret)
{
    const uint8_t *at = header;
    struct frame_view view;
    size_t table_size;
    uint32_t crc;
    int err;

    err = frame_peek(header, available, &view);
    if (err < 0)
        return err;
    table_size = (size_t)view.block_count * FRAME_TABLE_ENTRY_SIZE;
    if (available - FRAME_FIXED_HEADER_SIZE < table_size)
        return tfs_fail(-EUCLEAN, "the table of %u blocks cut short", view.block_count);

    view.table = at + FRAME_FIXED_HEADER_SIZE;
    crc = tfs_crc32c(tfs_crc32c(0, at, FRAME_AT_CRC), view.table, table_size);
    if (crc != view.header_crc)
        return tfs_fail(-EBADMSG, "frame header: checksum 0x%08x, stored 0x%08x", crc,
                        view.header_crc);
    err = table_check(&view);
    if (err < 0)
        return err;
    *ret = view;
    return 0;
}

int frame_block_locate(const struct frame_view *view, uint32_t index, struct frame_block *ret)
{
    uint32_t offset = view->payload_offset;

    if (index >= view->block_count)
        return tfs_fail(-EINVAL, "block %u of %u", index, view->block_count);
    for (uint32_t i = 0; i < index; i++)
        offset += table_block(view, i, 0).stored_size;
    *ret = table_block(view, index, offset);
    return 0;
}

bool frame_block_next(const struct frame_view *view, struct frame_block *block)
{
    if (block->index + 1 >= view->block_count)
        return false;
    *block = table_block(view, block->index + 1, block->offset + block->stored_size);
    return true;
}

static int check_stored(const struct frame_block *block, const void *stored, uint32_t *ret_crc)
{
    uint32_t crc = tfs_crc32c(0, stored, block->stored_size);

    if (crc != block->stored_crc)
        return tfs_fail(-EBADMSG, "block %u, stored bytes: checksum 0x%08x, stored 0x%08x",
                        block->index, crc, block->stored_crc);
    *ret_crc = crc;
    return 0;
}

static int check_raw(const struct frame_block *block, uint32_t crc)
{
    if (crc != block->raw_crc)
        return tfs_fail(-EBADMSG, "block %u, decoded bytes: checksum 0x%08x, stored 0x%08x",
                        block->index, crc, block->raw_crc);
    return 0;
}

int frame_block_decode(struct codec_ctx *ctx, const struct frame_block *block, const void *stored,
                       void *dst)
{
    uint32_t crc;
    int err = check_stored(block, stored, &crc);

    if (err < 0)
        return err;
    err = block_decode(ctx, block, stored, dst);
    if (err < 0)
        return err;
    /* Bytes stored as they are have just been checked. */
    if (block->method != CODEC_METHOD_RAW)
        crc = tfs_crc32c(0, dst, block->raw_size);
    return check_raw(block, crc);
}

int frame_block_verify_raw(const struct frame_block *block, const void *stored)
{
    uint32_t crc;
    int err;

    if (block->method != CODEC_METHOD_RAW)
        return tfs_fail(-EINVAL, "block %u is not raw: method %d", block->index,
                        (int)block->method);
    err = check_stored(block, stored, &crc);
    return err < 0 ? err : check_raw(block, crc);
}

void frame_stats_add(const struct frame_view *view, struct frame_stats *stats)
{
    struct frame_block block = table_block(view, 0, 0);

    do {
        stats->raw_by_kind[block.kind] += block.raw_size;
        stats->stored_by_kind[block.kind] += block.stored_size;
        stats->raw_by_method[block.method] += block.raw_size;
        stats->stored_by_method[block.method] += block.stored_size;
    } while (frame_block_next(view, &block));
    stats->raw_by_codec[view->spec.codec] += view->raw_size;
    stats->stored_by_codec[view->spec.codec] += view->stored_size;
    stats->header_bytes += view->payload_offset;
    stats->frame_count++;
    stats->block_count += view->block_count;
}
