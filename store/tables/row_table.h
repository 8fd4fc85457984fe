/*
 * The index's table of rows, one row at a time: looked up and decoded, or encoded and put into a
 * batch. Rows that were looked up lately are known (row_cache.h).
 */
#ifndef TFS_ROW_TABLE_H
#define TFS_ROW_TABLE_H

#include "store/tables/row_cache.h"

struct index_batch;
struct tfs_volume;

/* *ret is counted, the caller's; NULL: the index has no row. Errors: -EUCLEAN, -ENOMEM, and of
 * index_get(). */
TFS_MUST_CHECK int row_table_get(struct tfs_volume *volume, const struct row_cache_key *key,
                                 const struct row_geometry *geometry, struct tfs_row **ret);

/* Make it the chunk's row in the batch; NULL: the chunk has none. The bytes are copied. Errors:
 * -ENOMEM; then the batch is as it was. */
TFS_MUST_CHECK int row_table_put(struct index_batch *batch, const struct row_cache_key *key,
                                 const struct row_geometry *geometry, const struct tfs_row *row);

/* For struct index_watch; the context is the volume. */
void row_table_changed(void *context, const uint8_t *key, size_t key_size);

#endif
