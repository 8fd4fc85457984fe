/*
 * A hash table in some shards, each with a lock, an order of use and its part of the memory.
 *
 * 1. Nothing is learnt across a change: a reader who asked the index before a commit would
 *    otherwise put the old row behind the new one. Each shard counts the changes of its rows.
 * 2. A shard's entries take no more than bytes_max: the one that was not asked for longest goes
 *    first.
 */
#include "store/tables/row_cache.h"

#include "store/base/list.h"
#include "store/base/lock.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SHARD_COUNT = 8,
    /* Of the memory, in bytes, for each bucket: about as much as a chunk in one piece takes. */
    BYTES_PER_BUCKET = 256,
};

struct entry {
    struct list age;    /* in its shard's order of use */
    struct entry *next; /* in its bucket */
    struct row_cache_key key;
    struct tfs_row *row; /* counted; NULL: the index has none */
};

struct shard {
    struct tfs_mutex lock;  /* rank TFS_RANK_LEAF; guards what is not immutable */
    struct entry **buckets; /* the array is immutable */
    size_t bucket_count;    /* immutable; a power of two */
    size_t bytes_max;       /* immutable; of the entries */
    size_t bytes;           /* likewise */
    struct list ages;       /* longest unused first */
    uint64_t changes;       /* so far */
    uint64_t hits;
    uint64_t misses;
};

struct tfs_row_cache {
    struct shard shards[SHARD_COUNT];
};

static uint64_t mix(const struct row_cache_key *key)
{
    return (key->inode * 0x9E3779B97F4A7C15ull + key->index) * 0x9E3779B97F4A7C15ull;
}

static struct shard *shard_of(struct tfs_row_cache *cache, const struct row_cache_key *key)
{
    return &cache->shards[mix(key) >> 61];
}

static struct entry **bucket_of(const struct shard *shard, const struct row_cache_key *key)
{
    return &shard->buckets[(mix(key) >> 24) & (shard->bucket_count - 1)];
}

static size_t entry_size(const struct tfs_row *row)
{
    return sizeof(struct entry) + (row ? row_memory_size(row) : 0);
}

static int shard_init(struct shard *shard, size_t bytes_max)
{
    shard->bucket_count = 1;
    while (2 * shard->bucket_count * BYTES_PER_BUCKET <= bytes_max)
        shard->bucket_count *= 2;
    shard->bytes_max = bytes_max - shard->bucket_count * sizeof(struct entry *);
    shard->buckets = calloc(shard->bucket_count, sizeof(struct entry *));
    list_init(&shard->ages);
    tfs_mutex_init(&shard->lock, TFS_RANK_LEAF);
    return shard->buckets ? 0 : -ENOMEM;
}

int row_cache_new(uint64_t bytes_max, struct tfs_row_cache **ret)
{
    struct tfs_row_cache *cache = calloc(1, sizeof(*cache));
    int err = 0;

    if (!cache)
        return -ENOMEM;
    for (int i = 0; i < SHARD_COUNT; i++) {
        int shard_err = shard_init(&cache->shards[i], bytes_max / SHARD_COUNT);

        err = err ? err : shard_err;
    }
    if (err) {
        row_cache_free(cache);
        return err;
    }
    *ret = cache;
    return 0;
}

/* The link to the key's entry; *link is NULL when there is none. */
static struct entry **find_locked(const struct shard *shard, const struct row_cache_key *key)
{
    struct entry **link = bucket_of(shard, key);

    while (*link && ((*link)->key.inode != key->inode || (*link)->key.index != key->index))
        link = &(*link)->next;
    return link;
}

/* Takes it out of the table; it is the caller's to free. */
static struct entry *take_locked(struct shard *shard, struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next;
    list_remove(&entry->age);
    shard->bytes -= entry_size(entry->row);
    return entry;
}

static void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    row_unref(entry->row);
    free(entry);
}

static void make_room_locked(struct shard *shard, size_t size)
{
    while (shard->bytes + size > shard->bytes_max && !list_is_empty(&shard->ages)) {
        const struct entry *oldest = list_entry(shard->ages.next, struct entry, age);

        entry_free(take_locked(shard, find_locked(shard, &oldest->key)));
    }
}

static void add_locked(struct shard *shard, struct entry *entry)
{
    struct entry **bucket = bucket_of(shard, &entry->key);

    entry->next = *bucket;
    *bucket = entry;
    list_push_back(&shard->ages, &entry->age);
    shard->bytes += entry_size(entry->row);
}

void row_cache_free(struct tfs_row_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &cache->shards[i];

        make_room_locked(shard, shard->bytes_max); /* nobody else is here any more */
        tfs_mutex_release(&shard->lock);
        free(shard->buckets);
    }
    free(cache);
}

bool row_cache_find(struct tfs_row_cache *cache, const struct row_cache_key *key,
                    struct tfs_row **ret, uint64_t *ret_changes)
{
    struct shard *shard = shard_of(cache, key);
    struct entry *entry;

    tfs_mutex_lock(&shard->lock);
    entry = *find_locked(shard, key);
    if (entry) {
        list_remove(&entry->age);
        list_push_back(&shard->ages, &entry->age);
        *ret = row_ref(entry->row);
        shard->hits++;
    } else {
        *ret_changes = shard->changes;
        shard->misses++;
    }
    tfs_mutex_unlock(&shard->lock);
    return entry;
}

void row_cache_learn(struct tfs_row_cache *cache, const struct row_cache_key *key,
                     struct tfs_row *row, uint64_t changes)
{
    struct shard *shard = shard_of(cache, key);
    size_t size = entry_size(row);
    struct entry *entry = size <= shard->bytes_max ? malloc(sizeof(*entry)) : NULL;

    if (!entry)
        return;
    *entry = (struct entry){.key = *key, .row = row_ref(row)};
    tfs_mutex_lock(&shard->lock);
    if (shard->changes == changes && !*find_locked(shard, key)) { /* else another was faster */
        make_room_locked(shard, size);
        add_locked(shard, TAKE_PTR(entry));
    }
    tfs_mutex_unlock(&shard->lock);
    entry_free(entry);
}

void row_cache_forget(struct tfs_row_cache *cache, const struct row_cache_key *key)
{
    struct shard *shard = shard_of(cache, key);
    struct entry *gone = NULL;
    struct entry **link;

    tfs_mutex_lock(&shard->lock);
    shard->changes++;
    link = find_locked(shard, key);
    if (*link)
        gone = take_locked(shard, link);
    tfs_mutex_unlock(&shard->lock);
    entry_free(gone);
}

void row_cache_get_status(struct tfs_row_cache *cache, struct row_cache_status *ret)
{
    struct row_cache_status sum = {0};

    for (int i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &cache->shards[i];

        tfs_mutex_lock(&shard->lock);
        sum.hits += shard->hits;
        sum.misses += shard->misses;
        sum.bytes += shard->bytes;
        tfs_mutex_unlock(&shard->lock);
    }
    *ret = sum;
}
