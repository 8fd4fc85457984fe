/*
 * The inodes that have open handles: whose pages the kernel may keep, and which size it was told.
 *
 * 1. Handles through the page cache and handles past it are never open at a time. Who comes second
 *    takes the way that is in use.
 * 2. Who opens past the cache has the kernel drop all pages. What page faults and splice(2) bring
 *    beside direct handles is dropped with each write, and before the next cached handle.
 * 3. Who stores through a mapping while a change past the cache is under way does not bring back
 *    the other bytes of the page: the change has claimed them.
 * 4. The kernel is told no size that a change has made which it was not answered yet, and a size
 *    that it may not have taken over yet only when it has been made to (ll_cache.c). Between both,
 *    nobody finds a size with nothing behind it, and the kernel never cuts pages for our word.
 *
 *   cached <--- enter, the first ---- nobody ---- enter, the first ---> direct
 *      |                              ^    ^                               |
 *      +------ leave, the last -------+    +-- leave, the last: drops -----+
 *
 * It is exact, not a hint: bytes hang on it. docs/decisions/who-caches-what.md has the reasons.
 */
#ifndef TFS_FS_OPEN_INODE_H
#define TFS_FS_OPEN_INODE_H

#include "fs/notifier.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/store.h"

#include <stdatomic.h>

enum { OPEN_INODES_BUCKET_COUNT = 4096 };

/* How long an opener waits for another way than the one that is in use: a RELEASE is on its way
 * when close(2) has returned. */
enum { OPEN_INODE_PATIENCE_MS = 1 };

struct open_inode {
    struct list node;          /* in its bucket; guarded by the table's lock */
    uint64_t number;           /* immutable */
    unsigned user_count;       /* guarded by the table's lock; handles and tasks */
    unsigned cached_count;     /* likewise; handles through the page cache */
    unsigned direct_count;     /* likewise; handles past it */
    unsigned reader_count;     /* likewise; handles that may read or map */
    bool is_changed;           /* likewise; by direct handles that have left */
    bool must_drop;            /* likewise; before a cached handle is answered */
    atomic_bool has_pages;     /* the kernel may have pages that are read; seq_cst */
    struct notifier_task drop; /* in the notifier's queue while must_drop */
    void *drop_context;        /* of the task */

    struct tfs_mutex claim_lock; /* rank TFS_RANK_FS_LOOP */
    struct tfs_cond written_back;
    struct list claims;        /* guarded by claim_lock */
    unsigned write_back_count; /* guarded by claim_lock; of pages, under way */

    struct tfs_mutex size_lock; /* rank TFS_RANK_FS_LOOP; below are its */
    struct tfs_cond size_told;  /* is_telling fell */
    uint64_t size_answered;     /* with all changes that were answered; while change_count > 0 */
    uint64_t size_known;        /* the kernel has at least this */
    unsigned change_count;      /* under way: not answered yet */
    unsigned cut_count;         /* of them, those that may make it smaller */
    unsigned cuts_ever;
    bool is_telling; /* the kernel is being told to grow it */
};

struct open_inodes {
    struct tfs_mutex lock;                         /* rank TFS_RANK_FS_LOOP */
    struct tfs_cond left;                          /* a handle has left */
    unsigned waiting_count;                        /* guarded by lock; openers who wait for that */
    struct tfs_volume *volume;                     /* immutable; outlives this */
    struct list buckets[OPEN_INODES_BUCKET_COUNT]; /* guarded by lock */
};

void open_inodes_init(struct open_inodes *table, struct tfs_volume *volume);
void open_inodes_release(struct open_inodes *table); /* all have been put */

/* The inode's record, made when there is none, or NULL: no memory. open_inode_put(). */
struct open_inode *open_inodes_get(struct open_inodes *table, uint64_t number);

/* Likewise, or NULL: nobody has the inode open. */
struct open_inode *open_inodes_find(struct open_inodes *table, uint64_t number);
void open_inode_put(struct open_inodes *table, struct open_inode *inode);

