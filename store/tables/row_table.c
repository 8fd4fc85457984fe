#include "store/tables/row_table.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/tables/meta.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

static int look_up(struct tfs_volume *volume, const struct row_cache_key *key,
                   const struct row_geometry *geometry, struct tfs_row **ret)
{
    uint8_t bytes[META_EXTENT_KEY_SIZE];
    struct index_value value;
    int err;

    meta_extent_key(key->inode, key->index, bytes);
    tfs_counter_add(&volume->stats.rows_looked_up, 1);
    err = index_get(volume->index, INDEX_EXTENT, bytes, sizeof(bytes), &value);
    if (err == -ENOENT) {
        *ret = NULL;
        return 0;
    }
    if (err)
        return err;
    err = row_decode(value.data, value.size, geometry, ret);
    index_value_release(&value);
    return err;
}

int row_table_get(struct tfs_volume *volume, const struct row_cache_key *key,
                  const struct row_geometry *geometry, struct tfs_row **ret)
{
    uint64_t changes;
    int err;

    if (row_cache_find(volume->rows, key, ret, &changes))
        return 0;
    err = look_up(volume, key, geometry, ret);
    if (!err)
        row_cache_learn(volume->rows, key, *ret, changes);
    return err;
}

int row_table_put(struct index_batch *batch, const struct row_cache_key *key,
                  const struct row_geometry *geometry, const struct tfs_row *row)
{
    uint8_t place[META_EXTENT_KEY_SIZE];
    size_t size = row ? row_encoded_size(row) : 0;
    uint8_t *bytes;

    meta_extent_key(key->inode, key->index, place);
    if (!row) {
        index_batch_delete(batch, INDEX_EXTENT, place, sizeof(place));
        return 0;
    }
    bytes = malloc(size);
    if (!bytes)
        return -ENOMEM;
    row_encode(row, geometry, bytes);
    index_batch_put(batch, INDEX_EXTENT, place, sizeof(place), bytes, size);
    free(bytes);
    return 0;
}

void row_table_changed(void *context, const uint8_t *key, size_t key_size)
{
    struct tfs_volume *volume = context;

    if (key_size == META_EXTENT_KEY_SIZE) /* others are those of no row, and are not looked up */
        row_cache_forget(volume->rows,
                         &(struct row_cache_key){.inode = tfs_get_be64(key),
                                                 .index = tfs_get_be64(key + META_INODE_KEY_SIZE)});
}
