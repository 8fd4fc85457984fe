/*
 * Inodes in memory: one object for each inode that the kernel knows, that is open, or that has
 * something to commit.
 *
 * Three kinds of holds keep the object: lookups (counted by tfs_forget), opens, and pins (an
 * operation in progress, or a place on the list of inodes to commit). When all are gone the object
 * goes too; if the inode has no name left, but still something in the index, it is handed to
 * reclaim first.
 */
#ifndef TFS_INODE_H
#define TFS_INODE_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/tables/meta.h"

struct tfs_data;
struct tfs_inode_table;
struct tfs_volume;

struct tfs_inode {
    struct tfs_mutex lock; /* rank TFS_RANK_INODE */
    uint64_t number;       /* immutable */
    uint32_t type;         /* S_IFMT bits of its mode; immutable */

    /*
     * What the index has, or will have with the next commit. Whoever changes it holds
     * volume->metadata and lock, except for times, which a write or read changes with lock alone;
     * whoever reads it holds one of the two. record.size is the committed size; the size that
     * programs see is data->size where there is data.
     */
    struct meta_inode record;
    bool erased;            /* guarded likewise: the index has nothing of it, see namespace.c */
    int64_t entry_count;    /* of a directory made by this mount, else -1: not known; guarded by
                               volume->metadata */
    int64_t xattr_names;    /* bytes of the list of its attributes' names, or -1: not known;
                               guarded by volume->metadata, as the next */
    uint64_t xattr_changes; /* of that list */
    char *target;           /* of a symlink, terminated; immutable */
    struct tfs_data *data;  /* of a regular file; immutable, NULL for other types */

    struct list pending_node; /* on volume->commit_list; guarded by its lock, as the next */
    bool pending;

    struct tfs_inode *next; /* in its bucket; guarded by the table's lock, as all below */
    struct list known_node; /* on table->known while there are lookups */
    uint64_t lookups;
    uint64_t named_in; /* the directory of the last lookup, where it may still be; 0: unknown */
    uint32_t opens;
    uint32_t pins;
};

/* bytes_max: how much memory inodes may take before the kernel is to forget some. Errors: -ENOMEM.
 */
TFS_MUST_CHECK int inode_table_new(uint64_t bytes_max, struct tfs_inode_table **ret);
void inode_table_free(struct tfs_inode_table *table); /* accepts NULL; drops whatever is left */

/* Pin the inode, loading it when needed. Errors: -ESTALE (no such inode), -EIO, -EUCLEAN. */
TFS_MUST_CHECK int inode_get(struct tfs_volume *volume, uint64_t number, struct tfs_inode **ret);
void inode_put(struct tfs_volume *volume, struct tfs_inode *inode); /* accepts NULL */

/* One more pin of an inode that the caller holds already. */
void inode_pin(struct tfs_volume *volume, struct tfs_inode *inode);

/* Add an inode that is about to be made; pinned for the caller. Nobody can look for it yet: its
 * number is new, and not in the index. `target` may be NULL. Errors: -ENOMEM. */
TFS_MUST_CHECK int inode_add(struct tfs_volume *volume, uint64_t number,
                             const struct meta_inode *record, const char *target,
                             struct tfs_inode **ret);

/* The kernel got it, as an entry of the directory `parent`. */
void inode_lookup_added(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t parent);
void inode_forget(struct tfs_volume *volume, uint64_t number, uint64_t count);
void inode_opened(struct tfs_volume *volume, struct tfs_inode *inode);

/* Returns true when that was the last open. The caller still has a pin. */
bool inode_closed(struct tfs_volume *volume, struct tfs_inode *inode);

bool inode_is_open(struct tfs_volume *volume, struct tfs_inode *inode);

/* Where it was looked up last: see named_in. */
uint64_t inode_named_in(struct tfs_volume *volume, struct tfs_inode *inode);

/* What programs see. Takes the inode's lock. */
void inode_attr(struct tfs_inode *inode, struct tfs_attr *ret);

/* The record as it is now. Takes the inode's lock. */
struct meta_inode inode_record(struct tfs_inode *inode);

/* At the end of a mount: forget every lookup, so that what has no name is purged. Nothing is open
 * or in use any more. */
void inode_table_drop_all(struct tfs_volume *volume);

struct inode_table_status {
    uint64_t count;
    uint64_t bytes; /* of the objects */
    uint64_t bytes_max;
};
void inode_table_get_status(struct tfs_volume *volume, struct inode_table_status *ret);

#endif
