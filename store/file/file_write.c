/*
 * Writing: bytes go into the buffers of their chunks; a chunk that is complete goes to the workers
 * at once.
 *
 * A request takes all its buffers before it holds a chunk, so that writers that wait for memory
 * hold nothing that write-back could need.
 */
#include "store/base/error.h"
#include "store/file/file.h"
#include "store/file/reservation.h"
#include "store/inode/allocation.h"
#include "store/inode/data.h"
#include "store/inode/row_budget.h"
#include "store/read/memory.h"
#include "store/segment/segment.h"
#include "store/txn/durable.h"
#include "store/writeback/commit.h"
#include "store/writeback/flush.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A part of a request is at most this long, so that it needs few buffers at once. */
enum { WRITE_PART_MAX = 1 << 20, WRITE_BUFFERS_MAX = WRITE_PART_MAX / FRAME_BUFFER_SIZE + 1 };

/* For the tables of a part's frames and what fills their last pages. */
enum { ROOM_FOR_HEADERS = (4 + 2 * WRITE_BUFFERS_MAX) * SEGMENT_ALIGNMENT };

/* The buffers that a part has taken and not used yet, and what of its room on the disk the file's
 * allocation has lent. */
struct spare_buffers {
    void *buffers[WRITE_BUFFERS_MAX];
    size_t count;
    uint64_t lent;
};

/* The part of a request that lies in one chunk. */
struct write_part {
    uint64_t index;
    uint32_t offset;
    uint32_t size;
    const uint8_t *bytes;
};

/* Puts bytes into one slot; completes it from the row when they do not continue what is dirty
 * there. */
static int write_slot(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t index,
                      const struct write_part *part, struct spare_buffers *spare)
{
    const struct chunk_slot *slot = chunk_slot(chunk, index);
    uint32_t from = part->offset % FRAME_BUFFER_SIZE;
    uint32_t to = from + part->size;
    int err = 0;

    if (!slot->buffer) {
        assert(spare->count > 0);
        chunk_begin_slot(chunk, index, spare->buffers[--spare->count], from);
    } else if (from > slot->to || to < slot->from) {
        err = chunk_fill_slot(volume, chunk, index, NULL);
    }
    if (err)
        return err;
    memcpy(slot->buffer + from, part->bytes, part->size);
    chunk_show_slot(chunk, index, slot->from < from ? slot->from : from,
                    slot->to > to ? slot->to : to, slot->whole);
    return 0;
}

/* The chunk is held alone. */
static int write_slots(struct tfs_volume *volume, struct tfs_chunk *chunk, struct write_part part,
                       struct spare_buffers *spare)
{
    uint32_t end = part.offset + part.size;
    int err = 0;

    while (part.offset < end && !err) {
        uint32_t skip = part.offset % FRAME_BUFFER_SIZE;

        part.size = (uint32_t)tfs_min_u64(end - part.offset, FRAME_BUFFER_SIZE - skip);
        err = write_slot(volume, chunk, part.offset / FRAME_BUFFER_SIZE, &part, spare);
        part.offset += part.size;
        part.bytes += part.size;
    }
    return err;
}

static bool has_dirty_slot(const struct tfs_chunk *chunk)
{
    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (chunk_slot(chunk, i)->buffer)
            return true;
    }
    return false;
}

/*
 * Room on the disk that a part may make its chunk's next flush need more: whole blocks are written
 * back, and of a chunk that is one buffer all of it may be. What that turns out to be too much is
 * given back when the bytes are in place.
 */
static uint64_t reservation_for(const struct row_geometry *geometry, const struct write_part *part)
{
    uint64_t unit =
        geometry->chunk_size == FRAME_BUFFER_SIZE ? FRAME_BUFFER_SIZE : geometry->block_size;
    uint64_t size =
        tfs_align_up(part->offset + part->size, unit) - tfs_align_down(part->offset, unit);

    return size + ROOM_FOR_HEADERS;
}

/* Files grow here and nowhere else, but for truncate and fallocate. */
static void note_written_locked(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t end)
{
    struct tfs_data *data = inode->data;

    if (end > data->size)
        data->size = end;
    if (end > data->written_end)
        data->written_end = end;
    data_touch_locked(volume, inode);
}

static int write_part(struct tfs_volume *volume, struct tfs_inode *inode,
                      const struct write_part *part, struct spare_buffers *spare)
{
    uint64_t end = part->index * inode->data->geometry.chunk_size + part->offset + part->size;
    struct tfs_chunk *chunk;
    bool complete = false;
    int err;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_get_locked(inode, part->index);
    if (chunk)
        chunk_hold_exclusive_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    if (!chunk)
        return -ENOMEM;

    err = chunk_load_row(volume, chunk);
    if (!err)
        err = write_slots(volume, chunk, *part, spare);

    tfs_mutex_lock(&inode->lock);
    if (has_dirty_slot(chunk)) /* also after an error: what came before it */
        chunk_mark_dirty_locked(volume, chunk);
    chunk_release_exclusive_locked(chunk);
    if (!err) {
        allocation_chunk_reserved_locked(
            volume, chunk, reservation_for(&inode->data->geometry, part), spare->lent);
        note_written_locked(volume, inode, end);
        lost_forget_locked(inode, end - part->size, end);
        complete = chunk_is_complete(chunk);
        if (complete)
            flush_submit_locked(volume->flush, chunk);
    }
    chunk_put_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    if (complete)
        flush_wait_turn(volume->flush);
    return err;
}

static int try_reserve(struct tfs_volume *volume, struct tfs_inode *inode,
                       const struct write_part *part, struct spare_buffers *spare)
{
    uint64_t at = part->index * inode->data->geometry.chunk_size + part->offset;
    uint64_t room = reservation_for(&inode->data->geometry, part);
    int err;

    spare->lent = allocation_lend(inode, at, at + part->size, room);
    err = reservation_take(volume, inode, room, spare->lent);
    if (err)
        allocation_return(inode, spare->lent);
    return err;
}

