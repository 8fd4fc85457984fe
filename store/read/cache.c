/*
 * The cache of decoded units: a hash table and lists in order of use (segmented LRU). A unit
 * enters on the cold list; when it is asked for again later, it moves to the hot one, which may
 * hold most of the cache. The oldest cold unit goes first, so that a scan passes through without
 * driving out what is used again and again. "Later" means after some other loads: the several
 * requests that read one unit in sequence are one use. What a stream has passed by, whose pages the
 * kernel keeps, goes before anything else.
 *
 *   (absent) --cache_claim--> LOADING --cache_publish(0)--> READY --evicted, unpinned--> (absent)
 *                                     --cache_publish(error)--> FAILED --last unpin--> (absent)
 *
 * Invariants:
 * 1. A unit on one of the age lists is READY and has no pin: it may go at any time.
 * 2. FAILED units are not in the table; only those who waited still see them.
 * 3. Buffers go back to the pool without the lock of the cache.
 */
#include "store/read/cache.h"

#include "store/base/error.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/codec/frame.h"
#include "store/read/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    CACHE_BUCKETS_MIN = 1024,
    EVICT_BATCH_MAX = 64,
    HOT_PERCENT_MAX = 80, /* of the units */
    PASSED_KEPT = 32,     /* a stream's last units: its next request may need them once more */
    LATER_PART = 16,      /* loads of this part of the cache's units make "later" */
};

enum unit_state { UNIT_LOADING, UNIT_READY, UNIT_FAILED };

struct cache_unit {
    struct cache_key key;
    struct cache_unit *next; /* in its bucket */
    struct list age;         /* on a list of the cache's while READY and unpinned, else alone */
    bool hot;                /* counted in hot_count */
    bool again;              /* used again later: becomes hot unless a stream only passes by */
    bool ahead;              /* loaded for a use to come */
    bool used;               /* by anyone but its loader */
    bool is_passed;          /* on cache->passed, and counted */
    uint64_t load_number;    /* cache->misses when it was loaded */
    enum unit_state state;
    int error;
    unsigned pins;
    uint8_t *buffer; /* immutable while READY */
};

struct tfs_cache {
    struct tfs_mutex lock; /* rank TFS_RANK_CACHE */
    struct tfs_cond published;
    struct cache_unit **buckets; /* guarded by lock, as all below */
    size_t bucket_count;         /* immutable; a power of two */
    struct list passed;          /* oldest first, as in the next two */
    struct list cold;
    struct list hot;
    size_t passed_count;
    size_t hot_count;      /* units that are hot, on the list or pinned */
    size_t unit_count;     /* with a buffer */
    size_t unit_count_max; /* immutable */
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    struct tfs_memory *memory; /* set once before use */
};

static size_t bucket_of(const struct tfs_cache *cache, const struct cache_key *key)
{
    /* Fibonacci hashing: places are regular, the multiplications spread them. */
    uint64_t mixed = (key->segment * 0x9E3779B97F4A7C15ull) ^ (key->offset >> 12);

    mixed = (mixed + key->unit) * 0x9E3779B97F4A7C15ull;
    return (size_t)(mixed >> 32) & (cache->bucket_count - 1);
}

static bool key_equal(const struct cache_key *a, const struct cache_key *b)
{
    return a->offset == b->offset && a->segment == b->segment && a->unit == b->unit;
}

int cache_new(struct tfs_memory *memory, uint64_t bytes_max, struct tfs_cache **ret)
{
    struct tfs_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return -ENOMEM;
    cache->memory = memory;
    cache->unit_count_max = bytes_max / FRAME_BUFFER_SIZE;
    cache->bucket_count = CACHE_BUCKETS_MIN;
    while (cache->bucket_count < cache->unit_count_max * 2)
        cache->bucket_count *= 2;
    cache->buckets = calloc(cache->bucket_count, sizeof(cache->buckets[0]));
    if (!cache->buckets) {
        free(cache);
        return -ENOMEM;
    }
    list_init(&cache->passed);
    list_init(&cache->cold);
    list_init(&cache->hot);
    tfs_mutex_init(&cache->lock, TFS_RANK_CACHE);
    tfs_cond_init(&cache->published);
    *ret = cache;
    return 0;
}

void cache_free(struct tfs_cache *cache)
{
    if (!cache)
        return;
    while (cache->memory && cache_evict(cache, EVICT_BATCH_MAX) > 0)
        ;
    assert(cache->unit_count == 0);
    tfs_cond_release(&cache->published);
    tfs_mutex_release(&cache->lock);
    free(cache->buckets);
    free(cache);
}

static struct cache_unit *find_locked(struct tfs_cache *cache, const struct cache_key *key)
    TFS_REQUIRES(&cache->lock)
{
    struct cache_unit *unit = cache->buckets[bucket_of(cache, key)];

    while (unit && !key_equal(&unit->key, key))
        unit = unit->next;
    return unit;
}

