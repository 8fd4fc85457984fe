/*
 * Names looked for lately: which inode each stands for, or that the directory has no such name.
 *
 * The kernel asks for a name before it makes, renames or removes it, so what an operation on names
 * needs to know has mostly just been read from the index or written to it. Here it is found with a
 * tenth of the instructions of a query, or less.
 *
 * Who holds volume->metadata finds what the index has, since every change tells its names here
 * before it gives that lock up. Others find what it has or had a moment ago, as with the index.
 *
 * Threads: any. Takes a lock of rank LEAF.
 */
#ifndef TFS_DENTRY_CACHE_H
#define TFS_DENTRY_CACHE_H

#include "store/tables/meta.h"

struct tfs_dentry_cache;

struct dentry_cache_key {
    uint64_t parent;
    uint64_t hash;    /* of the name, see namespace_hash() */
    const char *name; /* borrowed */
};

enum dentry_cache_answer { DENTRY_UNKNOWN, DENTRY_ABSENT, DENTRY_PRESENT };

/* bytes_max: of the whole table, touched at once. Errors: -ENOMEM. */
TFS_MUST_CHECK int dentry_cache_new(uint64_t bytes_max, struct tfs_dentry_cache **ret);
void dentry_cache_free(struct tfs_dentry_cache *cache); /* accepts NULL */

/*
 * *ret is set when the name is present, *ret_changes when it is unknown: who then asks the index
 * gives it to dentry_cache_learn().
 */
enum dentry_cache_answer dentry_cache_find(struct tfs_dentry_cache *cache,
                                           const struct dentry_cache_key *key,
                                           struct meta_dentry *ret, uint64_t *ret_changes);

/*
 * Keep what the index said of the name; entry is NULL when it has none. It is not kept when
 * anything changed since dentry_cache_find() counted `changes`: the index may have been asked
 * before.
 */
void dentry_cache_learn(struct tfs_dentry_cache *cache, const struct dentry_cache_key *key,
                        const struct meta_dentry *entry, uint64_t changes);

/* Names that a change wrote to the index, inode 0 for those that it took away. Called with
 * volume->metadata held, behind the commit. */
struct dentry_cache_change {
    struct dentry_cache_key key;
    struct meta_dentry entry;
};
void dentry_cache_apply(struct tfs_dentry_cache *cache, const struct dentry_cache_change *changes,
                        size_t count);

/* How many questions were answered here, and how many were not. */
void dentry_cache_get_counts(struct tfs_dentry_cache *cache, uint64_t *ret_hits,
                             uint64_t *ret_misses);

#endif
