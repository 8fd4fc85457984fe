/*
 * The volume's parts, for the modules of the store.
 *
 * The order of locks is the enum in base/lock.h. Beyond the order of ranks: `metadata` is held
 * across index calls (every change of the index is made under it, one at a time, so that each batch
 * is built on the state that the one before it left); no other lock is.
 */
#ifndef TFS_VOLUME_H
#define TFS_VOLUME_H

#include "store/base/lock.h"
#include "store/inode/complaint.h"
#include "store/inode/dirty_list.h"
#include "store/inode/path.h"
#include "store/inode/trim.h"
#include "store/stats.h"
#include "store/store.h"

#include <errno.h>

struct index_batch;
struct tfs_cache;
struct tfs_commit;
struct tfs_commit_list;
struct tfs_committer;
struct tfs_compactor;
struct tfs_dead_list;
struct tfs_flush;
struct tfs_format_lock;
struct tfs_frames;
struct tfs_index;
struct tfs_inode;
struct tfs_inode_table;
struct tfs_memory;
struct tfs_dentry_cache;
struct tfs_numbers;
struct tfs_reclaim;
struct tfs_row_cache;
struct tfs_segments;
struct tfs_refcounts;
struct tfs_workers;

struct tfs_volume {
    struct tfs_volume_options options; /* immutable; of noatime the first value */
    _Atomic bool noatime;              /* relaxed: who opens a file meanwhile has either */
    char *path;                        /* immutable */
    uint8_t uuid[16];                  /* immutable */
    uint64_t name_hash_seed;           /* immutable */

    struct tfs_mutex metadata; /* rank TFS_RANK_NAMESPACE: every change of the index */

    uint64_t allocated; /* the setting of this name in the index; guarded by metadata */

    /* Of the change in progress, empty when one begins; guarded by metadata. */
    struct index_batch *batch;

    /* Changes of names and records so far: counted with metadata held, behind the commit. Whoever
     * read it (acquire), then a name, and then took metadata, knows from the same number that the
     * name is still as it was read. */
    _Atomic uint64_t namespace_changes;

    struct tfs_format_lock *lock_file;
    struct tfs_index *index;
    struct tfs_segments *segments;
    struct tfs_numbers *numbers;     /* inode and segment numbers not used before */
    struct tfs_refcounts *refcounts; /* live bytes by segment, users by shared frame */
    struct tfs_memory *memory;
    struct tfs_cache *cache;
    struct tfs_frames *frames;
    struct dirty_list dirty;
    /* Encode and decode; begun and ended by flush. Urgent jobs are write-back, idle ones all else.
     */
    struct tfs_workers *workers;
    struct tfs_flush *flush;
    struct tfs_commit_list *commit_list;
    struct tfs_commit *commit;
    struct tfs_committer *committer;
    struct tfs_dead_list *dead;
    struct tfs_reclaim *reclaim;
    struct tfs_compactor *compactor;
    /* give_back_space(), which is above all who need room. Immutable. */
    bool (*give_back)(struct tfs_volume *volume, struct tfs_inode *writer);
    struct tfs_inode_table *inodes;
    struct tfs_dentry_cache *dentries;
    struct tfs_row_cache *rows;
    struct tfs_stats stats;
    _Atomic uint64_t row_bytes; /* of rows that are not committed, relaxed: see row_budget.h */
    struct complaints complaints;
    struct trim trim;
    struct path_searches path_searches;
    /* When space was last waited for without success, 0: never; namespace_changes when that began,
     * and stats.reclaimed_bytes when it ended. Relaxed: torn values cost a wait more or less. */
    _Atomic uint64_t vain_wait_ns;
    _Atomic uint64_t vain_wait_changes;
    _Atomic uint64_t vain_wait_reclaimed;
    atomic_bool scrubbing; /* one scrub at a time: it has one place in the store */
};

/* -EROFS on a read-only volume, else 0. */
static inline int volume_check_writable(const struct tfs_volume *volume)
{
    return volume->options.read_only ? -EROFS : 0;
}

/* Whether reads move access times, of files that are opened from now on. */
static inline bool volume_is_noatime(const struct tfs_volume *volume)
{
    return atomic_load_explicit(&volume->noatime, memory_order_relaxed);
}

#endif
