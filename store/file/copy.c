/*
 * copy_file_range: whole chunks are shared, everything else is copied.
 *
 * Sharing works on what the index has: both files are committed first, then, with the target's gate
 * closed, the source's rows are written for the target in one batch with the counts of their
 * frames. Chunks that have changed again in between are copied instead.
 */
#include "store/base/error.h"
#include "store/file/file.h"
#include "store/inode/chunk_row.h"
#include "store/inode/commit_list.h"
#include "store/inode/data.h"
#include "store/inode/namespace.h"
#include "store/tables/row_table.h"
#include "store/txn/refcounts.h"
#include "store/txn/txn.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SHARED_CHUNKS_MAX = 256, COPIED_SIZE_MAX = 16 << 20 };

struct sharing {
    struct tfs_volume *volume;
    const struct tfs_copy *copy;
    uint64_t size; /* of the start of it that is shared */
    struct tfs_inode *source;
    struct tfs_inode *target;
    uint64_t source_chunk;
    uint64_t target_chunk;
    uint64_t chunk_count;
    uint64_t target_end; /* byte behind the last one that is shared */
};

/*
 * In the order of inode numbers, so that two copies in opposite directions cannot wait for each
 * other. With the target's gate closed a resize that waits for the source is not let go
 * first: the writers it waits for may be waiting for write-back or a commit of the target.
 */
static void enter_both(struct tfs_inode *source, struct tfs_inode *target)
{
    if (source->number < target->number)
        data_enter(source);
    data_enter_exclusive(target);
    if (source->number > target->number)
        data_enter_flush(source);
}

static void leave_both(struct tfs_inode *source, struct tfs_inode *target)
{
    data_leave_exclusive(target);
    if (source != target)
        data_leave(source);
}

struct changed_range {
    uint64_t first;
    uint64_t end;
    bool changed;
};

static void look_for_change(struct tfs_chunk *chunk, void *context)
{
    struct changed_range *range = context;

    if (chunk->index >= range->first && chunk->index < range->end &&
        (chunk_is_dirty(chunk) || !chunk_row_is_committed_locked(chunk)))
        range->changed = true;
}

static bool is_committed(struct tfs_inode *inode, uint64_t first, uint64_t count)
{
    struct changed_range range = {.first = first, .end = first + count};
    bool same_size;

    tfs_mutex_lock(&inode->lock);
    chunk_visit_locked(inode, look_for_change, &range);
    same_size = inode->record.size == inode->data->size &&
                inode->record.size == inode->data->index_end && !inode->data->in_commit;
    /* Nor may it come to lie over rows that were cut off and are still there. */
    same_size = same_size && range.end <= inode->data->cut.first;
    tfs_mutex_unlock(&inode->lock);
    return same_size && !range.changed;
}

/* The target's row becomes a copy of the source's; every frame in it gets one more user. */
static int share_row(struct sharing *sharing, uint64_t i, struct index_batch *batch,
                     struct refcounts_change *change, int64_t *stored_delta)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    tfs_cleanup(row_unref_p) struct tfs_row *before = NULL;
    const struct row_cache_key key = {.inode = sharing->target->number,
                                      .index = sharing->target_chunk + i};
    int err = chunk_read_row(sharing->volume, sharing->source, sharing->source_chunk + i, &row);

    if (!err)
        err = chunk_read_row(sharing->volume, sharing->target, sharing->target_chunk + i, &before);
    if (err)
        return err;
    *stored_delta += row_stored_size(row) - row_stored_size(before);
    for (uint32_t e = 0; row && e < row->extent_count; e++) {
        const struct frame_ref *frame = &row->extents[e].frame;

        if (frame->segment && row_shows_first(row, e) && !row_has_frame(before, frame))
            refcounts_share(change, frame);
    }
    for (uint32_t e = 0; before && e < before->extent_count; e++) {
        const struct frame_ref *frame = &before->extents[e].frame;

        if (frame->segment && row_shows_first(before, e) && !row_has_frame(row, frame))
            refcounts_drop(change, frame);
    }
    return row_table_put(batch, &key, &sharing->target->data->geometry, row);
}

static void forget_row(struct tfs_chunk *chunk, void *context)
{
    struct changed_range *range = context;

    if (chunk->index >= range->first && chunk->index < range->end)
        chunk_row_forget_locked(chunk);
}

