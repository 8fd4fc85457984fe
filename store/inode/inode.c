/*
 * The table of inodes in memory. Invariants:
 *
 * 1. There is at most one object for a number: loaders that race insert one and drop the other.
 * 2. An object without lookups, opens and pins is not in the table.
 * 3. Reclaim gets an inode without a name exactly when its object goes, so nobody can use it any
 * more; one of which the index has nothing it does not get.
 * 4. An object is on `known` while it has lookups, oldest lookup first.
 *
 * Only the kernel can end a lookup. When the objects take more than their share of the memory,
 * tfs_inodes_to_forget() says of which it should. It names at most two for each lookup that came
 * since, so that what is in use, which no kernel forgets, costs no more than that.
 */
#include "store/inode/inode.h"

#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/txn/dead_list.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_MIN = 1024,
    ALLOCATION_OVERHEAD = 16, /* malloc()'s, for each */
    FORGET_PER_LOOKUP = 2,
    FORGET_CREDIT_MAX = 4096,
    FORGET_CREDIT_MIN = 64, /* before it is worth a thread's while */
    LOOKED_AT_FOR_EACH = 4,
};

struct tfs_inode_table {
    struct tfs_mutex lock;      /* rank TFS_RANK_INODE_TABLE */
    struct tfs_inode **buckets; /* guarded by lock */
    size_t bucket_count;        /* guarded by lock; a power of two */
    size_t count;               /* guarded by lock */
    uint64_t drops;             /* guarded by lock; objects that left the table so far */
    uint64_t bytes;             /* guarded by lock; of all objects */
    uint64_t bytes_max;         /* immutable */
    struct list known;          /* guarded by lock; oldest lookup first */
    unsigned forget_credit;     /* guarded by lock; inodes that may be named to the kernel */
};

int inode_table_new(uint64_t bytes_max, struct tfs_inode_table **ret)
{
    struct tfs_inode_table *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    table->bucket_count = BUCKETS_MIN;
    table->buckets = calloc(table->bucket_count, sizeof(table->buckets[0]));
    if (!table->buckets) {
        free(table);
        return -ENOMEM;
    }
    table->bytes_max = bytes_max;
    list_init(&table->known);
    tfs_mutex_init(&table->lock, TFS_RANK_INODE_TABLE);
    *ret = table;
    return 0;
}

static void inode_free(struct tfs_inode *inode)
{
    data_free(inode->data);
    free(inode->target);
    tfs_mutex_release(&inode->lock);
    free(inode);
}

void inode_table_free(struct tfs_inode_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i]) {
            struct tfs_inode *inode = table->buckets[i];

            table->buckets[i] = inode->next;
            inode_free(inode);
        }
    }
    tfs_mutex_release(&table->lock);
    free(table->buckets);
    free(table);
}

static size_t bucket_of(const struct tfs_inode_table *table, uint64_t number)
{
    return (size_t)((number * 0x9E3779B97F4A7C15ull) >> 32) & (table->bucket_count - 1);
}

static struct tfs_inode *find_locked(struct tfs_inode_table *table, uint64_t number)
    TFS_REQUIRES(&table->lock)
{
    struct tfs_inode *inode = table->buckets[bucket_of(table, number)];

    while (inode && inode->number != number)
        inode = inode->next;
    return inode;
}

/* Doubles the table when it is full; without memory it just stays slower. */
static void grow_locked(struct tfs_inode_table *table) TFS_REQUIRES(&table->lock)
{
    size_t old_count = table->bucket_count;
    struct tfs_inode **old = table->buckets;
    struct tfs_inode **buckets;

    if (table->count < table->bucket_count)
        return;
    buckets = calloc(old_count * 2, sizeof(buckets[0]));
    if (!buckets)
        return;
    table->buckets = buckets;
    table->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct tfs_inode *inode = old[i];
            size_t bucket = bucket_of(table, inode->number);

            old[i] = inode->next;
            inode->next = table->buckets[bucket];
            table->buckets[bucket] = inode;
        }
    }
    free(old);
}

