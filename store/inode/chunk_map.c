/*
 * Looking chunks up: memory first, the index second, in both functions that look.
 *
 * The order is what makes it right. Data moves one way: a write puts it into memory, and a commit
 * puts it into the index before the chunk's object may go (store/writeback/commit.c:write_part). So
 * what memory does not have at the first look is in the index by then, and stays there until
 * something newer takes its place: the second look finds the one or the other. The other way round
 * a commit between the looks hides the chunk from both: not in the index yet, and not in memory any
 * more. Then what was cut off comes back, and data passes for a hole.
 *
 * An object that knows its row is right, whatever the index has.
 */
#include "store/inode/chunk_map.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/tables/row_table.h"
#include "store/volume.h"

static void take_map_locked(struct tfs_chunk *chunk, struct chunk_map *map)
{
    map->row = row_ref(chunk->row);
    map->changing = chunk->dirty || chunk->exclusive;
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        map->from[i] = i * FRAME_BUFFER_SIZE + chunk->slots[i].from;
        map->to[i] = i * FRAME_BUFFER_SIZE + chunk->slots[i].to;
    }
}

int chunk_map_read(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                   struct chunk_map *ret)
{
    const struct row_cache_key key = {.inode = inode->number, .index = index};
    struct chunk_map map = {.index = index};
    struct tfs_chunk *chunk;
    bool known;
    int err = 0;

    tfs_mutex_lock(&inode->lock);
    known = index >= inode->data->cut.first; /* before the look, see chunk_read_row() */
    chunk = chunk_find_locked(inode, index);
    if (chunk) {
        take_map_locked(chunk, &map);
        known = known || chunk->row_known;
        chunk_put_locked(chunk);
    }
    tfs_mutex_unlock(&inode->lock);
    if (!known)
        err = row_table_get(volume, &key, &inode->data->geometry, &map.row);
    if (!err)
        *ret = map;
    return err;
}

/* The first chunk >= `index` that has an object. UINT64_MAX: none. */
struct next_object {
    uint64_t index;
    uint64_t found;
};

static void look_for_next(struct tfs_chunk *chunk, void *context)
{
    struct next_object *next = context;

    if (chunk->index >= next->index && chunk->index < next->found)
        next->found = chunk->index;
}

static uint64_t next_in_memory(struct tfs_inode *inode, uint64_t index)
{
    struct next_object next = {.index = index, .found = UINT64_MAX};

    tfs_mutex_lock(&inode->lock);
    chunk_visit_locked(inode, look_for_next, &next);
    tfs_mutex_unlock(&inode->lock);
    return next.found;
}

static int next_in_index(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                         uint64_t *ret)
{
    struct index_record record;
    struct index_scan *scan;
    uint64_t cut;
    int more;
    int err;

    tfs_mutex_lock(&inode->lock);
    cut = inode->data->cut.first; /* before the look, see chunk_read_row() */
    tfs_mutex_unlock(&inode->lock);
    err = data_scan_rows(volume, inode->number, index, &scan);
    if (err)
        return err;
    do
        more = index_scan_next(scan, &record);
    while (more > 0 && record.key_size != META_EXTENT_KEY_SIZE); /* of no row, and hides none */
    *ret = UINT64_MAX;
    if (more > 0)
        *ret = tfs_get_be64(record.key + META_INODE_KEY_SIZE);
    if (*ret >= cut)
        *ret = UINT64_MAX;
    index_scan_close(scan);
    return more < 0 ? more : 0;
}

int chunk_next(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index, uint64_t *ret)
{
    uint64_t in_memory = next_in_memory(inode, index);
    uint64_t in_index;
    int err = next_in_index(volume, inode, index, &in_index);

    if (!err)
        *ret = tfs_min_u64(in_memory, in_index);
    return err;
}

int chunk_map_next(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                   struct chunk_map *ret)
{
    int err = chunk_next(volume, inode, index, &index);

    if (err)
        return err;
    if (index < UINT64_MAX)
        return chunk_map_read(volume, inode, index, ret);
    *ret = (struct chunk_map){.index = UINT64_MAX};
    return 0;
}

void chunk_map_release(struct chunk_map *map)
{
    row_unref(map->row);
    map->row = NULL;
}
