/*
 * Rows. Invariants, held by every constructor here and checked by row_decode() for bytes from disk:
 *
 * 1. Extents are sorted by start and do not overlap; visible_size is at least 1.
 * 2. An extent shows only bytes that its frame has.
 * 3. start and frame_offset are multiples of row_unit(); where an extent ends, need not be.
 * 4. Extents that show parts of one inline frame carry a copy of it each.
 */
#include "store/tables/row.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/codec/frame.h"
#include "store/segment/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Version 1 counts positions in blocks, version 2 in units: used where blocks cannot say it. */
enum { ROW_IN_BLOCKS = 1, ROW_IN_UNITS = 2, ROW_HEADER_SIZE = 8, ROW_ENTRY_SIZE = 40 };

struct tfs_row *row_ref(struct tfs_row *row)
{
    if (row)
        atomic_fetch_add_explicit(&row->references, 1, memory_order_relaxed);
    return row;
}

void row_unref(struct tfs_row *row)
{
    /* acq_rel: the last holder must see every other holder's accesses as done before it frees. */
    if (row && atomic_fetch_sub_explicit(&row->references, 1, memory_order_acq_rel) == 1)
        free(row);
}

void row_unref_p(struct tfs_row **row)
{
    row_unref(*row);
}

uint32_t row_end(const struct tfs_row *row)
{
    return row ? extent_end(&row->extents[row->extent_count - 1]) : 0;
}

const struct extent *row_find(const struct tfs_row *row, uint32_t offset)
{
    uint32_t from = 0;
    uint32_t to = row ? row->extent_count : 0;

    while (from < to) { /* the first that ends behind `offset` */
        uint32_t middle = from + (to - from) / 2;

        if (extent_end(&row->extents[middle]) > offset)
            to = middle;
        else
            from = middle + 1;
    }
    return row && from < row->extent_count ? &row->extents[from] : NULL;
}

bool frame_ref_equal(const struct frame_ref *a, const struct frame_ref *b)
{
    return a->segment == b->segment && a->offset == b->offset && a->segment != 0;
}

bool row_equal(const struct tfs_row *a, const struct tfs_row *b)
{
    if (!a || !b)
        return a == b;
    if (a->extent_count != b->extent_count)
        return false;
    for (uint32_t i = 0; i < a->extent_count; i++) {
        const struct extent *x = &a->extents[i];
        const struct extent *y = &b->extents[i];

        if (x->start != y->start || x->frame_offset != y->frame_offset ||
            x->visible_size != y->visible_size || x->frame.segment != y->frame.segment ||
            x->frame.offset != y->frame.offset || x->frame.header_crc != y->frame.header_crc)
            return false;
    }
    return true;
}

bool row_has_frame(const struct tfs_row *row, const struct frame_ref *frame)
{
    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        if (frame_ref_equal(&row->extents[i].frame, frame))
            return true;
    }
    return false;
}

bool row_shows_first(const struct tfs_row *row, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (frame_ref_equal(&row->extents[i].frame, &row->extents[index].frame))
            return false;
    }
    return true;
}

int64_t row_disk_size(const struct tfs_row *row)
{
    int64_t size = 0;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        if (row_shows_first(row, i))
            size += (int64_t)frame_ref_disk_size(&row->extents[i].frame);
    }
    return size;
}

int64_t row_stored_size(const struct tfs_row *row)
{
    int64_t size = 0;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        if (row_shows_first(row, i))
            size += row->extents[i].frame.stored_size;
    }
    return size;
}

uint64_t frame_ref_disk_size(const struct frame_ref *frame)
{
    return frame->segment ? tfs_align_up(frame->stored_size, SEGMENT_ALIGNMENT) : 0;
}

/* A row under construction: room for all extents and the inline bytes behind them. */
static struct tfs_row *row_new(uint32_t extent_count, size_t inline_size)
{
    struct tfs_row *row =
        malloc(sizeof(*row) + extent_count * sizeof(row->extents[0]) + inline_size);