static void insert_locked(struct tfs_cache *cache, struct cache_unit *unit)
    TFS_REQUIRES(&cache->lock)
{
    struct cache_unit **bucket = &cache->buckets[bucket_of(cache, &unit->key)];

    unit->next = *bucket;
    *bucket = unit;
    cache->unit_count++;
}

static void leave_list_locked(struct tfs_cache *cache, struct cache_unit *unit)
    TFS_REQUIRES(&cache->lock)
{
    list_remove(&unit->age);
    cache->passed_count -= unit->is_passed;
    unit->is_passed = false;
}

static void remove_locked(struct tfs_cache *cache, struct cache_unit *unit)
    TFS_REQUIRES(&cache->lock)
{
    struct cache_unit **at = &cache->buckets[bucket_of(cache, &unit->key)];

    while (*at != unit)
        at = &(*at)->next;
    *at = unit->next;
    leave_list_locked(cache, unit);
    cache->hot_count -= unit->hot;
    cache->unit_count--;
}

/* A hit: pins the unit and looks whether it is used again. */
static void hit_locked(struct tfs_cache *cache, struct cache_unit *unit) TFS_REQUIRES(&cache->lock)
{
    unit->pins++;
    leave_list_locked(cache, unit);
    cache->hits++;
    if (unit->ahead)
        unit->load_number = cache->misses;
    else if (cache->misses - unit->load_number > cache->unit_count_max / LATER_PART)
        unit->again = true;
    unit->ahead = false;
    unit->used = true;
}

/* The last pin is gone: the unit ages. A hot list that is too long gives its oldest to the cold
 * one. */
static void age_locked(struct tfs_cache *cache, struct cache_unit *unit) TFS_REQUIRES(&cache->lock)
{
    if (unit->again && !unit->hot) {
        unit->hot = true;
        cache->hot_count++;
    }
    unit->again = false;
    list_push_back(unit->hot ? &cache->hot : &cache->cold, &unit->age);
    while (cache->hot_count > cache->unit_count_max * HOT_PERCENT_MAX / 100 &&
           !list_is_empty(&cache->hot)) {
        struct cache_unit *oldest = list_entry(cache->hot.next, struct cache_unit, age);

        list_remove(&oldest->age);
        list_push_back(&cache->cold, &oldest->age);
        oldest->hot = false;
        cache->hot_count--;
        oldest->load_number = cache->misses;
    }
}

static void age_passed_locked(struct tfs_cache *cache, struct cache_unit *unit)
    TFS_REQUIRES(&cache->lock)
{
    unit->again = false;
    list_push_back(&cache->passed, &unit->age);
    unit->is_passed = true;
    cache->passed_count++;
}

/* Takes out the oldest unit of a list; NULL when it is empty. */
static struct cache_unit *take_oldest_locked(struct tfs_cache *cache, struct list *list)
    TFS_REQUIRES(&cache->lock)
{
    struct cache_unit *unit;

    if (list_is_empty(list))
        return NULL;
    unit = list_entry(list->next, struct cache_unit, age);
    remove_locked(cache, unit);
    cache->evictions++;
    return unit;
}

/* Takes out the unit that goes first; NULL when all are pinned. */
static struct cache_unit *take_victim_locked(struct tfs_cache *cache) TFS_REQUIRES(&cache->lock)
{
    struct cache_unit *unit = take_oldest_locked(cache, &cache->passed);

    if (!unit)
        unit = take_oldest_locked(cache, &cache->cold);
    return unit ? unit : take_oldest_locked(cache, &cache->hot);
}

/* The same of passed units only, of which the newest stay. */
static struct cache_unit *take_passed_locked(struct tfs_cache *cache) TFS_REQUIRES(&cache->lock)
{
    return cache->passed_count > PASSED_KEPT ? take_oldest_locked(cache, &cache->passed) : NULL;
}

static struct cache_unit *unit_new(const struct cache_key *key, void *buffer, enum unit_state state)
{
    struct cache_unit *unit = malloc(sizeof(*unit));

    if (!unit)
        return NULL;
    *unit = (struct cache_unit){.key = *key, .state = state, .buffer = buffer};
    list_init(&unit->age);
    return unit;
}

struct cache_unit *cache_find(struct tfs_cache *cache, const struct cache_key *key)
{
    struct cache_unit *unit;

    tfs_mutex_lock(&cache->lock);
    unit = find_locked(cache, key);
    if (unit && unit->state == UNIT_READY) {
        hit_locked(cache, unit);
    } else {
        unit = NULL;
    }
    tfs_mutex_unlock(&cache->lock);
    return unit;
}

bool cache_has(struct tfs_cache *cache, const struct cache_key *key)
{
    bool has;

    tfs_mutex_lock(&cache->lock);
    has = find_locked(cache, key) != NULL;
    tfs_mutex_unlock(&cache->lock);
    return has;
}

enum cache_claim cache_claim(struct tfs_cache *cache, const struct cache_key *key, void *buffer,
                             struct cache_unit **ret)
{
    enum cache_claim claim;
    struct cache_unit *unit;
    struct cache_unit *fresh = unit_new(key, buffer, UNIT_LOADING);