/* Chunks and rows of what is not committed come on top: row_budget.h counts them. */
static uint64_t inode_bytes(const struct tfs_inode *inode)
{
    uint64_t bytes = sizeof(*inode) + ALLOCATION_OVERHEAD;

    if (inode->target)
        bytes += strlen(inode->target) + 1 + ALLOCATION_OVERHEAD;
    if (inode->data)
        bytes += DATA_MEMORY_SIZE + 2ull * ALLOCATION_OVERHEAD;
    return bytes;
}

static void insert_locked(struct tfs_inode_table *table, struct tfs_inode *inode)
    TFS_REQUIRES(&table->lock)
{
    size_t bucket;

    grow_locked(table);
    bucket = bucket_of(table, inode->number);
    inode->next = table->buckets[bucket];
    table->buckets[bucket] = inode;
    table->count++;
    table->bytes += inode_bytes(inode);
}

static void remove_locked(struct tfs_inode_table *table, struct tfs_inode *inode)
    TFS_REQUIRES(&table->lock)
{
    struct tfs_inode **at = &table->buckets[bucket_of(table, inode->number)];

    while (*at != inode)
        at = &(*at)->next;
    *at = inode->next;
    list_remove(&inode->known_node);
    table->count--;
    table->bytes -= inode_bytes(inode);
    table->drops++;
}

static int inode_new(struct tfs_volume *volume, uint64_t number, const struct meta_inode *record,
                     const char *target, struct tfs_inode **ret)
{
    struct tfs_inode *inode = calloc(1, sizeof(*inode));
    int err = 0;

    if (!inode)
        return -ENOMEM;
    inode->number = number;
    inode->record = *record;
    inode->type = record->mode & S_IFMT;
    inode->pins = 1;
    inode->entry_count = -1;
    inode->xattr_names = -1;
    list_init(&inode->pending_node);
    list_init(&inode->known_node);
    tfs_mutex_init(&inode->lock, TFS_RANK_INODE);
    if (record->target_size) {
        inode->target = strndup(target, record->target_size);
        if (!inode->target)
            err = -ENOMEM;
    }
    if (!err && S_ISREG(record->mode))
        err = data_new(volume, inode, &inode->data);
    if (err) {
        inode_free(inode);
        return err;
    }
    *ret = inode;
    return 0;
}

static int inode_load(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret)
{
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    struct meta_inode record;
    const char *target;
    int err;

    meta_inode_key(number, key);
    err = index_get(volume->index, INDEX_INODE, key, sizeof(key), &value);
    if (err == -ENOENT)
        return -ESTALE;
    if (err)
        return err;
    err = meta_inode_decode(value.data, value.size, &record, &target);
    if (!err)
        err = inode_new(volume, number, &record, target, ret);
    index_value_release(&value);
    return err;
}

static struct tfs_inode *find_and_pin(struct tfs_inode_table *table, uint64_t number,
                                      uint64_t *ret_drops)
{
    struct tfs_inode *inode;

    tfs_mutex_lock(&table->lock);
    inode = find_locked(table, number);
    if (inode)
        inode->pins++;
    *ret_drops = table->drops;
    tfs_mutex_unlock(&table->lock);
    return inode;
}

/*
 * Inserts `fresh` unless another loader was faster; returns the one that counts, pinned. NULL when
 * an object left the table since `drops` was taken: it may have been this inode's, changed after
 * `fresh` was read from the index.
 */
static struct tfs_inode *insert_or_find(struct tfs_inode_table *table, struct tfs_inode *fresh,
                                        uint64_t drops)
{
    struct tfs_inode *inode;

    tfs_mutex_lock(&table->lock);
    inode = find_locked(table, fresh->number);
    if (inode) {
        inode->pins++;
    } else if (drops == table->drops) {
        insert_locked(table, fresh);
        inode = fresh;
    }
    tfs_mutex_unlock(&table->lock);
    if (inode != fresh)
        inode_free(fresh);
    return inode;
}

int inode_get(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret)
{
    uint64_t drops;
    struct tfs_inode *inode = find_and_pin(volume->inodes, number, &drops);

    while (!inode) {
        int err = inode_load(volume, number, &inode);

        if (err)
            return err;
        inode = insert_or_find(volume->inodes, inode, drops);
        if (!inode)
            inode = find_and_pin(volume->inodes, number, &drops);
    }
    *ret = inode;
    return 0;
}

