/*
 * The cache of decoded data: units of FRAME_BUFFER_SIZE raw bytes of frames.
 *
 * A unit is named by its frame's place and its number in the frame. Frames are immutable and places
 * are never used again, so a unit is never stale: nothing is ever invalidated here, what is no
 * longer needed just ages out.
 *
 * The first who asks for a missing unit becomes its loader; everybody else waits for the result:
 * one load however many wait.
 *
 * Threads: any. Takes a lock of rank CACHE, and calls the memory pool without it.
 */
#ifndef TFS_CACHE_H
#define TFS_CACHE_H

#include "store/base/defs.h"

struct tfs_cache;
struct tfs_memory;

struct cache_key {
    uint64_t segment;
    uint64_t offset;
    uint32_t unit;
};

struct cache_unit; /* pinned by whoever has a pointer to it */

/* bytes_max: how much may stay; more is evicted as it comes. The memory is borrowed for the cache's
 * life. */
TFS_MUST_CHECK int cache_new(struct tfs_memory *memory, uint64_t bytes_max, struct tfs_cache **ret);
void cache_free(struct tfs_cache *cache); /* accepts NULL; nothing may be pinned */

/* Pin a unit that is there and decoded; NULL otherwise. Counts a hit or nothing. */
struct cache_unit *cache_find(struct tfs_cache *cache, const struct cache_key *key);

/* True when the unit is decoded or being loaded. Counts nothing. */
bool cache_has(struct tfs_cache *cache, const struct cache_key *key);

enum cache_claim {
    CACHE_READY,   /* decoded; pinned */
    CACHE_LOADING, /* somebody else loads it; pinned, cache_wait() before use */
    CACHE_MINE,    /* the caller loads it: pinned, fill cache_unit_data(), then cache_publish() */
};

/*
 * Pin a unit, in whatever state it is, or start it with `buffer`, which is taken over only with
 * CACHE_MINE. Counts a hit or a miss. A caller publishes all that is its own before it waits for
 * what is another's, so that no two of them wait for each other.
 */
enum cache_claim cache_claim(struct tfs_cache *cache, const struct cache_key *key, void *buffer,
                             struct cache_unit **ret);

/* The load is over: with 0 the unit is there for all; with an error the waiters get it, and the
 * unit is gone with its last pin. */
void cache_publish(struct tfs_cache *cache, struct cache_unit *unit, int error);

/* Wait until a unit is published. Returns 0 or the loader's error. */
TFS_MUST_CHECK int cache_wait(struct tfs_cache *cache, struct cache_unit *unit);

uint8_t *cache_unit_data(struct cache_unit *unit);
void cache_unpin(struct tfs_cache *cache, struct cache_unit *unit); /* accepts NULL */

enum cache_use {
    CACHE_USED,
    CACHE_PASSED, /* by a stream that will not come back: among the first to go, unless it is in
                     steady use */
    CACHE_AHEAD,  /* loaded for a use to come, which then is the first one */
};

/* The same, telling what the pin was for. Accepts NULL. */
void cache_unpin_as(struct tfs_cache *cache, struct cache_unit *unit, enum cache_use use);

/* Offer data that was just written. Returns true when it took the buffer over, as clean data; it
 * never evicts for it. */
bool cache_offer(struct tfs_cache *cache, const struct cache_key *key, void *buffer);

/* For the memory pool: evict up to `count` of the least recently used units that nobody pins. */
size_t cache_evict(struct tfs_cache *cache, size_t count);

/* Likewise of those that a stream has passed, but for the newest few. */
size_t cache_evict_passed(struct tfs_cache *cache, size_t count);

struct cache_status {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    uint64_t bytes;
    uint64_t bytes_max;
};
void cache_get_status(struct tfs_cache *cache, struct cache_status *ret);

#endif