/* The target's state in memory after the batch. */
static void take_over(struct sharing *sharing, const struct meta_inode *record)
{
    struct changed_range range = {.first = sharing->target_chunk,
                                  .end = sharing->target_chunk + sharing->chunk_count};
    struct tfs_inode *target = sharing->target;

    tfs_mutex_lock(&target->lock);
    allocation_stored_locked(sharing->volume, target, sharing->copy->target_offset,
                             sharing->target_end,
                             (int64_t)(record->stored_bytes - target->record.stored_bytes));
    target->record.size = record->size;
    target->record.stored_bytes = record->stored_bytes;
    target->data->size = record->size;
    target->data->base_size = record->size;
    target->data->index_end = record->size;
    target->data->written_end = tfs_max_u64(target->data->written_end, sharing->target_end);
    chunk_visit_locked(target, forget_row, &range);
    if (!allocation_is_committed_locked(target))
        commit_list_note(sharing->volume, target);
    tfs_mutex_unlock(&target->lock);
}

static int commit_sharing(struct sharing *sharing, struct namespace_change *change,
                          struct refcounts_change *refcounts)
    TFS_REQUIRES(&sharing->volume->metadata)
{
    struct meta_inode *record = namespace_record(change, sharing->target);
    int64_t stored_delta = 0;
    int err = 0;

    for (uint64_t i = 0; i < sharing->chunk_count && !err; i++)
        err = share_row(sharing, i, change->batch, refcounts, &stored_delta);
    if (!err)
        err = refcounts_finish(refcounts, change->batch);
    if (err)
        return err;
    record->size = tfs_max_u64(record->size, sharing->target_end);
    record->stored_bytes += (uint64_t)stored_delta;
    record->mtime = change->now;
    record->ctime = change->now;
    err = namespace_commit(change);
    if (err)
        return err;
    txn_committed(sharing->volume, refcounts);
    take_over(sharing, record);
    return 0;
}

static int share_locked(struct sharing *sharing) TFS_REQUIRES(&sharing->volume->metadata)
{
    struct namespace_change change;
    struct refcounts_change counts;
    int err;

    namespace_begin(sharing->volume, &change);
    refcounts_begin(sharing->volume->refcounts, &counts);
    err = commit_sharing(sharing, &change, &counts);
    refcounts_end(&counts);
    return err;
}

/*
 * How many bytes from the start of both ranges are whole chunks on both sides. A last, partial
 * chunk counts as whole when the source ends in it and the target has nothing behind it.
 */
static uint64_t shareable_size(const struct tfs_copy *copy, uint64_t source_size,
                               uint64_t target_size)
{
    const struct tfs_data *source = copy->source->inode->data;
    const struct tfs_data *target = copy->target->inode->data;
    uint64_t chunk_size = source->geometry.chunk_size;
    uint64_t whole;

    if (source->geometry.chunk_size != target->geometry.chunk_size ||
        source->geometry.block_size != target->geometry.block_size ||
        copy->source_offset % chunk_size || copy->target_offset % chunk_size)
        return 0;
    if (copy->source_offset + copy->size == source_size &&
        copy->target_offset + copy->size >= target_size)
        whole = copy->size;
    else
        whole = tfs_align_down(copy->size, chunk_size);
    return tfs_min_u64(whole, SHARED_CHUNKS_MAX * chunk_size);
}

static uint64_t size_of(struct tfs_inode *inode)
{
    uint64_t size;

    tfs_mutex_lock(&inode->lock);
    size = inode->data->size;
    tfs_mutex_unlock(&inode->lock);
    return size;
}

/*
 * Whether it was committed as it was when `size` was decided: somebody else may have written, grown
 * or cut a file since. With volume->metadata held no commit changes the rows, and with the gates
 * entered neither file is cut.
 */
static bool is_as_decided(const struct sharing *sharing) TFS_REQUIRES(&sharing->volume->metadata)
{
    const struct tfs_copy *copy = sharing->copy;
    uint64_t source_size;

    if (!is_committed(sharing->source, sharing->source_chunk, sharing->chunk_count) ||
        !is_committed(sharing->target, sharing->target_chunk, sharing->chunk_count))
        return false;
    source_size = size_of(sharing->source);
    return copy->source_offset + copy->size <= source_size &&
           shareable_size(copy, source_size, size_of(sharing->target)) == sharing->size;
}

