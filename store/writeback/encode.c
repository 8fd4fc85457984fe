/*
 * Encoding a chunk. A run is a stretch of dirty bytes without a gap, widened to whole units of the
 * row; each run becomes one frame, appended in one write. A run of zeros becomes a hole and costs
 * nothing; a small frame stays in the row. One whose bytes do not compress is written from the
 * chunk's buffers.
 */
#include "store/writeback/encode.h"

#include "store/base/error.h"
#include "store/inode/data.h"
#include "store/inode/stuck_mark.h"
#include "store/read/scratch.h"
#include "store/segment/segment.h"
#include "store/tables/format.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Frames of more raw bytes than this are not merged with what is appended to them. */
static const uint32_t merge_size_max = 64 * 1024;

/* Smaller frames are never plain: the zeros behind the table would cost more than 1.6 %. */
static const uint32_t plain_size_min = FRAME_BUFFER_SIZE;

_Static_assert(FRAME_PLAIN_ALIGNMENT == SEGMENT_ALIGNMENT,
               "a plain frame's blocks can be appended");
_Static_assert(1 + CHUNK_SLOTS_MAX + 1 <= SEGMENT_PIECES_MAX, "header, slots and last page fit");

/* Where the old row's bytes end within [from, to), chunk-relative; `from` when it has none there.
 */
static uint32_t old_end(const struct tfs_row *row, uint32_t from, uint32_t to)
{
    uint32_t end = from;

    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        if (extent->start < to && extent_end(extent) > end)
            end = extent_end(extent) < to ? extent_end(extent) : to;
    }
    return end;
}

/* Bytes [from, to) of a slot, as the row has them. */
static int copy_old(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                    uint32_t from, uint32_t to, struct tfs_scratch *scratch)
{
    uint32_t base = index * FRAME_BUFFER_SIZE;
    int err;

    if (from >= to)
        return 0;
    err = chunk_copy_row(volume, chunk_row(chunk), &chunk->inode->data->geometry, base + from,
                         to - from, scratch, chunk->slots[index].buffer + from);
    return err ? chunk_unreadable(volume, chunk, base + from, to - from, err) : 0;
}

/*
 * What the slot's dirty bytes are widened to. Pages, where that is less than blocks would be: then
 * a change costs what it changes. A store has to say in FORMAT that it has such rows; where it
 * cannot, blocks.
 */
static uint32_t unit_for(struct tfs_volume *volume, const struct tfs_chunk *chunk, uint32_t index)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    const struct chunk_slot *slot = &chunk->slots[index];
    uint32_t base = index * FRAME_BUFFER_SIZE;
    uint32_t to = (uint32_t)tfs_align_up(base + slot->to, row_unit(geometry));

    if (slot->from % geometry->block_size == 0 &&
        old_end(chunk_row(chunk), to, (uint32_t)tfs_align_up(to, geometry->block_size)) == to)
        return geometry->block_size;
    if (row_unit(geometry) < geometry->block_size &&
        format_use_feature(volume->lock_file, FORMAT_FEATURE_PAGES) < 0)
        return geometry->block_size;
    return row_unit(geometry);
}

/*
 * Widens a slot's dirty bytes to whole units with what the row has around them. Behind the old
 * bytes' end nothing is added: the last block of a frame may be short. -EIO: what is around them is
 * damaged; then the slot is stuck.
 */
static int widen_slot(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                      uint32_t unit, struct tfs_scratch *scratch)
{
    struct chunk_slot *slot = &chunk->slots[index];
    uint32_t base = index * FRAME_BUFFER_SIZE;
    uint32_t from = (uint32_t)tfs_align_down(slot->from, unit);
    uint32_t to = (uint32_t)tfs_align_up(slot->to, unit);
    int front = 0;
    int back = 0;

    to = old_end(chunk_row(chunk), base + slot->to, base + to) - base;
    if (!slot->whole) {
        front = copy_old(volume, chunk, index, from, slot->from, scratch);
        back = copy_old(volume, chunk, index, slot->to, to, scratch);
    }
    if (front == -EIO || back == -EIO)
        stuck_mark_slot(chunk, index, unit, front == -EIO, back == -EIO);
    if (front || back)
        return front ? front : back;
    chunk_show_slot(chunk, index, from, to, slot->whole);
    return 0;
}