    tfs_mutex_lock(&cache->lock);
    unit = find_locked(cache, key);
    if (unit) {
        claim = unit->state == UNIT_READY ? CACHE_READY : CACHE_LOADING;
        hit_locked(cache, unit);
    } else {
        claim = CACHE_MINE;
        unit = fresh;
        cache->misses++;
        if (unit) {
            unit->pins = 1;
            unit->load_number = cache->misses;
            insert_locked(cache, unit);
        }
    }
    tfs_mutex_unlock(&cache->lock);

    if (claim != CACHE_MINE)
        free(fresh);
    *ret = unit; /* NULL: no memory for the unit; the caller reports -ENOMEM */
    return claim;
}

void cache_publish(struct tfs_cache *cache, struct cache_unit *unit, int error)
{
    tfs_mutex_lock(&cache->lock);
    assert(unit->state == UNIT_LOADING && unit->pins > 0);
    unit->state = error ? UNIT_FAILED : UNIT_READY;
    unit->error = error;
    if (error)
        remove_locked(cache, unit);
    tfs_cond_broadcast(&cache->published);
    tfs_mutex_unlock(&cache->lock);
}

int cache_wait(struct tfs_cache *cache, struct cache_unit *unit)
{
    int err;

    tfs_mutex_lock(&cache->lock);
    while (unit->state == UNIT_LOADING)
        tfs_cond_wait(&cache->published, &cache->lock);
    err = unit->error;
    tfs_mutex_unlock(&cache->lock);
    return err;
}

uint8_t *cache_unit_data(struct cache_unit *unit)
{
    return unit->buffer;
}

static void release(struct tfs_cache *cache, struct cache_unit *unit)
{
    void *buffer = unit->buffer;

    memory_give_clean(cache->memory, 1, &buffer);
    free(unit);
}

void cache_unpin_as(struct tfs_cache *cache, struct cache_unit *unit, enum cache_use use)
{
    struct cache_unit *gone = NULL;

    if (!unit)
        return;
    tfs_mutex_lock(&cache->lock);
    assert(unit->pins > 0);
    if (use == CACHE_AHEAD && !unit->used)
        unit->ahead = true;
    if (--unit->pins == 0) {
        if (unit->state == UNIT_FAILED)
            gone = unit;
        else if (use == CACHE_PASSED && !unit->hot)
            age_passed_locked(cache, unit);
        else
            age_locked(cache, unit);
        if (cache->unit_count > cache->unit_count_max && !gone)
            gone = take_victim_locked(cache);
    }
    tfs_mutex_unlock(&cache->lock);
    if (gone)
        release(cache, gone);
}

void cache_unpin(struct tfs_cache *cache, struct cache_unit *unit)
{
    cache_unpin_as(cache, unit, CACHE_USED);
}

bool cache_offer(struct tfs_cache *cache, const struct cache_key *key, void *buffer)
{
    struct cache_unit *unit = unit_new(key, buffer, UNIT_READY);
    bool taken = false;

    if (!unit)
        return false;
    tfs_mutex_lock(&cache->lock);
    if (cache->unit_count < cache->unit_count_max && !find_locked(cache, key)) {
        unit->load_number = cache->misses;
        insert_locked(cache, unit);
        age_locked(cache, unit);
        taken = true;
    }
    tfs_mutex_unlock(&cache->lock);
    if (!taken)
        free(unit);
    return taken;
}

/* Evicts what `take` takes out. */
static size_t evict(struct tfs_cache *cache, size_t count,
                    struct cache_unit *(*take)(struct tfs_cache *cache))
{
    struct cache_unit *unit;
    struct list victims;
    struct list *node;
    size_t evicted = 0;

    list_init(&victims);
    tfs_mutex_lock(&cache->lock);
    while (evicted < count && (unit = take(cache))) {
        list_push_back(&victims, &unit->age);
        evicted++;
    }
    tfs_mutex_unlock(&cache->lock);

    while ((node = list_pop_front(&victims)))
        release(cache, list_entry(node, struct cache_unit, age));
    return evicted;
}

size_t cache_evict(struct tfs_cache *cache, size_t count)
{
    return evict(cache, count, take_victim_locked);
}

size_t cache_evict_passed(struct tfs_cache *cache, size_t count)
{
    return evict(cache, count, take_passed_locked);
}

void cache_get_status(struct tfs_cache *cache, struct cache_status *ret)
{
    tfs_mutex_lock(&cache->lock);
    *ret = (struct cache_status){
        .hits = cache->hits,
        .misses = cache->misses,
        .evictions = cache->evictions,
        .bytes = (uint64_t)cache->unit_count * FRAME_BUFFER_SIZE,
        .bytes_max = (uint64_t)cache->unit_count_max * FRAME_BUFFER_SIZE,
    };
    tfs_mutex_unlock(&cache->lock);
}
