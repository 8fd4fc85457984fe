/*
 * Reading. A request is answered from pieces: pinned units of the cache, zeros for holes, and
 * copies of what is dirty.
 *
 * tfs_file_try_read() takes what is there, or nothing. tfs_file_read() loads what is missing: first
 * without waiting for buffers, because pieces are pinned meanwhile. When that cannot be, because
 * the buffers are taken or the pieces are too many, the request is copied together block by block,
 * holding nothing while it waits.
 *
 * A row may be superseded, and its frame given back, between the moment when it was found and the
 * moment when it was read. The frame then does not verify: the row is looked up again, and only an
 * error with an unchanged row is believed.
 */
#include "store/base/error.h"
#include "store/file/file.h"
#include "store/file/readahead.h"
#include "store/inode/chunk_map.h"
#include "store/inode/damage.h"
#include "store/inode/data.h"
#include "store/read/cache.h"
#include "store/read/frames.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRY_COPY_SIZE_MAX = 64 << 10 }; /* copied where nobody waits; a few microseconds */

static const uint8_t zeros[FRAME_BUFFER_SIZE];

/* A request while it is put together. */
struct reading {
    struct tfs_volume *volume;
    struct tfs_inode *inode;
    struct tfs_read *read;
    bool copies;     /* everything goes into read->copy */
    bool tries;      /* nothing is loaded, nobody is waited for */
    bool needs_copy; /* it cannot be had in pieces */
};

static int add_piece(struct reading *reading, const void *bytes, size_t size, void *pin)
{
    struct tfs_read *read = reading->read;

    if (read->piece_count == TFS_READ_PIECES_MAX) {
        reading->needs_copy = true;
        return -EAGAIN;
    }
    read->pieces[read->piece_count].iov_base = (void *)(uintptr_t)bytes;
    read->pieces[read->piece_count].iov_len = size;
    read->pins[read->piece_count] = pin;
    read->piece_count++;
    read->size += size;
    return 0;
}

/* The next `size` bytes of the copy, to be filled. */
static uint8_t *copy_at(struct reading *reading, size_t size)
{
    uint8_t *at = (uint8_t *)reading->read->copy + reading->read->size;

    reading->read->size += size;
    return at;
}

/* The part of a request that lies in one chunk. */
struct chunk_part {
    uint64_t index;
    uint32_t offset; /* in the chunk */
    uint32_t size;
};

static int pin_extent(struct reading *reading, const struct frames_source *source, uint32_t offset,
                      uint32_t size)
{
    struct tfs_volume *volume = reading->volume;
    struct frames_range range = {
        .first_unit = offset / FRAME_BUFFER_SIZE,
        .unit_count = (offset + size - 1) / FRAME_BUFFER_SIZE - offset / FRAME_BUFFER_SIZE + 1,
    };
    struct cache_unit *units[FRAMES_UNITS_MAX];
    int err;

    if (source->frame.segment == 0 ||
        reading->read->piece_count + range.unit_count > TFS_READ_PIECES_MAX) {
        reading->needs_copy = true;
        return -EAGAIN;
    }
    err = reading->tries ? frames_try_pin(volume->frames, source, &range, units)
                         : frames_pin(volume->frames, source, &range, false, NULL, units);
    if (err)
        return err;
    for (uint32_t i = 0; i < range.unit_count; i++) {
        uint32_t skip = offset % FRAME_BUFFER_SIZE;
        uint32_t part = (uint32_t)tfs_min_u64(size, FRAME_BUFFER_SIZE - skip);

        err = add_piece(reading, cache_unit_data(units[i]) + skip, part, units[i]);
        assert(!err); /* counted above */
        offset += part;
        size -= part;
    }
    return 0;
}

static int add_extent(struct reading *reading, const struct frames_source *source, uint32_t offset,
                      uint32_t size)
{
    if (!reading->copies)
        return pin_extent(reading, source, offset, size);
    return frames_try_copy(reading->volume->frames, source, offset, size, copy_at(reading, size));
}

static int add_zeros(struct reading *reading, uint32_t size)
{
    int err = 0;

    if (reading->copies) {
        memset(copy_at(reading, size), 0, size);
        return 0;
    }
    while (size > 0 && !err) {
        uint32_t part = (uint32_t)tfs_min_u64(size, sizeof(zeros));

        err = add_piece(reading, zeros, part, NULL);
        size -= part;
    }
    return err;
}

