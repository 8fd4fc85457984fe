/*
 * What a cache that forgets the least recently used block would do with the same requests: the
 * yardstick that stands beside the hits which a mount counts.
 */
#ifndef TENSORFS_BENCH_REQUEST_LRU_H
#define TENSORFS_BENCH_REQUEST_LRU_H

#include "store/base/defs.h"

struct request_lru;

/*
 * A cache of `capacity` blocks, at least 1, out of `blocks`.
 *
 * Ownership: freed with request_lru_free. Errors: -ENOMEM.
 */
TFS_MUST_CHECK int request_lru_new(uint64_t blocks, uint64_t capacity, struct request_lru **ret);
void request_lru_free(struct request_lru *lru);

/* One request. Returns whether it was a hit. */
bool request_lru_get(struct request_lru *lru, uint64_t block);

#endif
