/*
 * A volume behind store/store.h that keeps everything in memory: what the mount costs by itself. It
 * is the filesystem that bench/compare puts beside tensorfs for metadata, and the store of fs'
 * tests.
 *
 * It is complete as far as the kernel can see, but makes no promise of durability, knows no budget,
 * inherits no ACLs, and a read may see a part of a write that races with it.
 */
#ifndef TFS_BENCH_MEMSTORE_H
#define TFS_BENCH_MEMSTORE_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/store.h"

#include <stdatomic.h>

enum {
    MEM_BLOCK_SIZE = 256 * 1024,
    MEM_BUCKET_COUNT = 1 << 18, /* of names; a power of two */
};

/* 256 KiB of a file. Freed blocks are kept: memory that is touched for the first time is slow. */
struct mem_block {
    struct list node; /* in volume->free_blocks */
    atomic_uint refs; /* the file's, and one for each read under way */
    char data[MEM_BLOCK_SIZE];
};

struct mem_xattr {
    struct list node;
    char *name;
    void *value;
    size_t size;
};

struct mem_entry {
    struct mem_entry *next; /* in the bucket */
    uint64_t parent;
    struct mem_inode *inode;
    uint64_t cookie; /* of the entry: its place in the directory */
    char name[];
};

struct mem_inode {
    struct tfs_attr attr;  /* guarded by volume->lock; size and times also by data_lock */
    uint64_t lookup_count; /* guarded by volume->lock, as all up to data_lock */
    uint64_t open_count;
    uint64_t parent;            /* of a directory */
    struct mem_entry **entries; /* of a directory, by cookie - 3; NULL: removed */
    size_t entry_count;
    size_t entry_capacity;
    size_t live_count;
    char *target;
    struct list xattrs;
    struct tfs_mutex data_lock; /* rank TFS_RANK_INODE */
    char *small;                /* guarded by data_lock: the data of a file up to one block */
    size_t small_capacity;
    struct mem_block **blocks; /* guarded by data_lock: of larger files; NULL: a hole */
    size_t block_capacity;
};

struct tfs_volume {
    struct tfs_mutex lock;     /* rank TFS_RANK_NAMESPACE */
    struct mem_inode **inodes; /* guarded by lock, by number */
    size_t inode_capacity;
    uint64_t inode_next;
    uint64_t inode_count;
    struct mem_entry *buckets[MEM_BUCKET_COUNT]; /* guarded by lock */
    struct tfs_mutex block_lock;                 /* rank TFS_RANK_POOL */
    struct list free_blocks;                     /* guarded by block_lock */
    atomic_ullong block_count;
};

struct tfs_file {
    struct tfs_volume *volume;
    struct mem_inode *inode;
};

/* With volume->lock held. NULL when there is none. */
struct mem_inode *memstore_inode_get(struct tfs_volume *volume, uint64_t number);

/* With volume->lock held. No name, no lookups yet; NULL: no memory. */
struct mem_inode *memstore_inode_new(struct tfs_volume *volume, const struct tfs_make *what);
void memstore_inode_free(struct tfs_volume *volume, struct mem_inode *inode);

/* With volume->lock held: free the inode when nothing refers to it. */
void memstore_inode_reap(struct tfs_volume *volume, struct mem_inode *inode);

/* Whoever holds data_lock. Drops data from `size` on. */
void memstore_data_truncate(struct tfs_volume *volume, struct mem_inode *inode, uint64_t size);

void memstore_touch(struct mem_inode *inode, bool is_data);

/* setuid, and setgid where the group may execute, and capabilities. */
void memstore_drop_privileges(struct mem_inode *inode);

#endif
