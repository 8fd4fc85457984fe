/*
 * SEEK_DATA and SEEK_HOLE. For programs a hole is a page of zeros, wherever it is: in a hole of a
 * row, in a frame, or in a dirty buffer; so the answer does not change when data is written back,
 * nor with how it was cut into blocks. Only where a row says that a frame may have such pages, or
 * bytes are dirty, are they looked at.
 *
 * file_seek() knows rows and dirty ranges alone, for counting what is still to be stored.
 */
#include "store/base/error.h"
#include "store/file/file.h"
#include "store/inode/chunk_map.h"
#include "store/inode/data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* If byte `at` is data: where this piece of data ends. Else `at`. */
static uint32_t data_end(const struct chunk_map *map, uint32_t at)
{
    const struct extent *extent = row_find(map->row, at);

    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (map->from[i] <= at && at < map->to[i])
            return map->to[i];
    }
    if (extent && extent->start <= at)
        return extent_end(extent);
    return at;
}

/* Where the first piece of data behind `at` begins; UINT32_MAX when there is none. */
static uint32_t data_begin(const struct chunk_map *map, uint32_t at)
{
    const struct extent *extent = row_find(map->row, at);
    uint32_t begin = extent ? extent->start : UINT32_MAX;

    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (map->from[i] < map->to[i] && map->from[i] > at && map->from[i] < begin)
            begin = map->from[i];
    }
    return begin;
}

/* The first byte >= `at` of the chunk that is data (or hole); UINT32_MAX when the chunk has none.
 */
static uint32_t seek_in_chunk(const struct chunk_map *map, const struct row_geometry *geometry,
                              uint32_t at, bool data)
{
    while (at < geometry->chunk_size) {
        uint32_t end = data_end(map, at);

        if ((end > at) == data)
            return at;
        at = data ? data_begin(map, at) : end;
    }
    return UINT32_MAX;
}

/* Chunk by chunk; holes of many chunks are passed at once. */
int64_t file_seek(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                  uint64_t size, bool data)
{
    const struct row_geometry *geometry = &inode->data->geometry;

    while (offset < size) {
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        uint64_t index = offset / geometry->chunk_size;
        uint32_t found;
        int err = chunk_map_next(volume, inode, index, &map);

        if (err)
            return err;
        if (map.index > index && !data)
            return (int64_t)offset;
        if (map.index > (size - 1) / geometry->chunk_size)
            return (int64_t)size;
        offset = tfs_max_u64(offset, map.index * geometry->chunk_size);
        found = seek_in_chunk(&map, geometry, (uint32_t)(offset % geometry->chunk_size), data);
        if (found != UINT32_MAX)
            return (int64_t)tfs_min_u64(map.index * geometry->chunk_size + found, size);
        offset = (map.index + 1) * geometry->chunk_size;
    }
    return (int64_t)size;
}

/* ---- for programs: in pages ---- */

enum unit_state { UNIT_HOLE, UNIT_DATA, UNIT_MIXED };

/* A buffer's worth of a file, or what of it lies below the end. */
struct unit {
    struct tfs_file *file;
    uint64_t from;
    uint64_t to;
};

/* Whether the frame may have pages of zeros where the extent shows chunk-relative [from, to). */
static bool has_zero_pages(const struct extent *extent, uint32_t from, uint32_t to)
{
    uint32_t first = extent_in_frame(extent, from) / FRAME_BUFFER_SIZE;
    uint32_t last = extent_in_frame(extent, to - 1) / FRAME_BUFFER_SIZE;

    for (uint32_t i = first; i <= last; i++) {
        if (extent->frame.zero_units >> i & 1)
            return true;
    }
    return false;
}

/* Chunk-relative [from, to), within one buffer. What is dirty has to be looked at: so the answer is
 * the same before and after it is written back. */
static enum unit_state unit_state(const struct chunk_map *map, uint32_t from, uint32_t to)
{
    uint32_t at = from;

    if (map->changing)
        return UNIT_MIXED;
    while (at < to) {
        const struct extent *extent = row_find(map->row, at);
        uint32_t end;

        if (!extent || extent->start >= to)
            return at == from ? UNIT_HOLE : UNIT_MIXED;
        end = extent_end(extent) < to ? extent_end(extent) : to;
        if (extent->start > at || has_zero_pages(extent, at, end))
            return UNIT_MIXED;
        at = end;
    }
    return UNIT_DATA;
}