/* Where the frame begins to show that ends, in the slot, where the dirty bytes begin; `from` when
 * there is none, or none that is worth being merged with so many bytes. */
static uint32_t find_mergeable(const struct tfs_chunk *chunk, uint32_t index, uint32_t from,
                               uint32_t size)
{
    uint32_t base = index * FRAME_BUFFER_SIZE;
    const struct extent *extent = from ? row_find(chunk_row(chunk), base + from - 1) : NULL;

    if (!extent || extent->start < base || extent->start >= base + from ||
        extent->frame.raw_size > merge_size_max || extent->frame.raw_size > 2 * size)
        return from;
    return extent->start - base;
}

/*
 * Appended lines that are synced one by one would leave a frame a page. A run that fills a page
 * takes small frames before it along, if they are at most twice its size: so each byte is written
 * anew a few times at most, and frames grow to merge_size_max.
 */
static int merge_small_frames(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                              struct tfs_scratch *scratch)
{
    struct chunk_slot *slot = &chunk->slots[index];
    int err = 0;

    while (!err && slot->to - slot->from >= ROW_UNIT_MAX) {
        uint32_t from = find_mergeable(chunk, index, slot->from, slot->to - slot->from);

        if (from == slot->from)
            break;
        if (!slot->whole)
            err = copy_old(volume, chunk, index, from, slot->from, scratch);
        if (!err)
            chunk_show_slot(chunk, index, from, slot->to, slot->whole);
    }
    return err == -EIO ? 0 : err; /* a damaged one stays where it is */
}

/* What of a buffer is in too many pieces is made one piece again. */
static int defragment(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                      struct tfs_scratch *scratch)
{
    uint32_t base = index * FRAME_BUFFER_SIZE;
    struct chunk_slot *slot = &chunk->slots[index];
    uint32_t end;
    int err;

    if (!row_is_fragmented(chunk_row(chunk), base, base + FRAME_BUFFER_SIZE))
        return 0;
    err = chunk_fill_slot(volume, chunk, index, scratch);
    if (err) /* with a damaged block it stays in pieces */
        return err == -EIO ? 0 : err;
    end = old_end(chunk_row(chunk), base, base + FRAME_BUFFER_SIZE) - base;
    chunk_show_slot(chunk, index, 0, end > slot->to ? end : slot->to, true);
    return 0;
}

static int prepare_slot(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                        struct tfs_scratch *scratch)
{
    int err = defragment(volume, chunk, index, scratch);
    uint32_t unit;

    if (err)
        return err;
    unit = unit_for(volume, chunk, index);
    err = widen_slot(volume, chunk, index, unit, scratch);
    if (!err && unit < chunk->inode->data->geometry.block_size)
        err = merge_small_frames(volume, chunk, index, scratch);
    return err;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static bool run_is_zero(const struct tfs_chunk *chunk, const struct encoded_run *run)
{
    for (uint32_t i = run->first_slot; i < run->first_slot + run->slot_count; i++) {
        const struct chunk_slot *slot = &chunk->slots[i];

        if (!is_zero(slot->buffer + slot->from, slot->to - slot->from))
            return false;
    }
    return true;
}

/*
 * Which buffers of the run have a page of zeros, or of which the run ends in zeros inside of one:
 * for who looks for holes. A frame that begins inside of a buffer is no longer than that.
 */
static uint16_t find_zero_units(const struct tfs_chunk *chunk, const struct encoded_run *run)
{
    unsigned units = 0;

    for (uint32_t i = 0; i < run->slot_count; i++) {
        const struct chunk_slot *slot = &chunk->slots[run->first_slot + i];
        uint32_t end;

        for (uint32_t at = slot->from; at < slot->to; at = end) {
            end = (uint32_t)tfs_align_down(at, SEEK_PAGE_SIZE) + SEEK_PAGE_SIZE;
            end = end < slot->to ? end : slot->to;
            if (is_zero(slot->buffer + at, end - at)) {
                units |= 1u << i;
                break;
            }
        }
    }
    return (uint16_t)units;
}

/* The same, once FORMAT says that rows have it. Where it cannot, holes are not found. */
static uint16_t zero_units_of(struct tfs_volume *volume, const struct tfs_chunk *chunk,
                              const struct encoded_run *run)
{
    uint16_t units = find_zero_units(chunk, run);

    if (units && format_use_feature(volume->lock_file, FORMAT_FEATURE_ZERO_UNITS) < 0)
        return 0;
    return units;
}

/* Finds the run that begins with slot `first`: it goes on as long as each buffer is full, from its
 * beginning to its end. */
static void find_run(const struct tfs_chunk *chunk, uint32_t first, struct encoded_run *ret)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    uint32_t slot_count = geometry->chunk_size / FRAME_BUFFER_SIZE;
    const struct chunk_slot *slots = chunk->slots;
    uint32_t last = first;
    uint32_t start = first * FRAME_BUFFER_SIZE + slots[first].from;
    uint32_t end;

    while (slots[first].from == 0 && last + 1 < slot_count && slots[last].to == FRAME_BUFFER_SIZE &&
           slots[last + 1].buffer && slots[last + 1].from == 0)
        last++;
    end = last * FRAME_BUFFER_SIZE + slots[last].to;
    *ret = (struct encoded_run){
        .first_slot = first,
        .slot_count = last - first + 1,
        .on_unit_boundary = slots[first].from == 0,
        .end = (uint32_t)tfs_align_up(end, row_unit(geometry)),
        .extent = {.start = start, .visible_size = end - start},
    };
}

