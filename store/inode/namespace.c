/*
 * The common part of changes of the namespace. Invariants:
 *
 * 1. A record in the index is only written with volume->metadata held, from the object in memory as
 * it is then.
 * 2. The batch that takes an inode's last name, or that writes a record again that was erased,
 * here or by a commit of data, puts its orphan row: what a crash leaves is purged at the next
 * mount. Nothing else makes an orphan, least of all a record that is found with nlink 0 under a
 * name.
 * 3. What has neither rows nor attributes is erased by the batch that takes its last name. Most
 * removed files, directories and links need no purge then. The object in memory serves whoever
 * still has the inode; if they write to it, 2 holds for what is written.
 */
#include "store/inode/namespace.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HASH_MIN = 16 }; /* cookies below are "." and ".." */

int namespace_check_name(const char *name)
{
    size_t size = strnlen(name, TFS_NAME_SIZE_MAX + 1);

    if (size == 0)
        return -ENOENT;
    if (size > TFS_NAME_SIZE_MAX)
        return -ENAMETOOLONG;
    if (memchr(name, '/', size) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    return 0;
}

uint64_t namespace_hash_seeded(uint64_t seed, const char *name)
{
    uint64_t hash = XXH3_64bits_withSeed(name, strlen(name), seed) & INT64_MAX;

    return hash < HASH_MIN ? hash + HASH_MIN : hash;
}

uint64_t namespace_hash(const struct tfs_volume *volume, const char *name)
{
    return namespace_hash_seeded(volume->name_hash_seed, name);
}

int namespace_get_directory(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret)
{
    struct tfs_inode *inode;
    struct meta_inode record;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err;
    record = inode_record(inode);
    if (!S_ISDIR(record.mode))
        err = -ENOTDIR;
    else if (record.nlink == 0)
        err = -ENOENT;
    if (err) {
        inode_put(volume, inode);
        return err;
    }
    *ret = inode;
    return 0;
}

static struct dentry_cache_key key_of(const struct tfs_volume *volume, uint64_t parent,
                                      const char *name)
{
    return (struct dentry_cache_key){parent, namespace_hash(volume, name), name};
}

static int find_in_index(struct tfs_volume *volume, const struct dentry_cache_key *name,
                         struct meta_dentry *ret)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = meta_dentry_key(name->parent, name->hash, name->name, key);
    struct index_value value;
    int err = index_get(volume->index, INDEX_DENTRY, key, size, &value);

    if (err)
        return err;
    err = meta_dentry_decode(value.data, value.size, ret);
    index_value_release(&value);
    return err;
}

int namespace_find(struct tfs_volume *volume, uint64_t parent, const char *name,
                   struct meta_dentry *ret)
{
    struct dentry_cache_key key = key_of(volume, parent, name);
    uint64_t changes;
    int err;

    switch (dentry_cache_find(volume->dentries, &key, ret, &changes)) {
    case DENTRY_PRESENT:
        return 0;
    case DENTRY_ABSENT:
        return -ENOENT;
    case DENTRY_UNKNOWN:
        break;
    }
    err = find_in_index(volume, &key, ret);
    if (!err || err == -ENOENT)
        dentry_cache_learn(volume->dentries, &key, err ? NULL : ret, changes);
    return err;
}