    if (!row)
        return NULL;
    atomic_init(&row->references, 1);
    row->extent_count = 0;
    return row;
}

static size_t inline_size(const struct extent *extent)
{
    return extent->frame.segment ? 0 : extent->frame.stored_size;
}

/* Where row_append() puts inline bytes: extents are appended first to last, bytes behind their
 * room. */
struct row_builder {
    struct tfs_row *row;
    uint8_t *inline_at;
};

static void row_append(struct row_builder *builder, const struct extent *extent)
{
    struct extent *slot = &builder->row->extents[builder->row->extent_count++];
    size_t size = inline_size(extent);

    *slot = *extent;
    if (size) {
        memcpy(builder->inline_at, extent->inline_bytes, size);
        slot->inline_bytes = builder->inline_at;
        builder->inline_at += size;
    }
}

/* Room for all of `row` with one extent split in two, and for one more. */
static int builder_init(struct row_builder *builder, const struct tfs_row *row,
                        const struct extent *added)
{
    uint32_t extents_max = (row ? row->extent_count : 0) + 2;
    size_t bytes = added ? inline_size(added) : 0;
    size_t largest = 0;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        size_t size = inline_size(&row->extents[i]);

        bytes += size;
        largest = size > largest ? size : largest;
    }
    bytes += largest;
    builder->row = row_new(extents_max, bytes);
    if (!builder->row)
        return -ENOMEM;
    builder->inline_at = (uint8_t *)&builder->row->extents[extents_max];
    return 0;
}

static void builder_finish(struct row_builder *builder, struct tfs_row **ret)
{
    if (builder->row->extent_count == 0) {
        free(builder->row);
        builder->row = NULL;
    }
    *ret = builder->row;
}

/* The part of `extent` in bytes [from, to), or nothing. */
static bool extent_slice(const struct extent *extent, uint32_t from, uint32_t to,
                         struct extent *ret)
{
    from = from > extent->start ? from : extent->start;
    to = to < extent_end(extent) ? to : extent_end(extent);
    if (from >= to)
        return false;

    *ret = *extent;
    ret->start = from;
    ret->frame_offset = extent_in_frame(extent, from);
    ret->visible_size = to - from;
    return true;
}

int row_replace(const struct tfs_row *row, const struct extent *extent, uint32_t end,
                struct tfs_row **ret)
{
    struct row_builder builder;
    struct extent part;
    int err;

    assert(end > extent->start);
    assert(extent->visible_size <= end - extent->start);
    err = builder_init(&builder, row, extent);
    if (err)
        return err;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        if (extent_slice(&row->extents[i], 0, extent->start, &part))
            row_append(&builder, &part);
    }
    if (extent->visible_size)
        row_append(&builder, extent);
    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        if (extent_slice(&row->extents[i], end, UINT32_MAX, &part))
            row_append(&builder, &part);
    }
    builder_finish(&builder, ret);
    return 0;
}

int row_clip(const struct tfs_row *row, uint32_t size, struct tfs_row **ret)
{
    struct row_builder builder;
    int err = builder_init(&builder, row, NULL);

    if (err)
        return err;
    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        struct extent part;

        if (extent_slice(&row->extents[i], 0, size, &part))
            row_append(&builder, &part);
    }
    builder_finish(&builder, ret);
    return 0;
}

int row_copy(const struct tfs_row *row, struct tfs_row **ret)
{
    struct row_builder builder;
    int err = builder_init(&builder, row, NULL);

    if (err)
        return err;
    for (uint32_t i = 0; i < row->extent_count; i++)
        row_append(&builder, &row->extents[i]);
    *ret = builder.row;
    return 0;
}

size_t row_inline_size(const struct tfs_row *row, uint32_t from, uint32_t to)
{
    size_t size = 0;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];

        if (extent->start < from || extent_end(extent) > to)
            size += inline_size(extent);
    }
    return size;
}