static bool page_is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static int copy_unit(const struct unit *unit, uint8_t *dst)
{
    struct tfs_read read;
    size_t at = 0;
    int err = file_look(unit->file, unit->from, (size_t)(unit->to - unit->from), &read);

    if (err)
        return err;
    for (int i = 0; i < read.piece_count; i++) {
        memcpy(dst + at, read.pieces[i].iov_base, read.pieces[i].iov_len);
        at += read.pieces[i].iov_len;
    }
    tfs_read_release(&read);
    memset(dst + at, 0, (size_t)(unit->to - unit->from) - at); /* it was cut meanwhile */
    return 0;
}

/* The first page of the unit from that of byte `at` on that is data, or a hole. Where the unit ends
 * when there is none. What cannot be read counts as data. */
static int64_t look_into_unit(const struct unit *unit, uint64_t at, bool data)
{
    uint8_t *bytes = malloc(FRAME_BUFFER_SIZE);
    int err = bytes ? copy_unit(unit, bytes) : -ENOMEM;
    int64_t found = (int64_t)unit->to;

    if (err == -EIO)
        found = data ? (int64_t)at : found;
    for (uint64_t page = tfs_align_down(at, SEEK_PAGE_SIZE); !err && page < unit->to;
         page += SEEK_PAGE_SIZE) {
        size_t size = (size_t)tfs_min_u64(SEEK_PAGE_SIZE, unit->to - page);

        if (page_is_zero(bytes + (page - unit->from), size) != data) {
            found = (int64_t)tfs_max_u64(page, at);
            break;
        }
    }
    free(bytes);
    return err && err != -EIO ? err : found;
}

/* The same of all units of the chunk from that of `at` on, up to `end`. */
static int64_t look_into_chunk(struct tfs_file *file, const struct chunk_map *map, uint64_t at,
                               uint64_t end, bool data)
{
    const struct row_geometry *geometry = &file->inode->data->geometry;
    uint64_t base = map->index * geometry->chunk_size;

    while (at < end) {
        struct unit unit = {.file = file, .from = tfs_align_down(at, FRAME_BUFFER_SIZE)};
        enum unit_state state;
        int64_t found;

        unit.to = tfs_min_u64(unit.from + FRAME_BUFFER_SIZE, end);
        state = unit_state(map, (uint32_t)(unit.from - base), (uint32_t)(unit.to - base));
        if (state == (data ? UNIT_DATA : UNIT_HOLE))
            return (int64_t)at;
        found = state == UNIT_MIXED ? look_into_unit(&unit, at, data) : (int64_t)unit.to;
        if (found != (int64_t)unit.to)
            return found;
        at = unit.to;
    }
    return (int64_t)end;
}

static int next_map(struct tfs_file *file, uint64_t index, bool data, struct chunk_map *ret)
{
    int err;

    data_enter(file->inode);
    err = data ? chunk_map_next(file->volume, file->inode, index, ret)
               : chunk_map_read(file->volume, file->inode, index, ret);
    data_leave(file->inode);
    return err;
}

/* Returns `size` when nothing is found before it. */
static int64_t seek_pages(struct tfs_file *file, uint64_t at, uint64_t size, bool data)
{
    uint64_t chunk_size = file->inode->data->geometry.chunk_size;

    while (at < size) {
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        uint64_t end;
        int64_t found;
        int err = next_map(file, at / chunk_size, data, &map);

        if (err)
            return err;
        if (map.index > (size - 1) / chunk_size)
            return (int64_t)size;
        at = tfs_max_u64(at, map.index * chunk_size);
        end = tfs_min_u64((map.index + 1) * chunk_size, size);
        found = look_into_chunk(file, &map, at, end, data);
        if (found != (int64_t)end)
            return found;
        at = end;
    }
    return (int64_t)size;
}

int64_t tfs_file_seek(struct tfs_file *file, uint64_t offset, int whence)
{
    struct tfs_inode *inode = file->inode;
    int64_t found;
    uint64_t size;

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return -EINVAL;
    size = data_size(inode);
    found = offset >= size ? -ENXIO : seek_pages(file, offset, size, whence == SEEK_DATA);
    if (whence == SEEK_DATA && found == (int64_t)size)
        return -ENXIO;
    return found;
}