/* What a chunk without dirty data has, as its row shows it: pieces, or copied when all is there. */
static int show_row(struct reading *reading, const struct tfs_row *row, struct chunk_part part)
{
    uint32_t block_size = reading->inode->data->geometry.block_size;
    int err = 0;

    while (part.size > 0 && !err) {
        const struct extent *extent = row_find(row, part.offset);
        uint32_t start = extent ? extent->start : UINT32_MAX;
        uint32_t size;

        if (!extent || part.offset < start) {
            size = (uint32_t)tfs_min_u64(part.size, start - part.offset);
            err = add_zeros(reading, size);
        } else {
            struct frames_source source = frames_source_of(extent, block_size);

            size = (uint32_t)tfs_min_u64(part.size, extent_end(extent) - part.offset);
            err = add_extent(reading, &source, extent_in_frame(extent, part.offset), size);
        }
        part.offset += size;
        part.size -= size;
    }
    return err;
}

static int read_row(struct reading *reading, const struct tfs_row *row,
                    const struct chunk_part *part)
{
    if (!reading->copies)
        return show_row(reading, row, *part);
    return chunk_copy_row(reading->volume, row, &reading->inode->data->geometry, part->offset,
                          part->size, NULL, copy_at(reading, part->size));
}

/* The row of a clean chunk, counted; *ret_dirty says that it is not clean. */
static int find_row(struct reading *reading, uint64_t index, struct tfs_row **ret, bool *ret_dirty)
{
    tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
    int err = chunk_map_read(reading->volume, reading->inode, index, &map);

    if (err)
        return err;
    *ret_dirty = map.changing;
    *ret = map.changing ? NULL : TAKE_PTR(map.row);
    return 0;
}

static int believe_error(struct reading *reading, const struct chunk_part *part,
                         const struct tfs_row *row, int err)
{
    const struct row_geometry *geometry = &reading->inode->data->geometry;
    const struct complaint_wanted wanted = {
        .inode = reading->inode->number,
        .start = part->index * geometry->chunk_size,
        .offset = part->offset,
        .size = part->size,
        .block_size = geometry->block_size,
    };

    return complaint_row(reading->volume, &wanted, row, err);
}

/* Where a request stands, so that a part of it can be tried again. */
struct read_mark {
    int piece_count;
    size_t size;
};

static void rewind_to(struct reading *reading, struct read_mark mark)
{
    struct tfs_read *read = reading->read;

    while (read->piece_count > mark.piece_count)
        cache_unpin(reading->volume->cache, read->pins[--read->piece_count]);
    read->size = mark.size;
}

/* Returns 0; 1 when the chunk has dirty data; -EAGAIN when the pieces cannot be pinned without
 * waiting; or an error. */
static int read_clean(struct reading *reading, const struct chunk_part *part)
{
    struct read_mark mark = {reading->read->piece_count, reading->read->size};
    tfs_cleanup(row_unref_p) struct tfs_row *before = NULL;
    int err = 0;

    for (int tries = 0; tries < FRAMES_ROW_TRIES_MAX; tries++) {
        struct tfs_row *row;
        bool dirty;
        int row_err = find_row(reading, part->index, &row, &dirty);

        if (row_err || dirty)
            return row_err ? believe_error(reading, part, NULL, row_err) : 1;
        if (tries > 0 && row_equal(row, before)) {
            row_unref(row);
            return believe_error(reading, part, before, err);
        }
        row_unref(before);
        before = row;
        err = read_row(reading, row, part);
        if (!damage_is_reason(err))
            return err;
        rewind_to(reading, mark);
    }
    return believe_error(reading, part, before, err);
}

/* Makes every slot that the part touches whole, so that it can be copied from. */
static int fill_part(struct reading *reading, struct tfs_chunk *chunk,
                     const struct chunk_part *part)
{
    uint32_t first = part->offset / FRAME_BUFFER_SIZE;
    uint32_t last = (part->offset + part->size - 1) / FRAME_BUFFER_SIZE;
    int err = chunk_load_row(reading->volume, chunk);

    for (uint32_t i = first; i <= last && !err; i++) {
        if (chunk->slots[i].buffer)
            err = chunk_fill_slot(reading->volume, chunk, i, NULL);
    }
    return err;
}