static int append_pieces(struct tfs_volume *volume, const struct iovec *pieces, int piece_count,
                         struct frame_ref *ref)
{
    struct segment_position position;
    unsigned epoch = refcounts_append_begin(volume->refcounts);
    int err;

    err = segments_appendv(volume->segments, pieces, piece_count, &position);
    if (!err) {
        ref->segment = position.number;
        ref->offset = position.offset;
        refcounts_appended(volume->refcounts, ref);
    }
    refcounts_append_end(volume->refcounts, epoch);
    return err;
}

int encode_append(struct tfs_volume *volume, struct tfs_scratch *scratch, struct frame_ref *ref)
{
    size_t padded = tfs_align_up(ref->stored_size, SEGMENT_ALIGNMENT);
    struct iovec piece = segment_piece(scratch->bytes, padded);

    memset(scratch->bytes + ref->stored_size, 0, padded - ref->stored_size);
    return append_pieces(volume, &piece, 1, ref);
}

/*
 * A plain frame, whose header stands at the beginning of the scratch: all but a last page that is
 * not full is written from the chunk's buffers. Its place in the buffer may have older bytes behind
 * it and readers at it, so it gets its zeros in the scratch.
 */
static int append_plain(struct tfs_volume *volume, const struct frame_source *source,
                        struct tfs_scratch *scratch, struct frame_ref *ref)
{
    uint32_t whole_size = (uint32_t)tfs_align_down(source->raw_size, SEGMENT_ALIGNMENT);
    uint32_t tail_size = source->raw_size - whole_size;
    struct iovec pieces[SEGMENT_PIECES_MAX]; /* the header, each slot's, the last page */
    uint8_t *tail = scratch->bytes + frame_plain_offset(ref->block_count);
    int count = 0;

    pieces[count++] = segment_piece(scratch->bytes, frame_plain_offset(ref->block_count));
    for (uint32_t at = 0; at < whole_size; at += FRAME_BUFFER_SIZE)
        pieces[count++] = segment_piece(source->buffers[at / FRAME_BUFFER_SIZE],
                                        tfs_min_u64(FRAME_BUFFER_SIZE, whole_size - at));
    if (tail_size) {
        const uint8_t *buffer = source->buffers[whole_size / FRAME_BUFFER_SIZE];

        memcpy(tail, buffer + whole_size % FRAME_BUFFER_SIZE, tail_size);
        memset(tail + tail_size, 0, SEGMENT_ALIGNMENT - tail_size);
        pieces[count++] = segment_piece(tail, SEGMENT_ALIGNMENT);
    }
    return append_pieces(volume, pieces, count, ref);
}

