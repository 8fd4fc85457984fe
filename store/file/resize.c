/*
 * Truncate, punch, zero, allocate.
 *
 * Removing a range works chunk by chunk on those that exist in memory or in the index: dirty bytes
 * in it are forgotten, the row shows them no more. Where a range begins or ends inside of a block,
 * that block's bytes are overwritten with zeros instead: rows work in whole blocks.
 *
 * The gate is closed meanwhile: no read, write or flush of this file is in progress. Buffers for
 * the zeros are taken before it is closed.
 */
#include "store/file/resize.h"

#include "store/base/error.h"
#include "store/file/allocate.h"
#include "store/file/file.h"
#include "store/inode/chunk_map.h"
#include "store/inode/data.h"
#include "store/inode/promise.h"
#include "store/read/memory.h"
#include "store/writeback/commit.h"

#include <assert.h>
#include <errno.h>
#include <linux/falloc.h>
#include <string.h>

enum { EDGE_BUFFERS = 2, LONG_RANGE_CHUNKS = 16 };

struct removal {
    struct tfs_volume *volume;
    struct tfs_inode *inode;
    uint64_t from; /* bytes of the file */
    uint64_t to;
    void *buffers[EDGE_BUFFERS]; /* for blocks that are cut */
    size_t buffer_count;
};

/* Overwrites [from, to) of one slot of the chunk with zeros, as a write would. */
static int zero_slot(struct removal *removal, struct tfs_chunk *chunk, uint32_t from, uint32_t to)
{
    uint32_t index = from / FRAME_BUFFER_SIZE;
    const struct chunk_slot *slot = chunk_slot(chunk, index);
    int err = 0;

    from -= index * FRAME_BUFFER_SIZE;
    to -= index * FRAME_BUFFER_SIZE;
    if (slot->buffer && (from > slot->to || to < slot->from))
        err = chunk_fill_slot(removal->volume, chunk, index, NULL);
    if (err)
        return err;
    if (!slot->buffer) {
        assert(removal->buffer_count > 0);
        chunk_begin_slot(chunk, index, removal->buffers[--removal->buffer_count], from);
    }
    memset(slot->buffer + from, 0, to - from);
    chunk_show_slot(chunk, index, slot->from < from ? slot->from : from,
                    slot->to > to ? slot->to : to, slot->whole);
    tfs_mutex_lock(&chunk->inode->lock);
    chunk_mark_dirty_locked(removal->volume, chunk);
    tfs_mutex_unlock(&chunk->inode->lock);
    return 0;
}

/* Makes bytes [from, to) of the chunk, whole blocks, a hole in its row. */
static int hole_row(struct removal *removal, struct tfs_chunk *chunk, uint32_t from, uint32_t to)
{
    struct tfs_inode *inode = chunk->inode;
    struct extent hole = {.start = from, .visible_size = 0};
    struct tfs_row *row;
    int err;

    if (from >= to || !chunk_row(chunk))
        return 0;
    err = row_replace(chunk_row(chunk), &hole, to, &row);
    if (err)
        return err;
    tfs_mutex_lock(&inode->lock);
    chunk_set_row_locked(removal->volume, chunk, row);
    tfs_mutex_unlock(&inode->lock);
    return 0;
}

/* Forgets dirty bytes [from, to) of the chunk, a range of whole blocks; what a slot has around them
 * stays. */
static int forget_dirty(struct removal *removal, struct tfs_chunk *chunk, uint32_t from,
                        uint32_t to)
{
    int err = 0;

    for (uint32_t i = from / FRAME_BUFFER_SIZE; i * FRAME_BUFFER_SIZE < to && !err; i++) {
        const struct chunk_slot *slot = chunk_slot(chunk, i);
        uint32_t base = i * FRAME_BUFFER_SIZE;
        uint32_t cut_from = from > base ? from - base : 0;
        uint32_t cut_to = (uint32_t)tfs_min_u64(to - base, FRAME_BUFFER_SIZE);

        if (!slot->buffer)
            continue;
        /* Zeros also where nothing is dirty: a whole buffer shows its other bytes too. Write-back
         * stores them as a hole when nothing else is there. */
        memset(slot->buffer + cut_from, 0, cut_to - cut_from);
        if (slot->to <= cut_from || slot->from >= cut_to)
            continue;
        chunk_show_slot(chunk, i, slot->from < cut_from ? slot->from : cut_from,
                        slot->to > cut_to ? slot->to : cut_to, slot->whole);
    }
    return err;
}

/* A hole more would cost an extent more, and a row has a limit. Zeros are written instead: with
 * them the next write-back makes the chunk one piece again. */
static bool is_fragmented(const struct tfs_chunk *chunk)
{
    return chunk->inode->data->geometry.chunk_size == FRAME_BUFFER_SIZE &&
           row_is_fragmented(chunk_row(chunk), 0, FRAME_BUFFER_SIZE);
}