/* Whether the part can be copied as it is: each touched slot is clean, whole, or dirty where it is
 * asked for. */
static bool part_is_filled(const struct tfs_chunk *chunk, const struct chunk_part *part)
{
    uint32_t end = part->offset + part->size;

    if (!chunk->row_known)
        return false;
    for (uint32_t i = part->offset / FRAME_BUFFER_SIZE; i <= (end - 1) / FRAME_BUFFER_SIZE; i++) {
        const struct chunk_slot *slot = &chunk->slots[i];
        uint32_t base = i * FRAME_BUFFER_SIZE;
        uint32_t from = part->offset > base ? part->offset - base : 0;
        uint32_t to = (uint32_t)tfs_min_u64(end - base, FRAME_BUFFER_SIZE);

        if (slot->buffer && !slot->whole && (from < slot->from || to > slot->to))
            return false;
    }
    return true;
}

/* Copies slot by slot: dirty ones from their buffer, others from the row. The chunk is held. */
static int copy_held(struct reading *reading, struct tfs_chunk *chunk, struct chunk_part part)
{
    const struct row_geometry *geometry = &reading->inode->data->geometry;
    int err = 0;

    while (part.size > 0 && !err) {
        const struct chunk_slot *slot = &chunk->slots[part.offset / FRAME_BUFFER_SIZE];
        uint32_t skip = part.offset % FRAME_BUFFER_SIZE;
        uint32_t size = (uint32_t)tfs_min_u64(part.size, FRAME_BUFFER_SIZE - skip);
        uint8_t *at = copy_at(reading, size);

        if (slot->buffer)
            memcpy(at, slot->buffer + skip, size);
        else
            err =
                chunk_copy_row(reading->volume, chunk->row, geometry, part.offset, size, NULL, at);
        part.offset += size;
        part.size -= size;
    }
    return err;
}

/* Holds the chunk so that nobody writes; shared when it can be copied as it is, else alone. Returns
 * whether it is alone. */
static bool hold_for_copy_locked(struct tfs_chunk *chunk, const struct chunk_part *part)
{
    chunk_hold_shared_locked(chunk);
    if (part_is_filled(chunk, part))
        return false;
    chunk_release_shared_locked(chunk);
    chunk_hold_exclusive_locked(chunk);
    return true;
}

static int read_dirty(struct reading *reading, const struct chunk_part *part)
{
    struct tfs_inode *inode = reading->inode;
    struct tfs_chunk *chunk;
    bool alone;
    int err = 0;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_get_locked(inode, part->index);
    alone = chunk && hold_for_copy_locked(chunk, part);
    tfs_mutex_unlock(&inode->lock);
    if (!chunk)
        return -ENOMEM;

    if (alone)
        err = fill_part(reading, chunk, part);
    if (!err) {
        err = copy_held(reading, chunk, *part);
        if (err)
            err = believe_error(reading, part, chunk->row, err);
    }

    tfs_mutex_lock(&inode->lock);
    if (alone)
        chunk_release_exclusive_locked(chunk);
    else
        chunk_release_shared_locked(chunk);
    chunk_put_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    return err;
}

/* Whatever is in the way: who may wait finds out what it is. */
static int try_part(struct reading *reading, const struct chunk_part *part)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    bool dirty = false;

    if (find_row(reading, part->index, &row, &dirty) < 0 || dirty)
        return -EAGAIN;
    return show_row(reading, row, *part) < 0 ? -EAGAIN : 0;
}

static int read_part(struct reading *reading, const struct chunk_part *part)
{
    int result = reading->tries ? try_part(reading, part) : read_clean(reading, part);

    if (result != 1)
        return result;
    return reading->copies ? read_dirty(reading, part) : -EAGAIN;
}

static int read_parts(struct reading *reading, uint64_t offset, size_t size)
{
    uint32_t chunk_size = reading->inode->data->geometry.chunk_size;
    int err = 0;

    while (size > 0 && !err) {
        struct chunk_part part = {
            .index = offset / chunk_size,
            .offset = (uint32_t)(offset % chunk_size),
        };

        part.size = (uint32_t)tfs_min_u64(size, chunk_size - part.offset);
        err = read_part(reading, &part);
        offset += part.size;
        size -= part.size;
    }
    return err;
}