/* inline_max: what the row has left for frames inside of it */
static int encode_run(struct tfs_volume *volume, struct tfs_chunk *chunk, struct encoded_run *run,
                      size_t inline_max, struct tfs_scratch *scratch)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    const void *buffers[CHUNK_SLOTS_MAX];
    struct frame_source source = {
        .buffers = buffers,
        .raw_size = run->extent.visible_size,
        .block_size = geometry->block_size,
        .tag = {.inode = chunk->inode->number,
                .offset = chunk->index * geometry->chunk_size + run->extent.start},
        .plain = run->extent.visible_size >= plain_size_min &&
                 geometry->block_size >= FRAME_PLAIN_ALIGNMENT,
    };
    uint32_t block_count = frame_block_count(source.raw_size, source.block_size);
    struct frame_view view;
    int64_t stored_size;
    int err;

    for (uint32_t i = 0; i < run->slot_count; i++)
        buffers[i] = chunk->slots[run->first_slot + i].buffer;
    buffers[0] = chunk->slots[run->first_slot].buffer + chunk->slots[run->first_slot].from;

    stored_size = frame_encode(scratch->codec, &chunk->inode->data->compression, &source,
                               scratch->bytes, scratch->capacity);
    if (stored_size < 0)
        return (int)stored_size;
    err = frame_open(scratch->bytes, frame_header_size(block_count), &view);
    if (err)
        return tfs_fail(-EIO, "a frame that was just made does not verify: memory is at fault");

    run->extent.frame = (struct frame_ref){
        .stored_size = (uint32_t)stored_size,
        .raw_size = view.raw_size,
        .header_crc = view.header_crc,
        .block_count = view.block_count,
        .zero_units = zero_units_of(volume, chunk, run),
    };
    if (view.plain)
        return append_plain(volume, &source, scratch, &run->extent.frame);
    if (stored_size > ROW_INLINE_SIZE_MAX || (size_t)stored_size > inline_max ||
        run->slot_count > 1)
        return encode_append(volume, scratch, &run->extent.frame);
    memcpy(run->inline_copy, scratch->bytes, (size_t)stored_size);
    run->extent.inline_bytes = run->inline_copy;
    return 0;
}

void encode_give_back(struct tfs_volume *volume, const struct encoded_chunk *encoded)
{
    for (uint32_t i = 0; i < encoded->run_count; i++) {
        const struct frame_ref *frame = &encoded->runs[i].extent.frame;

        if (encoded->runs[i].extent.visible_size && frame->segment)
            dead_list_add_frame(volume->dead, frame, 0);
    }
}

static int prepare_slots(struct tfs_volume *volume, struct tfs_chunk *chunk,
                         struct tfs_scratch *scratch)
{
    int err = chunk_load_row(volume, chunk);

    if (err == -EIO)
        stuck_mark_chunk(chunk);
    if (err)
        return err;
    /* All of them, also after an error: each that is stuck is to be known. */
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        int slot_err = chunk->slots[i].buffer ? prepare_slot(volume, chunk, i, scratch) : 0;

        err = err ? err : slot_err;
    }
    return err;
}

/* Inline bytes that the last run may have, beside those that the row keeps and those of the runs
 * before it. */
static size_t inline_left(const struct tfs_chunk *chunk, const struct encoded_chunk *encoded)
{
    const struct encoded_run *run = &encoded->runs[encoded->run_count];
    size_t sum = row_inline_size(chunk_row(chunk), run->extent.start, run->end);

    for (uint32_t i = 0; i < encoded->run_count; i++) {
        const struct extent *extent = &encoded->runs[i].extent;

        if (extent->visible_size && !extent->frame.segment)
            sum += extent->frame.stored_size;
    }
    return sum < ROW_INLINE_SUM_MAX ? ROW_INLINE_SUM_MAX - sum : 0;
}

int encode_chunk(struct tfs_volume *volume, struct tfs_chunk *chunk, struct tfs_scratch *scratch,
                 struct encoded_chunk *ret)
{
    int err = prepare_slots(volume, chunk, scratch);

    ret->run_count = 0;
    ret->raw_bytes = 0;
    ret->stored_bytes = 0;
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX && !err;) {
        struct encoded_run *run = &ret->runs[ret->run_count];

        if (!chunk->slots[i].buffer) {
            i++;
            continue;
        }
        find_run(chunk, i, run);
        ret->raw_bytes += run->extent.visible_size;
        if (run_is_zero(chunk, run)) {
            run->extent.visible_size = 0;
        } else {
            err = encode_run(volume, chunk, run, inline_left(chunk, ret), scratch);
            ret->stored_bytes += run->extent.frame.stored_size;
        }
        if (!err)
            ret->run_count++;
        i += run->slot_count;
    }
    if (err)
        encode_give_back(volume, ret);
    return err;
}