static int scan_is_empty(struct tfs_volume *volume, uint64_t directory)
{
    uint8_t prefix[META_DENTRY_PREFIX_SIZE];
    struct index_range range = {
        .table = INDEX_DENTRY, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    int found;
    int err;

    meta_inode_key(directory, prefix);
    err = index_scan_open(volume->index, &range, &scan);
    if (err)
        return err;
    found = index_scan_next(scan, &record);
    index_scan_close(scan);
    return found < 0 ? found : !found;
}

int namespace_is_empty(struct tfs_volume *volume, struct tfs_inode *directory)
{
    /* A scan that finds nothing costs a quarter of a removal. */
    if (directory->entry_count >= 0)
        return directory->entry_count == 0;
    return scan_is_empty(volume, directory->number);
}

void namespace_begin(struct tfs_volume *volume, struct namespace_change *change)
{
    /* Field by field: what is behind the counts is written before it is read, and is large. */
    change->volume = volume;
    change->batch = volume->batch;
    change->now = tfs_clock_real();
    change->inode_count = 0;
    change->entry_count = 0;
    index_batch_clear(volume->batch);
}

static struct namespace_inode *changed_inode(struct namespace_change *change,
                                             struct tfs_inode *inode)
{
    struct namespace_inode *changed = change->inodes;

    for (int i = 0; i < change->inode_count; i++, changed++) {
        if (changed->inode == inode)
            return changed;
    }
    assert(change->inode_count < NAMESPACE_INODES_MAX);
    change->inode_count++;
    changed->inode = inode;
    changed->before = inode_record(inode);
    changed->record = changed->before;
    changed->entries = 0;
    return changed;
}

struct meta_inode *namespace_record(struct namespace_change *change, struct tfs_inode *inode)
{
    return &changed_inode(change, inode)->record;
}

struct meta_inode *namespace_touch_directory(struct namespace_change *change,
                                             struct tfs_inode *directory, int entries)
{
    struct namespace_inode *changed = changed_inode(change, directory);

    changed->entries += entries;
    changed->record.mtime = change->now;
    changed->record.ctime = change->now;
    return &changed->record;
}

/* What the name stands for after the commit. The last word counts, as in the batch. */
static const struct dentry_cache_change *note_entry(struct namespace_change *change,
                                                    uint64_t parent, const char *name,
                                                    const struct meta_dentry *entry)
{
    assert(change->entry_count < NAMESPACE_ENTRIES_MAX);
    change->entries[change->entry_count] = (struct dentry_cache_change){
        .key = key_of(change->volume, parent, name),
        .entry = *entry,
    };
    return &change->entries[change->entry_count++];
}

void namespace_put_entry(struct namespace_change *change, uint64_t parent, const char *name,
                         const struct meta_dentry *entry)
{
    const struct dentry_cache_change *noted = note_entry(change, parent, name, entry);
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    uint8_t value[META_DENTRY_VALUE_SIZE];
    size_t size = meta_dentry_key(parent, noted->key.hash, name, key);

    meta_dentry_encode(entry, value);
    index_batch_put(change->batch, INDEX_DENTRY, key, size, value, sizeof(value));
}

void namespace_delete_entry(struct namespace_change *change, uint64_t parent, const char *name)
{
    const struct meta_dentry absent = {0};
    const struct dentry_cache_change *noted = note_entry(change, parent, name, &absent);
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = meta_dentry_key(parent, noted->key.hash, name, key);

    index_batch_delete(change->batch, INDEX_DENTRY, key, size);
}

int namespace_require_free(struct namespace_change *change, uint64_t parent, const char *name)
{
    struct dentry_cache_key wanted = key_of(change->volume, parent, name);
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    struct meta_dentry entry;
    uint64_t changes;
    size_t size;

    switch (dentry_cache_find(change->volume->dentries, &wanted, &entry, &changes)) {
    case DENTRY_PRESENT:
        return -EEXIST;
    case DENTRY_ABSENT:
        return 0;
    case DENTRY_UNKNOWN:
        break;
    }
    size = meta_dentry_key(parent, wanted.hash, name, key);
    index_batch_guard_absent(change->batch, INDEX_DENTRY, key, size);
    return 0;
}

void namespace_put_inode(struct namespace_change *change, uint64_t number,
                         const struct meta_inode *record, const char *target)
{
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t bytes[META_INODE_SIZE_MAX];
    size_t size = meta_inode_encode(record, target, bytes);

    meta_inode_key(number, key);
    index_batch_put(change->batch, INDEX_INODE, key, sizeof(key), bytes, size);
}

static void delete_inode(struct namespace_change *change, uint64_t number)
{
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(number, key);
    index_batch_delete(change->batch, INDEX_INODE, key, sizeof(key));
}

void namespace_put_orphan(struct namespace_change *change, uint64_t number)
{
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(number, key);
    index_batch_put(change->batch, INDEX_ORPHAN, key, sizeof(key), "", 0);
}

void namespace_delete_orphan(struct namespace_change *change, uint64_t number)
{
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(number, key);
    index_batch_delete(change->batch, INDEX_ORPHAN, key, sizeof(key));
}

void namespace_unlink_inode(struct namespace_change *change, struct tfs_inode *inode)
{
    struct meta_inode *record = namespace_record(change, inode);

    /* A damaged store may have 0 where there is a name. */
    record->nlink = S_ISDIR(record->mode) || !record->nlink ? 0 : record->nlink - 1;
    record->ctime = change->now;
}

/*
 * Takes over what an operation may have changed. Size and stored bytes belong to commits; times
 * that a write moved meanwhile stay, unless this change set them itself.
 */
static void take_over(struct tfs_inode *inode, const struct meta_inode *before,
                      const struct meta_inode *after)
{
    struct meta_inode *record = &inode->record;

    record->version = after->version;
    record->parent = after->parent;
    record->mode = after->mode;
    record->uid = after->uid;
    record->gid = after->gid;
    record->nlink = after->nlink;
    record->flags = after->flags;
    record->compression = after->compression;
    record->chunk_size_log2 = after->chunk_size_log2;
    if (memcmp(&before->atime, &after->atime, sizeof(after->atime)) != 0)
        record->atime = after->atime;
    if (memcmp(&before->mtime, &after->mtime, sizeof(after->mtime)) != 0)
        record->mtime = after->mtime;
    if (memcmp(&before->ctime, &after->ctime, sizeof(after->ctime)) != 0)
        record->ctime = after->ctime;
}

/* Whether it lost its last name, with nothing in the index but its record. */
static bool is_erased(const struct namespace_inode *changed)
{
    return changed->before.nlink > 0 && changed->record.nlink == 0 &&
           !meta_inode_may_have_more(&changed->record);
}

/* What the batch says of the inode itself. */
static void put_record(struct namespace_change *change, const struct namespace_inode *changed)
{
    if (is_erased(changed)) {
        delete_inode(change, changed->inode->number);
        return;
    }
    namespace_put_inode(change, changed->inode->number, &changed->record, changed->inode->target);
    if (changed->record.nlink == 0 && (changed->before.nlink > 0 || changed->inode->erased))
        namespace_put_orphan(change, changed->inode->number);
}

int namespace_commit(struct namespace_change *change)
{
    int err;

    for (int i = 0; i < change->inode_count; i++) {
        change->inodes[i].record.version++;
        put_record(change, &change->inodes[i]);
    }
    err = index_commit(change->volume->index, change->batch, false);
    if (err)
        return err;
    dentry_cache_apply(change->volume->dentries, change->entries, (size_t)change->entry_count);
    (void)atomic_fetch_add_explicit(&change->volume->namespace_changes, 1, memory_order_release);
    for (int i = 0; i < change->inode_count; i++) {
        const struct namespace_inode *changed = &change->inodes[i];
        struct tfs_inode *inode = changed->inode;

        if (inode->entry_count >= 0)
            inode->entry_count += changed->entries;
        tfs_mutex_lock(&inode->lock);
        take_over(inode, &changed->before, &changed->record);
        inode->erased = is_erased(changed);
        tfs_mutex_unlock(&inode->lock);
    }
    return 0;
}