/* -EAGAIN: something has changed since it was committed. */
static int share(struct sharing *sharing)
{
    int err = -EAGAIN;

    enter_both(sharing->source, sharing->target);
    tfs_mutex_lock(&sharing->volume->metadata);
    if (is_as_decided(sharing))
        err = share_locked(sharing);
    tfs_mutex_unlock(&sharing->volume->metadata);
    leave_both(sharing->source, sharing->target);
    return err;
}

static bool has_cut_rows(struct tfs_inode *inode)
{
    bool has;

    tfs_mutex_lock(&inode->lock);
    has = inode->data->cut.first < UINT64_MAX;
    tfs_mutex_unlock(&inode->lock);
    return has;
}

/* Returns the bytes that were shared; 0 when this start of the range cannot be shared. */
static int64_t try_sharing(const struct tfs_copy *copy)
{
    struct tfs_volume *volume = copy->source->volume;
    struct sharing sharing = {.volume = volume,
                              .copy = copy,
                              .source = copy->source->inode,
                              .target = copy->target->inode};
    uint64_t chunk_size = sharing.source->data->geometry.chunk_size;
    uint64_t size = shareable_size(copy, size_of(sharing.source), size_of(sharing.target));
    int err;

    if (size == 0)
        return 0;
    err = commit_inode(volume, sharing.source, COMMIT_ORDERED);
    if (!err)
        err = commit_inode(volume, sharing.target, COMMIT_ORDERED);
    if (!err && has_cut_rows(sharing.target))
        err = cut_purge(volume, sharing.target->number);
    if (err)
        return err;
    sharing.size = size;
    sharing.source_chunk = copy->source_offset / chunk_size;
    sharing.target_chunk = copy->target_offset / chunk_size;
    sharing.chunk_count = (size + chunk_size - 1) / chunk_size;
    sharing.target_end = copy->target_offset + size;
    err = share(&sharing);
    if (err == -EAGAIN)
        return 0;
    return err ? err : (int64_t)size;
}

/* The source's bytes in memory of our own: who waits for room to write must not hold what others
 * need to read. */
static int64_t read_copy(const struct tfs_copy *copy, uint64_t done, size_t size, uint8_t *buffer)
{
    struct tfs_read read;
    size_t at = 0;
    int err = tfs_file_read(copy->source, copy->source_offset + done, size, &read);

    if (err)
        return err;
    for (int i = 0; i < read.piece_count; i++) {
        memcpy(buffer + at, read.pieces[i].iov_base, read.pieces[i].iov_len);
        at += read.pieces[i].iov_len;
    }
    tfs_read_release(&read);
    return (int64_t)at;
}

static int64_t copy_part(const struct tfs_copy *copy, uint64_t done, size_t size, uint8_t *buffer)
{
    int64_t got = read_copy(copy, done, size, buffer);

    if (got <= 0)
        return got;
    return tfs_file_write(copy->target, copy->target_offset + done, buffer, (size_t)got, 0);
}

static int64_t copy_range(const struct tfs_copy *copy)
{
    uint64_t size = tfs_min_u64(copy->size, COPIED_SIZE_MAX);
    uint8_t *buffer = malloc(TFS_READ_SIZE_MAX);
    uint64_t done = 0;
    int64_t part = buffer ? 1 : -ENOMEM;

    while (done < size && part > 0) {
        part = copy_part(copy, done, (size_t)tfs_min_u64(size - done, TFS_READ_SIZE_MAX), buffer);
        if (part > 0)
            done += (uint64_t)part;
    }
    free(buffer);
    return done ? (int64_t)done : part;
}

int64_t tfs_file_copy(const struct tfs_copy *copy)
{
    struct tfs_copy clipped = *copy;
    uint64_t source_size = size_of(copy->source->inode);
    uint64_t target_end;
    int64_t shared;
    int err = volume_check_writable(copy->source->volume);

    if (!err && !copy->target->writable)
        err = -EBADF;
    if (!err && (tfs_add_overflows(copy->target_offset, copy->size, &target_end) ||
                 target_end > TFS_FILE_SIZE_MAX))
        err = -EFBIG;
    if (err || copy->source_offset >= source_size)
        return err;
    clipped.size = tfs_min_u64(copy->size, source_size - copy->source_offset);
    if (copy->source->inode == copy->target->inode &&
        copy->source_offset < copy->target_offset + clipped.size &&
        copy->target_offset < copy->source_offset + clipped.size)
        return -EINVAL;
    shared = try_sharing(&clipped);
    return shared ? shared : copy_range(&clipped);
}
