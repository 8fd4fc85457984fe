/*
 * What the operations on names share: looking up entries, building batches of records, checking
 * names.
 *
 * Every change is made like this: pin the inodes, take volume->metadata, check, build one batch,
 * commit it, change the objects in memory, give the lock up, drop the pins. What is in memory
 * changes only after the index has it.
 */
#ifndef TFS_NAMESPACE_H
#define TFS_NAMESPACE_H

#include "store/inode/dentry_cache.h"
#include "store/inode/inode.h"
#include "store/volume.h"

/* Errors: -ENOENT (empty name), -ENAMETOOLONG, -EINVAL (a slash). */
TFS_MUST_CHECK int namespace_check_name(const char *name);

/* Pin a directory that still has a name. Errors: -ESTALE, -ENOTDIR, -ENOENT (removed). */
TFS_MUST_CHECK int namespace_get_directory(struct tfs_volume *volume, uint64_t number,
                                           struct tfs_inode **ret);

/* The entry `name` of the directory. Errors: -ENOENT. */
TFS_MUST_CHECK int namespace_find(struct tfs_volume *volume, uint64_t parent, const char *name,
                                  struct meta_dentry *ret);

/* Whether the directory has no entries. Returns 1 or 0. Used with volume->metadata held. */
TFS_MUST_CHECK int namespace_is_empty(struct tfs_volume *volume, struct tfs_inode *directory);

/* Where the entry stands in the directory's order. */
uint64_t namespace_hash(const struct tfs_volume *volume, const char *name);
uint64_t namespace_hash_seeded(uint64_t seed, const char *name); /* the volume's name_hash_seed */

/*
 * One change of the namespace: the batch, and the records that go with it. The records are
 * committed with the batch and taken over into the objects after it. Used with volume->metadata
 * held.
 */
enum { NAMESPACE_INODES_MAX = 4, NAMESPACE_ENTRIES_MAX = 2 };

struct namespace_inode {
    struct tfs_inode *inode;
    struct meta_inode before;
    struct meta_inode record;
    int entries; /* that a directory has more, or less */
};

struct namespace_change {
    struct tfs_volume *volume;
    struct index_batch *batch; /* the volume's */
    struct timespec now;
    struct namespace_inode inodes[NAMESPACE_INODES_MAX];
    int inode_count;
    struct dentry_cache_change entries[NAMESPACE_ENTRIES_MAX];
    int entry_count;
};

/* Ends by being committed, or by nothing at all. */
void namespace_begin(struct tfs_volume *volume, struct namespace_change *change);

/* The record of an inode as it will be after the change, to be modified by the caller. The same
 * inode gives the same record. */
struct meta_inode *namespace_record(struct namespace_change *change, struct tfs_inode *inode);

/* The directory gets or loses (or keeps, 0) as many entries: its times are `now`. */
struct meta_inode *namespace_touch_directory(struct namespace_change *change,
                                             struct tfs_inode *directory, int entries);

/* The name stays the caller's until the change is committed. */
void namespace_put_entry(struct namespace_change *change, uint64_t parent, const char *name,
                         const struct meta_dentry *entry);
void namespace_delete_entry(struct namespace_change *change, uint64_t parent, const char *name);

/* The name must be free: -EEXIST, now or by the commit. */
TFS_MUST_CHECK int namespace_require_free(struct namespace_change *change, uint64_t parent,
                                          const char *name);

/* A new inode's record, or an orphan row. */
void namespace_put_inode(struct namespace_change *change, uint64_t number,
                         const struct meta_inode *record, const char *target);
void namespace_put_orphan(struct namespace_change *change, uint64_t number);
void namespace_delete_orphan(struct namespace_change *change, uint64_t number);

/* One name less: at the last one the inode becomes an orphan, or is erased when the index has
 * nothing but its record. A directory loses all of its links. */
void namespace_unlink_inode(struct namespace_change *change, struct tfs_inode *inode);

/* Commit the batch and take the records over. */
TFS_MUST_CHECK int namespace_commit(struct namespace_change *change);

#endif
