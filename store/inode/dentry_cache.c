/*
 * A table of fixed size, in sets of four cells. A name has its place in one set, and takes the cell
 * there that was not asked for longest. Names that do not fit into a cell are not kept. What tells
 * the cells of a set apart lies together, in the first line of the processor's cache.
 *
 * 1. A cell says what the index has, once the change that wrote it has returned: a change
 * overwrites what is here of its names, whoever put it there.
 * 2. Nothing is learnt across a change. A reader who asked the index before one committed would
 *    otherwise put the old answer behind the new one.
 */
#include "store/inode/dentry_cache.h"

#include "store/base/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SET_CELLS = 4, SET_ALIGNMENT = 64, NAME_KEPT_MAX = 75 };

struct cell {
    uint64_t parent;
    uint64_t inode; /* 0: there is no such name */
    uint32_t type;
    uint8_t name_size;
    char name[NAME_KEPT_MAX];
};

struct set {
    uint64_t hashes[SET_CELLS]; /* 0: the cell is empty */
    uint32_t used[SET_CELLS];   /* cache->clock when it was asked for last */
    struct cell cells[SET_CELLS];
} __attribute__((aligned(SET_ALIGNMENT)));

struct tfs_dentry_cache {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF; guards all below */
    struct set *sets;
    uint64_t changes; /* applied so far */
    uint64_t hits;
    uint64_t misses;
    uint32_t clock;   /* may wrap round: then a cell goes too early */
    size_t set_count; /* immutable; a power of two */
};

int dentry_cache_new(uint64_t bytes_max, struct tfs_dentry_cache **ret)
{
    struct tfs_dentry_cache *cache = calloc(1, sizeof(*cache));
    size_t set_count = 1;

    if (!cache)
        return -ENOMEM;
    while (2 * set_count * sizeof(struct set) <= bytes_max)
        set_count *= 2;
    cache->sets = aligned_alloc(SET_ALIGNMENT, set_count * sizeof(cache->sets[0]));
    if (!cache->sets) {
        free(cache);
        return -ENOMEM;
    }
    memset(cache->sets, 0, set_count * sizeof(cache->sets[0]));
    cache->set_count = set_count;
    tfs_mutex_init(&cache->lock, TFS_RANK_LEAF);
    *ret = cache;
    return 0;
}

void dentry_cache_free(struct tfs_dentry_cache *cache)
{
    if (!cache)
        return;
    tfs_mutex_release(&cache->lock);
    free(cache->sets);
    free(cache);
}

static struct set *set_of(const struct tfs_dentry_cache *cache, const struct dentry_cache_key *key)
{
    uint64_t mixed = (key->hash ^ key->parent) * 0x9E3779B97F4A7C15ull;

    return &cache->sets[(mixed >> 32) & (cache->set_count - 1)];
}

/* The cell of the name, or -1. */
static int find(const struct set *set, const struct dentry_cache_key *key, size_t name_size)
{
    for (int i = 0; i < SET_CELLS; i++) {
        const struct cell *cell = &set->cells[i];

        if (set->hashes[i] == key->hash && cell->parent == key->parent &&
            cell->name_size == name_size && memcmp(cell->name, key->name, name_size) == 0)
            return i;
    }
    return -1;
}

/* An empty cell, else the one that was not used longest. */
static int choose_locked(const struct tfs_dentry_cache *cache, const struct set *set)
    TFS_REQUIRES(&cache->lock)
{
    int oldest = 0;

    for (int i = 0; i < SET_CELLS; i++) {
        if (set->hashes[i] == 0)
            return i;
        if (cache->clock - set->used[i] > cache->clock - set->used[oldest])
            oldest = i;
    }
    return oldest;
}

static void put_locked(struct tfs_dentry_cache *cache, const struct dentry_cache_key *key,
                       const struct meta_dentry *entry) TFS_REQUIRES(&cache->lock)
{
    struct set *set = set_of(cache, key);
    size_t name_size = strlen(key->name);
    struct cell *cell;
    int i;

    if (name_size > NAME_KEPT_MAX)
        return;
    i = find(set, key, name_size);
    if (i < 0)
        i = choose_locked(cache, set);
    cell = &set->cells[i];
    set->hashes[i] = key->hash;
    set->used[i] = cache->clock++;
    cell->parent = key->parent;
    cell->inode = entry ? entry->inode : 0;
    cell->type = entry ? entry->type : 0;
    cell->name_size = (uint8_t)name_size;
    memcpy(cell->name, key->name, name_size);
}

static void drop_locked(struct tfs_dentry_cache *cache, const struct dentry_cache_key *key)
    TFS_REQUIRES(&cache->lock)
{
    struct set *set = set_of(cache, key);
    int i = find(set, key, strlen(key->name));

    if (i >= 0)
        set->hashes[i] = 0;
}

enum dentry_cache_answer dentry_cache_find(struct tfs_dentry_cache *cache,
                                           const struct dentry_cache_key *key,
                                           struct meta_dentry *ret, uint64_t *ret_changes)
{
    enum dentry_cache_answer answer = DENTRY_UNKNOWN;
    size_t name_size = strlen(key->name);
    struct set *set = set_of(cache, key);
    int i;

    tfs_mutex_lock(&cache->lock);
    i = find(set, key, name_size);
    if (i < 0) {
        *ret_changes = cache->changes;
        cache->misses++;
    } else {
        cache->hits++;
        set->used[i] = cache->clock++;
        answer = set->cells[i].inode ? DENTRY_PRESENT : DENTRY_ABSENT;
        if (answer == DENTRY_PRESENT)
            *ret = (struct meta_dentry){set->cells[i].inode, set->cells[i].type};
    }
    tfs_mutex_unlock(&cache->lock);
    return answer;
}

void dentry_cache_learn(struct tfs_dentry_cache *cache, const struct dentry_cache_key *key,
                        const struct meta_dentry *entry, uint64_t changes)
{
    tfs_mutex_lock(&cache->lock);
    if (cache->changes == changes)
        put_locked(cache, key, entry);
    tfs_mutex_unlock(&cache->lock);
}

void dentry_cache_apply(struct tfs_dentry_cache *cache, const struct dentry_cache_change *changes,
                        size_t count)
{
    tfs_mutex_lock(&cache->lock);
    cache->changes++;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].entry.inode)
            put_locked(cache, &changes[i].key, &changes[i].entry);
        else
            drop_locked(cache, &changes[i].key); /* hardly anybody asks for what he removed */
    }
    tfs_mutex_unlock(&cache->lock);
}

void dentry_cache_get_counts(struct tfs_dentry_cache *cache, uint64_t *ret_hits,
                             uint64_t *ret_misses)
{
    tfs_mutex_lock(&cache->lock);
    *ret_hits = cache->hits;
    *ret_misses = cache->misses;
    tfs_mutex_unlock(&cache->lock);
}