/* What is lent to dirty data may be more than that comes to: so the disk counts as full for a file
 * that was promised room only when all of it is written back. */
static int reserve(struct tfs_volume *volume, struct tfs_inode *inode,
                   const struct write_part *part, struct spare_buffers *spare)
{
    int err = try_reserve(volume, inode, part, spare);

    if (err != -ENOSPC || !allocation_has_lent(inode))
        return err;
    err = flush_inode(volume, inode);
    return err ? err : try_reserve(volume, inode, part, spare);
}

/* Room on the disk and buffers; not where nothing could be committed any more: who goes on writing
 * would fill the disk with what no row will ever show. */
static int take_room(struct tfs_volume *volume, struct tfs_inode *inode,
                     const struct write_part *part, struct spare_buffers *spare)
{
    size_t count =
        (part->offset + part->size - 1) / FRAME_BUFFER_SIZE - part->offset / FRAME_BUFFER_SIZE + 1;
    int err = durable_check(volume);

    if (!err)
        err = segments_health(volume->segments);
    if (!err)
        err = reserve(volume, inode, part, spare);
    if (err)
        return err;
    err = memory_take_dirty(volume->memory, count, spare->buffers);
    if (err) {
        allocation_unreserve(volume, inode, reservation_for(&inode->data->geometry, part),
                             spare->lent);
        return err;
    }
    spare->count = count;
    return 0;
}

static int write_with_room(struct tfs_volume *volume, struct tfs_inode *inode,
                           const struct write_part *part)
{
    struct spare_buffers spare;
    int err = row_budget_is_spent(volume, inode) ? commit_rows(volume, inode) : 0;

    if (!err)
        err = take_room(volume, inode, part, &spare);
    if (err)
        return err;
    err = write_part(volume, inode, part, &spare);
    if (err)
        allocation_unreserve(volume, inode, reservation_for(&inode->data->geometry, part),
                             spare.lent);
    memory_give_dirty(volume->memory, spare.count, spare.buffers);
    return err;
}

/* Returns how much was written; an error only when it was nothing. */
static int64_t write_parts(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                           const void *bytes, size_t size)
{
    uint32_t chunk_size = inode->data->geometry.chunk_size;
    size_t done = 0;

    while (done < size) {
        struct write_part part = {
            .index = (offset + done) / chunk_size,
            .offset = (uint32_t)((offset + done) % chunk_size),
            .bytes = (const uint8_t *)bytes + done,
        };
        uint64_t limit = tfs_min_u64(chunk_size - part.offset, WRITE_PART_MAX);
        int err;

        part.size = (uint32_t)tfs_min_u64(size - done, limit);
        err = write_with_room(volume, inode, &part);
        if (err)
            return done ? (int64_t)done : err;
        done += part.size;
    }
    return (int64_t)done;
}

/* An append takes the end of the file for itself: no other write comes between looking and writing.
 */
static int64_t append(struct tfs_volume *volume, struct tfs_inode *inode, const void *bytes,
                      size_t size)
{
    struct tfs_data *data = inode->data;
    uint64_t offset;
    int64_t result;

    tfs_mutex_lock(&inode->lock);
    while (data->appending)
        tfs_cond_wait(&data->changed, &inode->lock);
    data->appending = true;
    offset = data->size;
    tfs_mutex_unlock(&inode->lock);

    result = offset + size > TFS_FILE_SIZE_MAX ? -EFBIG
                                               : write_parts(volume, inode, offset, bytes, size);

    tfs_mutex_lock(&inode->lock);
    data->appending = false;
    tfs_cond_broadcast(&data->changed);
    tfs_mutex_unlock(&inode->lock);
    return result;
}

/* All of it, or an error: the kernel would not come again with the rest. */
static int64_t write_back(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                          const void *bytes, size_t size)
{
    size_t done = 0;
    int64_t part = 1;

    while (done < size && part > 0) {
        part =
            write_parts(volume, inode, offset + done, (const uint8_t *)bytes + done, size - done);
        if (part > 0)
            done += (size_t)part;
    }
    if (part < 0)
        lost_note(volume, inode, offset + done, offset + size, (int)part);
    return part < 0 ? part : (int64_t)size;
}

int64_t tfs_file_write(struct tfs_file *file, uint64_t offset, const void *bytes, size_t size,
                       unsigned flags)
{
    struct tfs_volume *volume = file->volume;
    struct tfs_inode *inode = file->inode;
    uint64_t end;
    int64_t result = volume_check_writable(volume);

    if (flags & TFS_WRITE_APPEND)
        offset = 0; /* the end is found when nobody else can move it */
    if (!result && !file->writable)
        result = -EBADF;
    if (!result && (tfs_add_overflows(offset, size, &end) || end > TFS_FILE_SIZE_MAX))
        result = -EFBIG;
    if (!result && !(flags & TFS_WRITE_BACK))
        result = file_take_error(file);
    if (!result && flags & TFS_WRITE_KILL_PRIVILEGES)
        result = file_kill_privileges(volume, inode);
    if (result || size == 0)
        return result;

    data_enter(inode);
    if (flags & TFS_WRITE_APPEND)
        result = append(volume, inode, bytes, size);
    else if (flags & TFS_WRITE_BACK)
        result = write_back(volume, inode, offset, bytes, size);
    else
        result = write_parts(volume, inode, offset, bytes, size);
    data_leave(inode);
    if (result > 0)
        tfs_counter_add(&volume->stats.written_bytes, (uint64_t)result);
    return result;
}
