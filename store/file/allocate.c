/*
 * How much room a range needs: its holes' bytes and some for what frames need beside them. It is
 * enough for storing each record once, in any order and in some pieces. It is not where every small
 * piece of a record is synced by itself, and a frame keeps the place of what later ones show; nor
 * where blocks of 4 KiB and less are written back one by one; nor for overwriting what is stored:
 * that takes room until the old data's is given back.
 */
#include "store/file/allocate.h"

#include "store/file/file.h"
#include "store/file/reservation.h"
#include "store/inode/commit_list.h"
#include "store/inode/data.h"
#include "store/segment/segment.h"
#include "store/tables/format.h"
#include "store/volume.h"

enum {
    LARGE_BLOCK_SIZE = 64 * 1024,
    /* A frame of one block of 256 KiB takes up to three pages more; the rest is for blocks that are
     * written back in two parts, at a sync. */
    LARGE_BLOCK_PART = 16,
    SMALL_BLOCK_PART = 8,
};

static uint64_t room_for(const struct row_geometry *geometry, uint64_t size)
{
    uint64_t part = geometry->block_size >= LARGE_BLOCK_SIZE ? LARGE_BLOCK_PART : SMALL_BLOCK_PART;

    return size ? size + size / part + ALLOCATION_ROUNDING_SIZE : 0;
}

/* Bytes of [from, to) that neither a row nor a dirty buffer has. The gate is entered or closed. */
static int count_holes(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                       uint64_t to, uint64_t *ret)
{
    uint64_t count = 0;

    while (from < to) {
        int64_t data = file_seek(volume, inode, from, to, true);
        int64_t hole = data < 0 ? data : file_seek(volume, inode, (uint64_t)data, to, false);

        if (hole < 0)
            return (int)hole;
        count += (uint64_t)data - from;
        from = (uint64_t)hole;
    }
    *ret = count;
    return 0;
}

/* The same of the parts of [from, to) that lie outside of `range`. */
static int count_holes_outside(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                               uint64_t to, const struct meta_allocation *range, uint64_t *ret)
{
    uint64_t before;
    uint64_t behind;
    int err;

    if (range->to <= from || to <= range->from)
        return count_holes(volume, inode, from, to, ret);
    err = count_holes(volume, inode, from, range->from, &before);
    if (!err)
        err = count_holes(volume, inode, range->to, to, &behind);
    if (!err)
        *ret = before + behind;
    return err;
}

static struct meta_allocation range_of(struct tfs_inode *inode)
{
    struct meta_allocation range;

    tfs_mutex_lock(&inode->lock);
    range = inode->data->allocation.now;
    tfs_mutex_unlock(&inode->lock);
    return range;
}

/*
 * How much more room the file needs to be sure of [from, to). What it has may be meant for other
 * parts of its range; but of a range that was allocated before nothing more is needed.
 */
static int count_needed(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                        uint64_t to, uint64_t *ret)
{
    const struct row_geometry *geometry = &inode->data->geometry;
    struct meta_allocation range = range_of(inode);
    uint64_t all;
    uint64_t outside;
    uint64_t wanted;
    int err = count_holes(volume, inode, from, to, &all);

    if (!err)
        err = count_holes_outside(volume, inode, from, to, &range, &outside);
    if (err)
        return err;
    wanted = tfs_max_u64(range.room + room_for(geometry, outside), room_for(geometry, all));
    *ret = wanted - range.room;
    return 0;
}

static void extend(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to,
                   uint64_t room)
{
    struct allocation *allocation = &inode->data->allocation;
    struct meta_allocation *now = &allocation->now;

    tfs_mutex_lock(&inode->lock);
    now->from = now->to ? tfs_min_u64(now->from, from) : from;
    now->to = tfs_max_u64(now->to, to);
    now->room += room;
    allocation->settled = false;
    commit_list_note(volume, inode);
    tfs_mutex_unlock(&inode->lock);
}

int allocate_range(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to)
{
    uint64_t needed;
    int err;

    data_enter(inode);
    err = count_needed(volume, inode, from, to, &needed);
    if (!err && needed > 0)
        err = format_use_feature(volume->lock_file, FORMAT_FEATURE_ALLOCATION);
    if (!err)
        err = reservation_keep(volume, inode, needed);
    if (!err && (needed > 0 || range_of(inode).to > 0))
        extend(volume, inode, from, to, needed);
    data_leave(inode);
    return err;
}

static void drop_locked(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct meta_allocation *now = &inode->data->allocation.now;

    segments_unkeep(volume->segments, now->room);
    *now = (struct meta_allocation){0};
    commit_list_note(volume, inode);
}

/* Gives back what is more than the holes of the range outside of `punched` need. */
static void trim(struct tfs_volume *volume, struct tfs_inode *inode,
                 const struct meta_allocation *punched)
{
    struct allocation *allocation = &inode->data->allocation;
    struct meta_allocation range = range_of(inode);
    uint64_t holes = 0;
    uint64_t room;

    if (count_holes_outside(volume, inode, range.from, range.to, punched, &holes) < 0)
        return; /* a row that cannot be read: room that is kept too long does no harm */
    room = room_for(&inode->data->geometry, holes);
    tfs_mutex_lock(&inode->lock);
    if (allocation->now.room > room) {
        segments_unkeep(volume->segments, allocation->now.room - room);
        allocation->now.room = room;
        commit_list_note(volume, inode);
    }
    allocation->settled = allocation->lent == 0;
    if (allocation->settled && allocation->now.room == 0)
        drop_locked(volume, inode);
    tfs_mutex_unlock(&inode->lock);
}

/* The range becomes [from, to), a part of what it was. */
static void shrink(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to)
{
    struct meta_allocation *now = &inode->data->allocation.now;

    tfs_mutex_lock(&inode->lock);
    if (from < to) {
        now->from = from;
        now->to = to;
    } else {
        drop_locked(volume, inode);
    }
    tfs_mutex_unlock(&inode->lock);
}

void allocate_cut(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size)
{
    struct meta_allocation range = range_of(inode);

    if (range.to <= size)
        return;
    shrink(volume, inode, range.from, size);
    if (range.from < size)
        trim(volume, inode, &(struct meta_allocation){0});
}

void allocate_punch(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to)
{
    struct meta_allocation range = range_of(inode);
    struct meta_allocation punched = {.from = from, .to = to};

    if (from >= range.to || to <= range.from)
        return;
    if (from <= range.from)
        range.from = to;
    else if (to >= range.to)
        range.to = from;
    shrink(volume, inode, range.from, range.to);
    if (range.from < range.to)
        trim(volume, inode, &punched);
}

void allocate_settle(struct tfs_volume *volume, struct tfs_inode *inode)
{
    if (allocation_is_to_settle(inode))
        trim(volume, inode, &(struct meta_allocation){0});
}

void allocate_drop(struct tfs_volume *volume, struct tfs_inode *inode)
{
    tfs_mutex_lock(&inode->lock);
    if (inode->data->allocation.now.to > 0)
        drop_locked(volume, inode);
    tfs_mutex_unlock(&inode->lock);
}