bool row_is_fragmented(const struct tfs_row *row, uint32_t from, uint32_t to)
{
    uint32_t count = 0;
    bool has_inline = false;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];

        if (extent->start >= to || extent_end(extent) <= from)
            continue;
        count++;
        has_inline = has_inline || !extent->frame.segment;
    }
    return count > ROW_EXTENTS_COMFORTABLE ||
           (has_inline && row_inline_size(row, 0, 0) > 2 * (size_t)ROW_INLINE_SUM_MAX);
}

size_t row_memory_size(const struct tfs_row *row)
{
    size_t size = row ? sizeof(*row) : 0;

    for (uint32_t i = 0; row && i < row->extent_count; i++)
        size += sizeof(row->extents[i]) + inline_size(&row->extents[i]);
    return size;
}

size_t row_encoded_size(const struct tfs_row *row)
{
    size_t size = ROW_HEADER_SIZE;

    for (uint32_t i = 0; i < row->extent_count; i++)
        size += ROW_ENTRY_SIZE + inline_size(&row->extents[i]);
    return size;
}

/* step: what positions are counted in */
static void entry_encode(const struct extent *extent, uint32_t step, uint8_t *dst)
{
    tfs_put_le16(dst, (uint16_t)(extent->start / step));
    tfs_put_le16(dst + 2, (uint16_t)(extent->frame_offset / step));
    tfs_put_le16(dst + 4, (uint16_t)extent->frame.block_count);
    tfs_put_le16(dst + 6, extent->frame.zero_units);
    tfs_put_le32(dst + 8, extent->visible_size);
    tfs_put_le32(dst + 12, extent->frame.raw_size);
    tfs_put_le32(dst + 16, extent->frame.stored_size);
    tfs_put_le32(dst + 20, extent->frame.header_crc);
    tfs_put_le64(dst + 24, extent->frame.segment);
    tfs_put_le64(dst + 32, extent->frame.offset);
}

/* Positions that are too large for 32 bits come out as too large for a chunk or a frame. */
static void entry_decode(const uint8_t *src, uint32_t step, struct extent *ret)
{
    *ret = (struct extent){
        .start = (uint32_t)tfs_min_u64((uint64_t)tfs_get_le16(src) * step, UINT32_MAX),
        .frame_offset = (uint32_t)tfs_min_u64((uint64_t)tfs_get_le16(src + 2) * step, UINT32_MAX),
        .visible_size = tfs_get_le32(src + 8),
        .frame =
            {
                .block_count = tfs_get_le16(src + 4),
                .zero_units = tfs_get_le16(src + 6),
                .raw_size = tfs_get_le32(src + 12),
                .stored_size = tfs_get_le32(src + 16),
                .header_crc = tfs_get_le32(src + 20),
                .segment = tfs_get_le64(src + 24),
                .offset = tfs_get_le64(src + 32),
            },
    };
}

static bool is_in_blocks(const struct tfs_row *row, const struct row_geometry *geometry)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        if (row->extents[i].start % geometry->block_size ||
            row->extents[i].frame_offset % geometry->block_size)
            return false;
    }
    return true;
}

void row_encode(const struct tfs_row *row, const struct row_geometry *geometry, uint8_t *dst)
{
    uint8_t *entry = dst + ROW_HEADER_SIZE;
    uint8_t *inline_at = entry + (size_t)row->extent_count * ROW_ENTRY_SIZE;
    bool in_blocks = is_in_blocks(row, geometry);
    uint32_t step = in_blocks ? geometry->block_size : row_unit(geometry);

    memset(dst, 0, ROW_HEADER_SIZE);
    dst[0] = in_blocks ? ROW_IN_BLOCKS : ROW_IN_UNITS;
    tfs_put_le16(dst + 2, (uint16_t)row->extent_count);
    for (uint32_t i = 0; i < row->extent_count; i++, entry += ROW_ENTRY_SIZE) {
        const struct extent *extent = &row->extents[i];
        size_t size = inline_size(extent);

        entry_encode(extent, step, entry);
        if (size)
            memcpy(inline_at, extent->inline_bytes, size);
        inline_at += size;
    }
}