int inode_add(struct tfs_volume *volume, uint64_t number, const struct meta_inode *record,
              const char *target, struct tfs_inode **ret)
{
    struct tfs_inode *inode;
    int err = inode_new(volume, number, record, target, &inode);

    if (err)
        return err;
    inode->entry_count = 0;
    tfs_mutex_lock(&volume->inodes->lock);
    assert(!find_locked(volume->inodes, number));
    insert_locked(volume->inodes, inode);
    tfs_mutex_unlock(&volume->inodes->lock);
    *ret = inode;
    return 0;
}

/* Drops one hold (already subtracted by `drop`) and ends the object when it was the last. */
static void finish_drop(struct tfs_volume *volume, struct tfs_inode *inode, bool last)
{
    if (!last)
        return;
    if (inode->data)
        allocation_forget(volume, inode);
    if (inode->record.nlink == 0 && !inode->erased) /* nobody else has the object any more */
        dead_list_add_inode(volume->dead, inode->number);
    inode_free(inode);
    trim_note_dropped(volume);
}

static bool is_unheld_locked(const struct tfs_inode *inode)
{
    return inode->lookups == 0 && inode->opens == 0 && inode->pins == 0;
}

void inode_put(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_inode_table *table = volume->inodes;
    bool last;

    if (!inode)
        return;
    tfs_mutex_lock(&table->lock);
    assert(inode->pins > 0);
    inode->pins--;
    last = is_unheld_locked(inode);
    if (last)
        remove_locked(table, inode);
    tfs_mutex_unlock(&table->lock);
    finish_drop(volume, inode, last);
}

void inode_pin(struct tfs_volume *volume, struct tfs_inode *inode)
{
    tfs_mutex_lock(&volume->inodes->lock);
    inode->pins++;
    tfs_mutex_unlock(&volume->inodes->lock);
}

void inode_lookup_added(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t parent)
{
    struct tfs_inode_table *table = volume->inodes;

    tfs_mutex_lock(&table->lock);
    inode->lookups++;
    inode->named_in = parent;
    list_remove(&inode->known_node);
    list_push_back(&table->known, &inode->known_node);
    if (table->bytes > table->bytes_max && table->forget_credit < FORGET_CREDIT_MAX)
        table->forget_credit += FORGET_PER_LOOKUP;
    tfs_mutex_unlock(&table->lock);
}

uint64_t inode_named_in(struct tfs_volume *volume, struct tfs_inode *inode)
{
    uint64_t parent;

    tfs_mutex_lock(&volume->inodes->lock);
    parent = inode->named_in;
    tfs_mutex_unlock(&volume->inodes->lock);
    return parent;
}

void inode_forget(struct tfs_volume *volume, uint64_t number, uint64_t count)
{
    struct tfs_inode_table *table = volume->inodes;
    struct tfs_inode *inode;
    bool last = false;

    tfs_mutex_lock(&table->lock);
    inode = find_locked(table, number);
    if (inode) {
        inode->lookups -=
            tfs_min_u64(count, inode->lookups); /* the kernel's count is not trusted */
        if (inode->lookups == 0)
            list_remove(&inode->known_node);
        last = is_unheld_locked(inode);
        if (last)
            remove_locked(table, inode);
    }
    tfs_mutex_unlock(&table->lock);
    if (inode)
        finish_drop(volume, inode, last);
}

void inode_opened(struct tfs_volume *volume, struct tfs_inode *inode)
{
    tfs_mutex_lock(&volume->inodes->lock);
    inode->opens++;
    tfs_mutex_unlock(&volume->inodes->lock);
}

bool inode_closed(struct tfs_volume *volume, struct tfs_inode *inode)
{
    bool last;

    tfs_mutex_lock(&volume->inodes->lock);
    assert(inode->opens > 0 && inode->pins > 0);
    last = --inode->opens == 0;
    tfs_mutex_unlock(&volume->inodes->lock);
    return last;
}

bool inode_is_open(struct tfs_volume *volume, struct tfs_inode *inode)
{
    bool open;

    tfs_mutex_lock(&volume->inodes->lock);
    open = inode->opens > 0;
    tfs_mutex_unlock(&volume->inodes->lock);
    return open;
}