/* ---- who caches ---- */

/* What a handle is for. */
struct open_use {
    bool is_direct; /* past the page cache: as wished, and after entering as it is */
    bool writes;
    bool reads; /* or maps */
};

/* Decides use->is_direct. Waits a moment for who is just leaving. */
void open_inode_enter(struct open_inodes *table, struct open_inode *inode, struct open_use *use);

/* Returns true when the caller has to have the inode's pages dropped: open_inode_dropped(). */
TFS_MUST_CHECK bool open_inode_leave(struct open_inodes *table, struct open_inode *inode,
                                     const struct open_use *use, bool is_written);

/* Pages have to be dropped before a cached handle is answered. On the notifier's thread, or to
 * learn whether to go there. */
bool open_inode_must_drop(struct open_inodes *table, struct open_inode *inode);
void open_inode_dropped(struct open_inodes *table, struct open_inode *inode);

/* A request of the page cache's own: it has pages of the file, or will have. Before the data are
 * read. */
static inline void open_inode_note_pages(struct open_inode *inode)
{
    /* Who wrote before looks for the flag after, and who reads sets it before: one of both sees the
     * other. */
    if (!atomic_load_explicit(&inode->has_pages, memory_order_relaxed))
        atomic_store_explicit(&inode->has_pages, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

/* After a write past the cache: whether a page may hold what was there before. */
static inline bool open_inode_has_pages(const struct open_inode *inode)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&inode->has_pages, memory_order_relaxed);
}

/* ---- stores into mappings beside other changes ---- */

/* Bytes that a change past the cache owns until it is answered: a page that is written back
 * meanwhile has old ones there. */
struct open_claim {
    struct list node; /* guarded by the inode's claim_lock */
    uint64_t offset;
    uint64_t end;
};

/* Waits for pages that are being written back. */
void open_inode_claim(struct open_inode *inode, struct open_claim *claim);
void open_inode_claim_move(struct open_inode *inode, struct open_claim *from,
                           struct open_claim *to);
void open_inode_unclaim(struct open_inode *inode, struct open_claim *claim);

void open_inode_write_back_begin(struct open_inode *inode);
void open_inode_write_back_end(struct open_inode *inode);

/* The next bytes before `end` that nobody claims: moves *offset to them and returns where they end;
 * with *offset == end there are none. Only between begin and end. */
uint64_t open_inode_unclaimed(struct open_inode *inode, uint64_t *offset, uint64_t end);

/* ---- sizes ---- */

/*
 * Around every change that may move the size, the end right before the answer. Returns the size
 * before.
 */
uint64_t open_inode_change_begin(struct open_inodes *table, struct open_inode *inode);

/* Of a change that makes it smaller, after its beginning. */
void open_inode_cut_begin(struct open_inode *inode);

enum open_change {
    OPEN_CHANGE_WRITTEN, /* up to `end`, or nothing: 0 */
    OPEN_CHANGE_GROWN,   /* the kernel has to find the old size: it cuts pages by it */
    OPEN_CHANGE_CUT,
};
void open_inode_change_end(struct open_inodes *table, struct open_inode *inode,
                           enum open_change change, uint64_t end);

/* What is to be told. The store is asked here, with the lock that no change passes: a size from
 * before a cut, told to the kernel after it, would undo the cut. */
struct open_size {
    uint64_t size;
    unsigned cuts_ever;
    bool is_known; /* the kernel has it, or nobody can tell the difference */
};
struct open_size open_inode_size_to_tell(struct open_inodes *table, struct open_inode *inode);

/* Returns false when there is nothing to be told any more. Else open_inode_tell_end(). */
TFS_MUST_CHECK bool open_inode_tell_begin(struct open_inode *inode, const struct open_size *size);
void open_inode_tell_end(struct open_inode *inode, const struct open_size *size);

#endif
