/*
 * Rows looked up lately, as the index has them and decoded: for readers of chunks that have nothing
 * in memory. That a chunk has no row is kept, too.
 *
 * What is found here is what the index has, once the commit that wrote it has returned: the index
 * tells each change of a row (struct index_watch), whoever made it, and the row is forgotten. What
 * a chunk in memory knows is newer and is asked first; rows that were cut off are not asked for
 * (chunk_map.c).
 *
 * Threads: any. Takes locks of rank LEAF.
 */
#ifndef TFS_ROW_CACHE_H
#define TFS_ROW_CACHE_H

#include "store/tables/row.h"

struct tfs_row_cache;

struct row_cache_key {
    uint64_t inode;
    uint64_t index; /* of the chunk */
};

/* bytes_max: of all that it takes. Errors: -ENOMEM. */
TFS_MUST_CHECK int row_cache_new(uint64_t bytes_max, struct tfs_row_cache **ret);
void row_cache_free(struct tfs_row_cache *cache); /* accepts NULL */

/* Returns whether the row is known. Then *ret is it, counted for the caller, NULL: there is none.
 * Else *ret_changes is set: who then asks the index gives it to row_cache_learn(). */
bool row_cache_find(struct tfs_row_cache *cache, const struct row_cache_key *key,
                    struct tfs_row **ret, uint64_t *ret_changes);

/* Keep what the index said. It is not kept when rows were changed since row_cache_find() counted
 * `changes`, for the index may have been asked before, nor when it is too large. */
void row_cache_learn(struct tfs_row_cache *cache, const struct row_cache_key *key,
                     struct tfs_row *row, uint64_t changes);

/* A commit has changed the row, or may have. */
void row_cache_forget(struct tfs_row_cache *cache, const struct row_cache_key *key);

struct row_cache_status {
    uint64_t hits;
    uint64_t misses;
    uint64_t bytes;
};
void row_cache_get_status(struct tfs_row_cache *cache, struct row_cache_status *ret);

#endif