void inode_attr(struct tfs_inode *inode, struct tfs_attr *ret)
{
    const struct meta_inode *record = &inode->record;

    tfs_mutex_lock(&inode->lock);
    *ret = (struct tfs_attr){
        .inode = inode->number,
        .generation = 1, /* numbers are never used again */
        .size = record->size,
        .blocks = (record->stored_bytes + 511) / 512,
        .rdev = record->rdev,
        .mode = record->mode,
        .uid = record->uid,
        .gid = record->gid,
        .nlink = record->nlink,
        .block_size = 4096,
        .atime = record->atime,
        .mtime = record->mtime,
        .ctime = record->ctime,
        .btime = record->btime,
    };
    if (inode->data)
        data_attr_locked(inode, ret);
    else if (S_ISLNK(record->mode))
        ret->size = record->target_size;
    tfs_mutex_unlock(&inode->lock);
}

struct meta_inode inode_record(struct tfs_inode *inode)
{
    struct meta_inode record;

    tfs_mutex_lock(&inode->lock);
    record = inode->record;
    tfs_mutex_unlock(&inode->lock);
    return record;
}

/* Takes any inode that only lookups keep, from bucket *at on; what is passed has none. */
static struct tfs_inode *take_looked_up(struct tfs_inode_table *table, size_t *at)
{
    struct tfs_inode *found = NULL;

    tfs_mutex_lock(&table->lock);
    for (; *at < table->bucket_count && !found; *at += !found) {
        found = table->buckets[*at];
        while (found && (found->opens || found->pins))
            found = found->next;
    }
    if (found) {
        found->lookups = 0;
        remove_locked(table, found);
    }
    tfs_mutex_unlock(&table->lock);
    return found;
}

void inode_table_drop_all(struct tfs_volume *volume)
{
    struct tfs_inode *inode;
    size_t at = 0;

    while ((inode = take_looked_up(volume->inodes, &at)))
        finish_drop(volume, inode, true);
}

void inode_table_get_status(struct tfs_volume *volume, struct inode_table_status *ret)
{
    struct tfs_inode_table *table = volume->inodes;

    tfs_mutex_lock(&table->lock);
    *ret = (struct inode_table_status){
        .count = table->count, .bytes = table->bytes, .bytes_max = table->bytes_max};
    tfs_mutex_unlock(&table->lock);
}

/* ---- what the kernel is to forget ---- */

static bool is_full_locked(const struct tfs_inode_table *table) TFS_REQUIRES(&table->lock)
{
    return table->bytes > table->bytes_max && !list_is_empty(&table->known);
}

bool tfs_has_inodes_to_forget(struct tfs_volume *volume)
{
    struct tfs_inode_table *table = volume->inodes;
    bool has;

    tfs_mutex_lock(&table->lock);
    has = is_full_locked(table) && table->forget_credit >= FORGET_CREDIT_MIN;
    tfs_mutex_unlock(&table->lock);
    return has;
}

/* Takes the oldest to the end, so that one that is not forgotten comes last. */
static struct tfs_inode *turn_locked(struct tfs_inode_table *table) TFS_REQUIRES(&table->lock)
{
    struct tfs_inode *inode = list_entry(table->known.next, struct tfs_inode, known_node);

    list_remove(&inode->known_node);
    list_push_back(&table->known, &inode->known_node);
    return inode;
}

size_t tfs_inodes_to_forget(struct tfs_volume *volume, size_t count_max, uint64_t *ret)
{
    struct tfs_inode_table *table = volume->inodes;
    size_t count = 0;

    tfs_mutex_lock(&table->lock);
    for (size_t i = 0; i < LOOKED_AT_FOR_EACH * count_max && count < count_max; i++) {
        const struct tfs_inode *inode;

        if (!is_full_locked(table) || table->forget_credit == 0)
            break;
        inode = turn_locked(table);
        if (inode->opens > 0)
            continue;
        ret[count++] = inode->number;
        table->forget_credit--;
    }
    tfs_mutex_unlock(&table->lock);
    return count;
}
