/*
 * Reading directories. Entries stand in the order of their names' hashes; a cookie is the hash from
 * which on to go on. It needs no state and survives changes around it. An entry's cookie is the
 * hash of the entry behind it, so that a reader who comes back to it finds that entry first,
 * whatever was made in between (as ext4 has it).
 *
 * Two names of one directory with the same 63-bit hash (seeded, so that nobody can plan it) share a
 * place: a reader who stops between them sees one twice, and never misses one.
 */
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COOKIE_DOT = 1, COOKIE_DOT_DOT = 2, BATCH_ENTRIES = 64 };

struct entry {
    struct meta_dentry_name name;
    struct meta_dentry dentry;
};

/* A walk reads entries in batches, so that nothing of the index is held during a visit. */
struct walk {
    struct tfs_volume *volume;
    uint64_t directory;
    bool with_attributes;
    tfs_directory_visit *visit;
    void *context;
    struct entry *entries; /* one more than a batch: the cookie of the last but one */
    size_t count;
};

/* A cookie names a place, so what shares one must fit into a batch, or the walk would never end.
 * Chance does not bring as many together. */
static int check_crowd(const struct walk *walk)
{
    if (walk->count <= BATCH_ENTRIES ||
        walk->entries[0].name.hash != walk->entries[BATCH_ENTRIES].name.hash)
        return 0;
    return tfs_fail(-EUCLEAN, "directory %llu has more than %d names in one place",
                    (unsigned long long)walk->directory, BATCH_ENTRIES);
}

static int read_batch(struct walk *walk, uint64_t cookie)
{
    uint8_t prefix[META_DENTRY_PREFIX_SIZE];
    uint8_t start[META_DENTRY_PREFIX_SIZE + sizeof(uint64_t)];
    struct index_range range = {.table = INDEX_DENTRY,
                                .prefix = prefix,
                                .prefix_size = sizeof(prefix),
                                .start = start,
                                .start_size = sizeof(start)};
    struct index_record record;
    struct index_scan *scan;
    int more = 0;
    int err;

    meta_inode_key(walk->directory, prefix);
    meta_inode_key(walk->directory, start);
    tfs_put_be64(start + META_DENTRY_PREFIX_SIZE, cookie);
    walk->count = 0;
    err = index_scan_open(walk->volume->index, &range, &scan);
    if (err)
        return err;
    while (walk->count <= BATCH_ENTRIES && (more = index_scan_next(scan, &record)) > 0) {
        struct entry *entry = &walk->entries[walk->count];

        err = meta_dentry_key_decode(record.key, record.key_size, &entry->name);
        if (!err)
            err = meta_dentry_decode(record.value, record.value_size, &entry->dentry);
        if (!err && entry->name.hash > INT64_MAX)
            err = tfs_fail(-EUCLEAN, "directory %llu has an entry behind the last place",
                           (unsigned long long)walk->directory);
        if (err)
            break;
        walk->count++;
    }
    index_scan_close(scan);
    err = err ? err : more < 0 ? more : 0;
    return err ? err : check_crowd(walk);
}

/* Visits with the inode's attributes; counts a lookup when the visitor took the entry. */
static int visit_with_attributes(struct walk *walk, struct tfs_directory_entry *entry,
                                 bool *ret_more)
{
    struct tfs_inode *inode;
    struct tfs_attr attr;
    int err = inode_get(walk->volume, entry->inode, &inode);

    if (err == -ESTALE) { /* removed meanwhile */
        *ret_more = true;
        return 0;
    }
    if (err)
        return err;
    inode_attr(inode, &attr);
    entry->attr = &attr;
    inode_lookup_added(walk->volume, inode, walk->directory);
    *ret_more = walk->visit(walk->context, entry);
    if (!*ret_more)
        inode_forget(walk->volume, entry->inode, 1);
    inode_put(walk->volume, inode);
    return 0;
}

static int visit_entry(struct walk *walk, const struct entry *found, uint64_t cookie,
                       bool *ret_more)
{
    struct tfs_directory_entry entry = {
        .name = found->name.name,
        .inode = found->dentry.inode,
        .mode = found->dentry.type,
        .place = found->name.hash,
        .cookie = cookie,
    };

    if (walk->with_attributes)
        return visit_with_attributes(walk, &entry, ret_more);
    *ret_more = walk->visit(walk->context, &entry);
    return 0;
}

/* Visits a batch. *cookie is where to go on. */
static int visit_batch(struct walk *walk, uint64_t *cookie, bool *ret_more)
{
    size_t count = walk->count > BATCH_ENTRIES ? BATCH_ENTRIES : walk->count;
    int err = 0;

    /* Entries of one place stay in one batch. */
    while (count > 1 && count < walk->count &&
           walk->entries[count].name.hash == walk->entries[count - 1].name.hash)
        count--;
    *ret_more = true;
    for (size_t i = 0; i < count && *ret_more && !err; i++) {
        *cookie =
            i + 1 < walk->count ? walk->entries[i + 1].name.hash : walk->entries[i].name.hash + 1;
        err = visit_entry(walk, &walk->entries[i], *cookie, ret_more);
    }
    return err;
}

static int walk_entries(struct walk *walk, uint64_t cookie)
{
    bool more = true;
    int err = 0;

    while (more && !err) {
        err = read_batch(walk, cookie);
        if (err || walk->count == 0)
            return err;
        err = visit_batch(walk, &cookie, &more);
    }
    return err;
}

static bool visit_dots(struct walk *walk, uint64_t cookie, uint64_t parent)
{
    struct tfs_directory_entry dot = {
        .name = ".", .inode = walk->directory, .mode = S_IFDIR, .cookie = COOKIE_DOT};
    struct tfs_directory_entry dot_dot = {
        .name = "..", .inode = parent, .mode = S_IFDIR, .cookie = COOKIE_DOT_DOT};

    if (cookie < COOKIE_DOT && !walk->visit(walk->context, &dot))
        return false;
    return cookie >= COOKIE_DOT_DOT || walk->visit(walk->context, &dot_dot);
}

int tfs_readdir(struct tfs_volume *volume, uint64_t number, uint64_t cookie, bool with_attributes,
                tfs_directory_visit *visit, void *context)
{
    struct walk walk = {.volume = volume,
                        .directory = number,
                        .with_attributes = with_attributes,
                        .visit = visit,
                        .context = context};
    struct tfs_inode *directory;
    struct meta_inode record;
    int err = inode_get(volume, number, &directory);

    if (err)
        return err;
    record = inode_record(directory);
    walk.entries = malloc((BATCH_ENTRIES + 1) * sizeof(walk.entries[0]));
    if (!S_ISDIR(record.mode))
        err = -ENOTDIR;
    else if (!walk.entries)
        err = -ENOMEM;
    else if (visit_dots(&walk, cookie, record.parent))
        err = walk_entries(&walk, tfs_max_u64(cookie, COOKIE_DOT_DOT));
    free(walk.entries);
    inode_put(volume, directory);
    return err;
}