static bool frame_ref_is_sane(const struct frame_ref *frame, uint32_t block_size)
{
    uint64_t end;

    if (frame->raw_size == 0 || frame->raw_size > FRAME_RAW_SIZE_MAX)
        return false;
    if (frame->block_count != frame_block_count(frame->raw_size, block_size) ||
        frame->block_count > FRAME_BLOCKS_MAX)
        return false;
    if (!frame_stored_size_is_possible(frame->raw_size, block_size, frame->stored_size))
        return false;
    if (frame->segment == 0)
        return frame->offset == 0 && frame->stored_size <= ROW_INLINE_SIZE_MAX;
    return frame->segment <= INT64_MAX && frame->offset % SEGMENT_ALIGNMENT == 0 &&
           !tfs_add_overflows(frame->offset, frame->stored_size, &end) && end <= INT64_MAX;
}

static bool extent_is_sane(const struct extent *extent, const struct row_geometry *geometry)
{
    const struct frame_ref *frame = &extent->frame;

    if (!frame_ref_is_sane(frame, geometry->block_size) || extent->visible_size == 0)
        return false;
    return (uint64_t)extent->start + extent->visible_size <= geometry->chunk_size &&
           (uint64_t)extent->frame_offset + extent->visible_size <= frame->raw_size &&
           frame->zero_units >> ((frame->raw_size + FRAME_BUFFER_SIZE - 1) / FRAME_BUFFER_SIZE) ==
               0;
}

int row_decode(const uint8_t *bytes, size_t size, const struct row_geometry *geometry,
               struct tfs_row **ret)
{
    uint32_t count;
    size_t at;
    struct row_builder builder;
    uint32_t free_from = 0;
    uint32_t step;

    if (size < ROW_HEADER_SIZE || (bytes[0] != ROW_IN_BLOCKS && bytes[0] != ROW_IN_UNITS))
        return tfs_fail(-EUCLEAN, "chunk row of %zu bytes, version %d", size, size ? bytes[0] : -1);
    if (bytes[1] != 0 || tfs_get_le32(bytes + 4) != 0)
        return tfs_fail(-EUCLEAN, "chunk row whose reserved bytes are not 0");
    count = tfs_get_le16(bytes + 2);
    at = ROW_HEADER_SIZE + (size_t)count * ROW_ENTRY_SIZE;
    if (count == 0 || count > ROW_EXTENTS_MAX || at > size)
        return tfs_fail(-EUCLEAN, "chunk row of %zu bytes with %u extents", size, count);

    step = bytes[0] == ROW_IN_BLOCKS ? geometry->block_size : row_unit(geometry);
    builder.row = row_new(count, size - at);
    if (!builder.row)
        return -ENOMEM;
    builder.inline_at = (uint8_t *)&builder.row->extents[count];
    for (uint32_t i = 0; i < count; i++) {
        struct extent extent;

        entry_decode(bytes + ROW_HEADER_SIZE + (size_t)i * ROW_ENTRY_SIZE, step, &extent);
        if (!extent_is_sane(&extent, geometry) || extent.start < free_from ||
            inline_size(&extent) > size - at) {
            free(builder.row);
            return tfs_fail(-EUCLEAN, "extent %u of %u of a chunk row is not possible", i, count);
        }
        extent.inline_bytes = bytes + at;
        at += inline_size(&extent);
        free_from = extent_end(&extent);
        row_append(&builder, &extent);
    }
    if (at != size || (bytes[0] == ROW_IN_UNITS && is_in_blocks(builder.row, geometry))) {
        free(builder.row);
        return tfs_fail(-EUCLEAN, at != size ? "chunk row with bytes behind its end"
                                             : "chunk row of version 2 that version 1 can say");
    }
    *ret = builder.row;
    return 0;
}
