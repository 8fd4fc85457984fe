/*
 * SEEK_DATA and SEEK_HOLE. What is dirty, and what a row's extents show, is data; everything else
 * is a hole. Blocks of zeros that write-back has not looked at yet count as data, which POSIX
 * allows.
 */
#include "store/base/error.h"
#include "store/chunk_map.h"
#include "store/data.h"
#include "store/file.h"

#include <errno.h>
#include <unistd.h>

/* If byte `at` is data: where this piece of data ends. Else `at`. */
static uint32_t data_end(const struct chunk_map *map, uint32_t block_size, uint32_t at)
{
    const struct extent *extent = row_find(map->row, block_size, at);

    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (map->from[i] <= at && at < map->to[i])
            return map->to[i];
    }
    if (extent && extent->first_block * block_size <= at)
        return extent->first_block * block_size + extent->visible_size;
    return at;
}

/* Where the first piece of data behind `at` begins; UINT32_MAX when there is none. */
static uint32_t data_begin(const struct chunk_map *map, uint32_t block_size, uint32_t at)
{
    const struct extent *extent = row_find(map->row, block_size, at);
    uint32_t begin = extent ? extent->first_block * block_size : UINT32_MAX;

    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (map->from[i] < map->to[i] && map->from[i] > at && map->from[i] < begin)
            begin = map->from[i];
    }
    return begin;
}

/* The first byte >= `at` of the chunk that is data (or hole); UINT32_MAX when the chunk has none.
 */
static uint32_t seek_in_chunk(const struct chunk_map *map, const struct row_shape *shape,
                              uint32_t at, bool data)
{
    while (at < shape->chunk_size) {
        uint32_t end = data_end(map, shape->block_size, at);

        if ((end > at) == data)
            return at;
        at = data ? data_begin(map, shape->block_size, at) : end;
    }
    return UINT32_MAX;
}

/* Chunk by chunk; holes of many chunks are passed at once. */
int64_t file_seek(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                  uint64_t size, bool data)
{
    const struct row_shape *shape = &inode->data->shape;

    while (offset < size) {
        tfs_cleanup(chunk_map_release) struct chunk_map map = {0};
        uint64_t index = offset / shape->chunk_size;
        uint32_t found;
        int err = chunk_map_next(volume, inode, index, &map);

        if (err)
            return err;
        if (map.index > index && !data)
            return (int64_t)offset;
        if (map.index > (size - 1) / shape->chunk_size)
            return (int64_t)size;
        offset = tfs_max_u64(offset, map.index * shape->chunk_size);
        found = seek_in_chunk(&map, shape, (uint32_t)(offset % shape->chunk_size), data);
        if (found != UINT32_MAX)
            return (int64_t)tfs_min_u64(map.index * shape->chunk_size + found, size);
        offset = (map.index + 1) * shape->chunk_size;
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
    data_enter(inode);
    tfs_mutex_lock(&inode->lock);
    size = inode->data->size;
    tfs_mutex_unlock(&inode->lock);
    found =
        offset >= size ? -ENXIO : file_seek(file->volume, inode, offset, size, whence == SEEK_DATA);
    data_leave(inode);
    if (whence == SEEK_DATA && found == (int64_t)size)
        return -ENXIO;
    return found;
}
