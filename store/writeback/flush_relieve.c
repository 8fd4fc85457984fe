/*
 * Relief: what a writer that waits for memory does about it. It sends off the oldest dirty chunks;
 * where there are none for a while, the memory is held by bytes that are stuck, and some of those
 * are given up.
 */
#include "store/writeback/flush_internal.h"

#include "store/base/clock.h"
#include "store/inode/data.h"
#include "store/inode/dirty_list.h"
#include "store/volume.h"
#include "store/writeback/stuck.h"

enum {
    RELIEVE_CHUNKS = 8,      /* how many chunks one writer sends off at a time */
    STUCK_PATIENCE_MS = 100, /* so long writers wait for other memory before stuck bytes go */
};

/* A dirty chunk by name: it may be written back and gone before somebody looks at it again. */
struct chunk_name {
    struct tfs_inode *inode; /* pinned */
    uint64_t index;
};

/* Takes the oldest chunks off the list of dirty ones; returns how many. With *ret_stuck they are
 * stuck ones: nothing else has made room for a while. */
static unsigned take_oldest_locked(struct tfs_flush *flush, struct chunk_name *ret, bool *ret_stuck)
    TFS_REQUIRES(&flush->list->lock)
{
    unsigned count = 0;
    struct tfs_chunk *chunk;

    *ret_stuck = false;
    if (flush->in_flight > 0 || !list_is_empty(&flush->list->chunks)) {
        flush->vain_from_ns = 0;
    } else if (flush->vain_from_ns == 0) {
        flush->vain_from_ns = tfs_clock_ns();
    } else if (tfs_clock_ns() - flush->vain_from_ns >= STUCK_PATIENCE_MS * TFS_NS_PER_MS) {
        *ret_stuck = true;
    }
    while (count < RELIEVE_CHUNKS &&
           (chunk = dirty_list_take_oldest_locked(flush->list, *ret_stuck))) {
        ret[count++] = (struct chunk_name){chunk->inode, chunk->index};
        inode_pin(flush->volume, chunk->inode); /* alive: an inode with dirty chunks is pinned */
    }
    return count;
}

/* Sends it off; of a stuck one what is stuck is given up before, if that can be. */
static void relieve_by_name(struct tfs_flush *flush, const struct chunk_name *name, bool stuck)
{
    struct tfs_inode *inode = name->inode;
    struct tfs_chunk *chunk;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_find_locked(inode, name->index);
    tfs_mutex_unlock(&inode->lock);
    if (chunk) {
        if (stuck)
            stuck_relieve(flush->volume, chunk);
        tfs_mutex_lock(&inode->lock);
        flush_submit_locked(flush, chunk);
        chunk_put_locked(chunk);
        tfs_mutex_unlock(&inode->lock);
    }
    inode_put(flush->volume, inode);
}

int flush_relieve(struct tfs_flush *flush)
{
    struct chunk_name names[RELIEVE_CHUNKS];
    unsigned count = 0;
    bool stuck = false;
    int err;

    tfs_mutex_lock(&flush->list->lock);
    err = flush->in_flight == 0 ? flush->failing : 0;
    if (err)
        flush->failing = 0; /* one writer is told; the next tries again */
    else
        count = take_oldest_locked(flush, names, &stuck);
    tfs_mutex_unlock(&flush->list->lock);
    for (unsigned i = 0; i < count; i++)
        relieve_by_name(flush, &names[i], stuck);
    return err;
}