static int read_by_copy(struct reading *reading, uint64_t offset, size_t size)
{
    struct tfs_read *read = reading->read;
    int err;

    read->copy = malloc(size);
    if (!read->copy)
        return -ENOMEM;
    reading->copies = true;
    err = read_parts(reading, offset, size);
    if (err)
        return err;
    read->pieces[0].iov_base = read->copy;
    read->pieces[0].iov_len = size;
    read->pins[0] = NULL;
    read->piece_count = 1;
    return 0;
}

static void leave(struct tfs_file *file, bool has_read)
{
    tfs_mutex_lock(&file->inode->lock);
    data_leave_locked(file->inode);
    if (has_read && file->reads_move_atime)
        file_note_read_locked(file);
    tfs_mutex_unlock(&file->inode->lock);
}

/* A program reads this: returns whether it passes by. */
static bool note_program(struct tfs_file *file, const struct data_read *asked,
                         bool *ret_in_sequence)
{
    *ret_in_sequence = readahead_note(file->volume, file->inode, asked->offset, asked->size);

    return file->cached_above && (*ret_in_sequence || asked->size >= FRAME_BUFFER_SIZE);
}

/* by_program: times move, and more is read ahead. */
static int read_bytes(struct tfs_file *file, struct data_read *asked, bool by_program,
                      struct tfs_read *ret)
{
    struct tfs_read read = {.cache = file->volume->cache};
    struct reading reading = {.volume = file->volume, .inode = file->inode, .read = &read};
    int err;

    assert(asked->size <= TFS_READ_SIZE_MAX);
    err = data_enter_to_read(file->inode, asked);
    if (err)
        return err;
    if (asked->size > 0) {
        read.passes_by = by_program && note_program(file, asked, &read.in_sequence);
        err = read_parts(&reading, asked->offset, asked->size);
        if (err == -EAGAIN) {
            rewind_to(&reading, (struct read_mark){0});
            err = read_by_copy(&reading, asked->offset, asked->size);
        }
    }
    leave(file, by_program && !err);
    if (err) {
        tfs_read_release(&read);
        return damage_is_reason(err) ? -EIO : err;
    }
    *ret = read;
    return 0;
}

int tfs_file_read(struct tfs_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    struct data_read asked = {.offset = offset, .size = size, .waits = true};
    int err = read_bytes(file, &asked, true, ret);

    if (!err)
        tfs_counter_add(&file->volume->stats.read_bytes, ret->size);
    return err;
}

/* Pieces of what is there; what lies in rows, or is in too many pieces, is copied. */
static int try_parts(struct reading *reading, const struct data_read *asked)
{
    int err = read_parts(reading, asked->offset, asked->size);

    if (!reading->needs_copy || asked->size > TRY_COPY_SIZE_MAX)
        return err;
    rewind_to(reading, (struct read_mark){0});
    return read_by_copy(reading, asked->offset, asked->size);
}

int tfs_file_try_read(struct tfs_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    struct tfs_read read = {.cache = file->volume->cache};
    struct reading reading = {
        .volume = file->volume, .inode = file->inode, .read = &read, .tries = true};
    struct data_read asked = {.offset = offset, .size = size};

    if (data_enter_to_read(file->inode, &asked) < 0)
        return -EAGAIN;
    if (asked.size > 0 && try_parts(&reading, &asked) < 0) {
        leave(file, false);
        tfs_read_release(&read);
        return -EAGAIN;
    }
    if (asked.size > 0)
        read.passes_by = note_program(file, &asked, &read.in_sequence);
    leave(file, true);
    tfs_counter_add(&file->volume->stats.read_bytes, read.size);
    *ret = read;
    return 0;
}

int file_look(struct tfs_file *file, uint64_t offset, size_t size, struct tfs_read *ret)
{
    struct data_read asked = {.offset = offset, .size = size, .waits = true};

    return read_bytes(file, &asked, false, ret);
}

void tfs_read_keep(struct tfs_read *read)
{
    read->passes_by = read->passes_by && read->in_sequence;
}

void tfs_read_release(struct tfs_read *read)
{
    for (int i = 0; i < read->piece_count; i++)
        cache_unpin_as(read->cache, read->pins[i], read->passes_by ? CACHE_PASSED : CACHE_USED);
    free(read->copy);
    *read = (struct tfs_read){0};
}
