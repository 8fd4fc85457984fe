/*
 * The room that fallocate keeps. Invariants, of all files together:
 *
 * 1. segments_keep() has the sum of now.room of the files in memory, and of the records of all
 *    others.
 * 2. now.room + lent of a file and its rows are committed together: after a crash the room fits
 *    what is then still to be stored.
 *
 * How much room a range needs, and when it is given back, says allocate.c.
 */
#include "store/inode/allocation.h"

#include "store/inode/data.h"
#include "store/segment/segment.h"
#include "store/volume.h"

#include <errno.h>

uint64_t allocation_lend(struct tfs_inode *inode, uint64_t from, uint64_t to, uint64_t size)
{
    struct allocation *allocation = &inode->data->allocation;
    uint64_t lent = 0;

    tfs_mutex_lock(&inode->lock);
    if (from < allocation->now.to && to > allocation->now.from) {
        lent = tfs_min_u64(size, allocation->now.room);
        allocation->now.room -= lent;
        allocation->lent += lent;
        allocation->settled = false;
    }
    tfs_mutex_unlock(&inode->lock);
    return lent;
}

/* What was lent comes back: as room, if the range is still there. Returns how much of it. */
static uint64_t take_back_locked(struct tfs_inode *inode, uint64_t size)
{
    struct allocation *allocation = &inode->data->allocation;

    allocation->lent -= size;
    if (allocation->now.to == 0)
        return 0;
    allocation->now.room += size;
    return size;
}

void allocation_return(struct tfs_inode *inode, uint64_t lent)
{
    if (lent == 0)
        return;
    tfs_mutex_lock(&inode->lock);
    (void)take_back_locked(inode, lent); /* all of it: inside the gate no range goes */
    tfs_mutex_unlock(&inode->lock);
}

void allocation_unreserve(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size,
                          uint64_t lent)
{
    tfs_mutex_lock(&inode->lock);
    segments_unreserve_kept(volume->segments, size, take_back_locked(inode, lent));
    tfs_mutex_unlock(&inode->lock);
}

static void unreserve_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, uint64_t size)
{
    uint64_t lent = tfs_min_u64(size, chunk->lent_size);

    segments_unreserve_kept(volume->segments, size, take_back_locked(chunk->inode, lent));
    chunk->reserved_size -= size;
    chunk->lent_size -= lent;
}

bool allocation_has_lent(struct tfs_inode *inode)
{
    bool lent;

    tfs_mutex_lock(&inode->lock);
    lent = inode->data->allocation.lent > 0;
    tfs_mutex_unlock(&inode->lock);
    return lent;
}

/* As far as write-back may widen the dirty bytes of a slot: to whole blocks, where there is no row
 * that small frames could be merged with, or that is in too many pieces and made one again. */
static uint64_t widened_size(const struct tfs_chunk *chunk, const struct chunk_slot *slot)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    uint64_t from = tfs_align_down(slot->from, geometry->block_size);

    if (!chunk->row)
        return slot->to - from;
    if (row_unit(geometry) < geometry->block_size ||
        row_is_fragmented(chunk->row, 0, FRAME_BUFFER_SIZE))
        return FRAME_BUFFER_SIZE;
    return tfs_align_up(slot->to, geometry->block_size) - from;
}

/* More than this the chunk's next flush does not append. */
static uint64_t most_needed(const struct tfs_chunk *chunk)
{
    uint64_t most = ALLOCATION_ROUNDING_SIZE; /* the longest table */

    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (chunk->slots[i].buffer)
            most += widened_size(chunk, &chunk->slots[i]) + 2ull * SEGMENT_ALIGNMENT;
    }
    return most;
}

void allocation_chunk_reserved_locked(struct tfs_volume *volume, struct tfs_chunk *chunk,
                                      uint64_t size, uint64_t lent)
{
    uint64_t most = most_needed(chunk);

    chunk->reserved_size += size;
    chunk->lent_size += lent;
    if (chunk->reserved_size > most)
        unreserve_locked(volume, chunk, chunk->reserved_size - most);
}

void allocation_chunk_unreserve_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    unreserve_locked(volume, chunk, chunk->reserved_size);
}

void allocation_stored_locked(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                              uint64_t to, int64_t delta)
{
    struct allocation *allocation = &inode->data->allocation;
    struct meta_allocation *now = &allocation->now;
    uint64_t used;

    if (from >= now->to || to <= now->from || delta == 0)
        return;
    allocation->settled = false;
    if (delta < 0) {
        now->room += (uint64_t)-delta;
        segments_keep_again(volume->segments, (uint64_t)-delta);
        return;
    }
    used = tfs_min_u64(now->room, (uint64_t)delta);
    now->room -= used;
    segments_unkeep(volume->segments, used);
}

bool allocation_is_to_settle(struct tfs_inode *inode)
{
    const struct allocation *allocation = &inode->data->allocation;
    bool is_to_settle;

    tfs_mutex_lock(&inode->lock);
    is_to_settle = allocation->now.to > 0 && !allocation->settled;
    tfs_mutex_unlock(&inode->lock);
    return is_to_settle;
}

struct meta_allocation allocation_to_commit_locked(const struct tfs_data *data)
{
    struct meta_allocation commit = data->allocation.now;

    if (commit.to > 0)
        commit.room = tfs_min_u64(commit.room + data->allocation.lent, META_ROOM_MAX);
    return commit;
}

bool allocation_is_committed_locked(const struct tfs_inode *inode)
{
    struct meta_allocation commit = allocation_to_commit_locked(inode->data);
    const struct meta_allocation *committed = &inode->record.allocation;

    return commit.from == committed->from && commit.to == committed->to &&
           commit.room == committed->room;
}

void allocation_forget(struct tfs_volume *volume, struct tfs_inode *inode)
{
    segments_unkeep(volume->segments, inode->data->allocation.now.room);
    segments_keep_again(volume->segments, inode->record.allocation.room);
}