/* Removes [from, to) of one chunk. */
static int remove_in_chunk(struct removal *removal, struct tfs_chunk *chunk, uint32_t from,
                           uint32_t to)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    uint32_t block_size = geometry->block_size;
    uint32_t first = (uint32_t)tfs_align_up(from, block_size);
    uint32_t end = (uint32_t)tfs_align_down(to, block_size);
    int err = chunk_load_row(removal->volume, chunk);

    if (err)
        return err;
    if (first > end) /* inside of one block */
        return zero_slot(removal, chunk, from, to);
    if (to - from < geometry->chunk_size && is_fragmented(chunk))
        return zero_slot(removal, chunk, from, to);
    if (from < first)
        err = zero_slot(removal, chunk, from, first);
    if (!err && end < to)
        err = zero_slot(removal, chunk, end, to);
    if (!err && first < end)
        err = forget_dirty(removal, chunk, first, end);
    return err ? err : hole_row(removal, chunk, first, end);
}

/* The part of the removal that falls into chunk `index`; nothing when the chunk is all hole. */
static int remove_chunk(struct removal *removal, uint64_t index)
{
    struct tfs_inode *inode = removal->inode;
    uint32_t chunk_size = inode->data->geometry.chunk_size;
    uint64_t base = index * chunk_size;
    struct tfs_chunk *chunk;
    int err;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_get_locked(inode, index);
    tfs_mutex_unlock(&inode->lock);
    if (!chunk)
        return -ENOMEM;
    err =
        remove_in_chunk(removal, chunk, (uint32_t)(removal->from > base ? removal->from - base : 0),
                        (uint32_t)tfs_min_u64(removal->to - base, chunk_size));
    tfs_mutex_lock(&inode->lock);
    chunk_put_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    return err;
}

/* Everything in [from, to) reads as zeros afterwards. The gate is closed. */
static int remove_range(struct removal *removal)
{
    uint32_t chunk_size = removal->inode->data->geometry.chunk_size;
    uint64_t index = removal->from / chunk_size;
    int err = 0;

    while (removal->from < removal->to && !err) {
        err = chunk_next(removal->volume, removal->inode, index, &index);
        if (err || index > (removal->to - 1) / chunk_size)
            return err;
        err = remove_chunk(removal, index);
        index++;
    }
    return err;
}

/* Takes the buffers, closes the gate. */
static int removal_begin(struct removal *removal)
{
    int err = memory_take_dirty(removal->volume->memory, EDGE_BUFFERS, removal->buffers);

    if (err)
        return err;
    removal->buffer_count = EDGE_BUFFERS;
    data_enter_exclusive(removal->inode);
    return 0;
}

static void removal_end(struct removal *removal)
{
    data_leave_exclusive(removal->inode);
    memory_give_dirty(removal->volume->memory, removal->buffer_count, removal->buffers);
}

/* The chunk in which a cut ends, and the row that it will have. All that can fail comes first. */
struct edge {
    struct tfs_chunk *chunk; /* NULL: the cut ends between two chunks */
    struct tfs_row *row;     /* clipped */
    uint32_t size;           /* what stays of the chunk */
};

static int edge_begin(struct removal *removal, uint64_t size, struct edge *ret)
{
    struct tfs_inode *inode = removal->inode;
    const struct row_geometry *geometry = &inode->data->geometry;
    struct edge edge = {.size = (uint32_t)(size % geometry->chunk_size)};
    int err;

    *ret = edge;
    if (edge.size == 0)
        return 0;
    tfs_mutex_lock(&inode->lock);
    edge.chunk = chunk_get_locked(inode, size / geometry->chunk_size);
    tfs_mutex_unlock(&inode->lock);
    if (!edge.chunk)
        return -ENOMEM;
    err = chunk_load_row(removal->volume, edge.chunk);
    if (!err)
        err = row_clip(chunk_row(edge.chunk), edge.size, &edge.row);
    if (!err) {
        *ret = edge;
        return 0;
    }
    tfs_mutex_lock(&inode->lock);
    chunk_put_locked(edge.chunk);
    tfs_mutex_unlock(&inode->lock);
    return err;
}

static void edge_cut_locked(struct removal *removal, struct edge *edge)
{
    if (!edge->chunk)
        return;
    chunk_discard_locked(removal->volume, edge->chunk, edge->size);
    if (chunk_row(edge->chunk))
        chunk_set_row_locked(removal->volume, edge->chunk, edge->row);
    chunk_put_locked(edge->chunk);
}

static void set_size_locked(struct removal *removal, uint64_t size)
{
    struct tfs_data *data = removal->inode->data;

    data->written_end = tfs_min_u64(data->written_end, size);
    data->index_end = tfs_min_u64(data->index_end, size);
    promise_cut_locked(data, size);
    data->size = size;
    data_touch_locked(removal->volume, removal->inode);
}

/* The size, and the end of the one chunk in which it lies. What is behind that is not touched: see
 * cut.h. */
static int cut(struct removal *removal, uint64_t size)
{
    struct tfs_inode *inode = removal->inode;
    uint64_t chunk_size = inode->data->geometry.chunk_size;
    uint64_t first = (size + chunk_size - 1) / chunk_size;
    bool has_rows = first * chunk_size < inode_record(inode).size;
    uint64_t stored = has_rows ? cut_measure(removal->volume, inode, first) : 0;
    struct edge edge;
    int err = edge_begin(removal, size, &edge);

    if (err)
        return err;
    tfs_mutex_lock(&inode->lock);
    edge_cut_locked(removal, &edge);
    chunk_drop_locked(removal->volume, inode, first, UINT64_MAX);
    if (has_rows)
        cut_note_locked(inode, first, stored);
    tfs_mutex_unlock(&inode->lock);
    return 0;
}

static int resize(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size)
{
    struct removal removal = {.volume = volume, .inode = inode};
    int err = size < inode->data->size ? cut(&removal, size) : 0;

    if (err)
        return err;
    if (size <= inode->data->size) /* else what was allocated behind the end becomes part of it */
        allocate_cut(volume, inode, size);
    tfs_mutex_lock(&inode->lock);
    set_size_locked(&removal, size);
    lost_forget_locked(inode, size, UINT64_MAX);
    tfs_mutex_unlock(&inode->lock);
    return 0;
}

int resize_cut(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size)
{
    assert(inode->data->exclusive && size <= inode->data->size);
    return resize(volume, inode, size);
}

int resize_truncate(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size)
{
    int err;

    if (!inode->data)
        return S_ISDIR(inode->type) ? -EISDIR : -EINVAL;
    if (size > TFS_FILE_SIZE_MAX)
        return -EFBIG;
    data_enter_exclusive(inode);
    err = resize(volume, inode, size);
    data_leave_exclusive(inode);
    return err;
}

static int grow_to(struct removal *removal, uint64_t size)
{
    tfs_mutex_lock(&removal->inode->lock);
    if (size > removal->inode->data->size)
        set_size_locked(removal, size);
    tfs_mutex_unlock(&removal->inode->lock);
    return 0;
}

/* Removes what lies in the range; behind the end of the file there is nothing to remove. */
static int punch(struct removal *removal, int mode)
{
    uint64_t wanted = removal->to;
    int err;

    removal->to = tfs_min_u64(removal->to, removal->inode->data->size);
    if (removal->from < removal->to) {
        err = remove_range(removal);
        if (err)
            return err;
    }
    allocate_punch(removal->volume, removal->inode, removal->from, wanted);
    tfs_mutex_lock(&removal->inode->lock);
    lost_forget_locked(removal->inode, removal->from, removal->to);
    data_touch_locked(removal->volume, removal->inode);
    tfs_mutex_unlock(&removal->inode->lock);
    return mode & FALLOC_FL_KEEP_SIZE ? 0 : grow_to(removal, wanted);
}

/* The gate is open while room is looked for: others may have to be waited for. */
static int allocate(struct removal *removal, int mode)
{
    int err = allocate_range(removal->volume, removal->inode, removal->from, removal->to);

    if (err || mode & FALLOC_FL_KEEP_SIZE)
        return err;
    data_enter_exclusive(removal->inode);
    err = grow_to(removal, removal->to);
    data_leave_exclusive(removal->inode);
    return err;
}

/*
 * Whole chunks of a long range lose their rows in the index at once, some at a time: to keep for
 * each a chunk in memory that says it is a hole takes too long, and too much. The gate is open in
 * between, and a crash finds a part of it punched, as one between two calls would.
 */
static int punch_whole_chunks(struct removal *removal)
{
    struct tfs_inode *inode = removal->inode;
    uint64_t chunk_size = inode->data->geometry.chunk_size;
    uint64_t at = (removal->from + chunk_size - 1) / chunk_size;
    uint64_t end = removal->to / chunk_size;
    int err = 0;

    if (end < at + LONG_RANGE_CHUNKS)
        return 0;
    while (at < end && !err) {
        data_enter_exclusive(inode);
        err = cut_remove(removal->volume, inode, at, end, &at);
        tfs_mutex_lock(&inode->lock);
        data_touch_locked(removal->volume, inode);
        tfs_mutex_unlock(&inode->lock);
        data_leave_exclusive(inode);
    }
    return err;
}

static int remove_data(struct removal *removal, int mode)
{
    int err = punch_whole_chunks(removal);

    if (!err)
        err = removal_begin(removal);
    if (err)
        return err;
    err = punch(removal, mode);
    removal_end(removal);
    return err;
}

int tfs_file_fallocate(struct tfs_file *file, int mode, uint64_t offset, uint64_t size)
{
    struct removal removal = {.volume = file->volume, .inode = file->inode, .from = offset};
    int err = volume_check_writable(file->volume);

    if (!err && (size == 0 || !file->writable))
        err = size == 0 ? -EINVAL : -EBADF;
    if (!err && (tfs_add_overflows(offset, size, &removal.to) || removal.to > TFS_FILE_SIZE_MAX))
        err = -EFBIG;
    if (err)
        return err;
    switch (mode) {
    case 0:
    case FALLOC_FL_KEEP_SIZE:
        return allocate(&removal, mode);
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_ZERO_RANGE:
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
        return remove_data(&removal, mode);
    default:
        return -EOPNOTSUPP;
    }
}
