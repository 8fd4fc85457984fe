/*
 * Snapshots. The committed size obeys two rules:
 *
 * 1. It is never below what was committed or promised, unless the file was cut since: base_size.
 *    All that was written by then is in rows. What was written later into a hole or over old data
 *    below it may be in no row yet; a crash shows the hole or the old data there, as the file had
 *    it when the promise was asked for.
 * 2. Behind that it covers no byte that was written and is not in a row that is committed with it:
 *    lost data must not read as zeros. So it is what programs see, cut where the first such byte
 *    is; and as long as nobody asked for the file's durability or closed it, it does not run ahead
 *    of what was written into space that truncate appended.
 */
#include "store/writeback/commit_image.h"

#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/inode/row_budget.h"
#include "store/tables/meta.h"
#include "store/tables/row_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Where the chunk's first byte is that was written, lies behind `promised`, and is in no row.
 * UINT64_MAX: nowhere. */
static uint64_t first_unflushed(const struct tfs_chunk *chunk, const struct row_geometry *geometry,
                                uint64_t promised)
{
    uint64_t base = chunk->index * geometry->chunk_size;
    uint64_t shown_end = tfs_max_u64(promised, base + row_end(chunk->row));

    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        const struct chunk_slot *slot = &chunk->slots[i];
        uint64_t from = base + (uint64_t)i * FRAME_BUFFER_SIZE + slot->from;
        uint64_t to = base + (uint64_t)i * FRAME_BUFFER_SIZE + slot->to;

        if (slot->buffer && to > shown_end)
            return tfs_max_u64(from, shown_end);
    }
    return UINT64_MAX;
}

/* What a crash may show of what was written or promised. */
static uint64_t image_size_locked(const struct tfs_data *data)
{
    uint64_t size = data_written_size_locked(data);
    struct list *node;

    if (size <= data->base_size)
        return size;
    list_for_each (node, &data->unflushed) {
        const struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        size = tfs_min_u64(size, first_unflushed(chunk, &data->geometry, data->base_size));
    }
    return size;
}

static bool has_new_frame(const struct tfs_row *row, const struct tfs_row *committed)
{
    for (uint32_t i = 0; row && i < row->extent_count; i++) {
        const struct frame_ref *frame = &row->extents[i].frame;

        if (frame->segment && !row_has_frame(committed, frame))
            return true;
    }
    return false;
}

static int clip(struct tfs_chunk *chunk, uint64_t size, struct tfs_row **ret)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    uint64_t base = chunk->index * geometry->chunk_size;

    if (base + row_end(chunk->row) <= size) {
        *ret = row_ref(chunk->row);
        return 0;
    }
    return row_clip(chunk->row, (uint32_t)(size > base ? size - base : 0), ret);
}

static void take_chunk(struct tfs_chunk *chunk, void *context)
{
    struct commit_image *image = context;
    struct commit_image_chunk *taken;
    struct tfs_row *row;

    if (!chunk->row_changed || image->error)
        return;
    if (image->chunk_count == image->chunk_capacity) {
        size_t capacity = image->chunk_capacity ? image->chunk_capacity * 2 : 16;
        struct commit_image_chunk *grown = realloc(image->chunks, capacity * sizeof(*grown));

        if (!grown) {
            image->error = -ENOMEM;
            return;
        }
        image->chunks = grown;
        image->chunk_capacity = capacity;
    }
    image->error = clip(chunk, image->size, &row);
    if (image->error)
        return;
    if (image->allocation.to > 0) /* what is not committed with it is still to be stored */
        image->allocation.room += (uint64_t)(row_disk_size(chunk->row) - row_disk_size(row));

    assert(!chunk->commits);
    chunk->users++;
    chunk->committing = row;
    chunk->commits = true;
    taken = &image->chunks[image->chunk_count++];
    *taken = (struct commit_image_chunk){.chunk = chunk, .source = row_ref(chunk->row), .row = row};
    if (has_new_frame(row, chunk->committed))
        image->appended = true;
}

/*
 * The order in which rows are committed when they need several batches: upwards from the row in
 * which the committed size ends, which a cut may have shortened, so that the size can follow; then
 * those before it, which it covers anyway.
 */
static uint64_t turn_of(const struct commit_image_chunk *taken, uint64_t first)
{
    return taken->chunk->index - first; /* wraps */
}

static int compare_turns(const void *a, const void *b, void *context)
{
    const uint64_t *first = context;
    uint64_t x = turn_of(a, *first);
    uint64_t y = turn_of(b, *first);

    return x < y ? -1 : x > y;
}

static void take_locked(struct tfs_inode *inode, struct commit_image *image)
    TFS_REQUIRES(&inode->lock)
{
    struct tfs_data *data = inode->data;

    data->in_commit = true;
    image->times_changed = data->times_changed;
    data->times_changed = false;
    image->size = image_size_locked(data);
    image->allocation = allocation_to_commit_locked(data);
    image->index_end = data->index_end;
    image->first_row = data->index_end / data->geometry.chunk_size;
    chunk_visit_locked(inode, take_chunk, image);
    image->put_size = image->size;
    if (image->chunk_count > 1)
        qsort_r(image->chunks, image->chunk_count, sizeof(image->chunks[0]), compare_turns,
                &image->first_row);
}

int commit_image_take(struct tfs_inode *inode, struct commit_image *ret)
{
    struct commit_image image = {.inode = inode};
    bool busy;

    tfs_mutex_lock(&inode->lock);
    /* Half of a resize must not be committed. */
    busy = inode->data && (inode->data->exclusive || inode->data->in_commit);
    if (!busy && inode->data)
        take_locked(inode, &image);
    tfs_mutex_unlock(&inode->lock);
    if (busy)
        return -EAGAIN;
    *ret = image;
    return image.error;
}

bool commit_image_is_empty(const struct commit_image *image)
{
    struct tfs_inode *inode = image->inode;
    bool empty;

    if (!inode->data)
        return false;
    tfs_mutex_lock(&inode->lock);
    empty = image->chunk_count == 0 && image->size == inode->record.size && !image->times_changed &&
            allocation_is_committed_locked(inode);
    tfs_mutex_unlock(&inode->lock);
    return empty;
}

/* Returns how many bytes it takes in the batch. */
static size_t put_row(struct commit_image *image, const struct commit_image_chunk *taken,
                      struct index_batch *batch, struct refcounts_change *change)
{
    const struct row_cache_key key = {.inode = image->inode->number, .index = taken->chunk->index};
    int err;

    refcounts_replace_row(change, taken->chunk->committed, taken->row);
    image->stored_delta += row_stored_size(taken->row) - row_stored_size(taken->chunk->committed);
    err = row_table_put(batch, &key, &image->inode->data->geometry, taken->row);
    if (err)
        change->error = err;
    return META_EXTENT_KEY_SIZE + (taken->row && !err ? row_encoded_size(taken->row) : 0);
}

static uint64_t add_signed(uint64_t value, int64_t delta)
{
    return delta < 0 && (uint64_t)-delta > value ? 0 : value + (uint64_t)delta;
}

/* Adds rows in their order, at least one if there is one; but none over a row that was cut off and
 * is still there. */
static void put_rows(struct commit_image *image, size_t bytes_max, struct index_batch *batch,
                     struct refcounts_change *change)
{
    size_t bytes = 0;

    image->put_count = image->applied_count;
    while (image->put_count < image->chunk_count && bytes < bytes_max) {
        const struct commit_image_chunk *next = &image->chunks[image->put_count];

        if (next->chunk->index >= image->cut.next)
            return;
        bytes += put_row(image, next, batch, change);
        image->put_count++;
    }
}

/* Removes rows that were cut off: the file may grow over them with this batch or the next. */
static void put_cut(struct commit_image *image, unsigned rows_max, struct index_batch *batch,
                    struct refcounts_change *change)
{
    struct tfs_inode *inode = image->inode;
    uint64_t first;
    int err;

    tfs_mutex_lock(&inode->lock);
    first = inode->data->cut.first;
    tfs_mutex_unlock(&inode->lock);
    image->cut = (struct cut_batch){.next = UINT64_MAX};
    image->has_cut = first < UINT64_MAX;
    if (!image->has_cut)
        return;
    err = cut_put(inode->data->volume, inode, first, rows_max, batch, change, &image->cut);
    change->error = change->error ? change->error : err;
    image->stored_delta = -image->cut.stored;
}

/* The size that this and the earlier batches allow: up to the first row that is missing, or was cut
 * off and is still there. */
static uint64_t size_of_put(const struct commit_image *image)
{
    uint64_t chunk_size = image->inode->data->geometry.chunk_size;
    uint64_t row = image->cut.next;

    if (image->put_count < image->chunk_count) {
        uint64_t missing = image->chunks[image->put_count].chunk->index;

        if (missing >= image->first_row)
            row = tfs_min_u64(row, missing);
    }
    if (row > TFS_FILE_SIZE_MAX / chunk_size)
        return image->size;
    return tfs_min_u64(image->size, tfs_max_u64(image->index_end, row * chunk_size));
}

void commit_image_put(struct commit_image *image, const struct commit_image_limit *limit,
                      struct index_batch *batch, struct refcounts_change *change)
{
    struct tfs_inode *inode = image->inode;
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t bytes[META_INODE_SIZE_MAX];
    struct meta_inode record;
    size_t size;

    image->stored_delta = 0;
    if (inode->data) {
        put_cut(image, limit->cut_rows, batch, change);
        put_rows(image, limit->row_bytes, batch, change);
        image->put_size = size_of_put(image);
    }

    tfs_mutex_lock(&inode->lock);
    record = inode->record;
    if (inode->data) {
        image->room_delta = (int64_t)(image->allocation.room - record.allocation.room);
        record.size = image->put_size;
        record.allocation = image->allocation;
    }
    tfs_mutex_unlock(&inode->lock);
    record.stored_bytes = add_signed(record.stored_bytes, image->stored_delta);
    record.version++;
    if (image->has_cut && !change->error)
        change->error = cut_put_flag(inode->data->volume, inode, &image->cut, &record, batch);
    meta_inode_key(inode->number, key);
    size = meta_inode_encode(&record, inode->target, bytes);
    index_batch_put(batch, INDEX_INODE, key, sizeof(key), bytes, size);
    if (record.nlink == 0 && inode->erased)                            /* else it has one */
        index_batch_put(batch, INDEX_ORPHAN, key, sizeof(key), "", 0); /* see namespace.c */
}

static void apply_chunk_locked(struct commit_image_chunk *taken)
{
    struct tfs_chunk *chunk = taken->chunk;

    chunk->commits = false;
    chunk->committing = NULL;
    row_unref(chunk->committed);
    chunk->committed = taken->row;
    if (chunk->row == taken->source && chunk->committed == taken->source)
        chunk->row_changed = false;
    row_budget_note_locked(chunk->inode->data->volume, chunk);
    row_unref(taken->source);
    chunk_put_locked(chunk);
}

/* The file's next commit, or a resize, may begin. */
static void leave_locked(struct tfs_inode *inode)
{
    inode->data->in_commit = false;
    tfs_cond_broadcast(&inode->data->changed);
}

static void drop_chunk_locked(struct tfs_volume *volume, struct commit_image_chunk *taken)
{
    chunk_commit_failed_locked(volume, taken->chunk);
    row_unref(taken->source);
    row_unref(taken->row);
    chunk_put_locked(taken->chunk);
}

bool commit_image_apply(struct commit_image *image)
{
    struct tfs_inode *inode = image->inode;
    struct tfs_data *data = inode->data;
    bool finished = image->put_count == image->chunk_count && image->put_size == image->size;

    tfs_mutex_lock(&inode->lock);
    inode->erased = false;
    inode->record.version++;
    inode->record.stored_bytes = add_signed(inode->record.stored_bytes, image->stored_delta);
    if (data) {
        inode->record.size = image->put_size;
        inode->record.allocation = image->allocation;
        data->index_end = image->put_size;
        if (image->has_cut)
            cut_apply_locked(inode, &image->cut);
        data->base_size = tfs_max_u64(data->base_size, image->put_size);
        for (size_t i = image->applied_count; i < image->put_count; i++)
            apply_chunk_locked(&image->chunks[i]);
        if (finished)
            leave_locked(inode);
    }
    tfs_mutex_unlock(&inode->lock);
    image->index_end = image->put_size;
    image->applied_count = image->put_count;
    if (finished)
        free(TAKE_PTR(image->chunks));
    return finished;
}

void commit_image_drop(struct tfs_volume *volume, struct commit_image *image)
{
    struct tfs_inode *inode = image->inode;

    tfs_mutex_lock(&inode->lock);
    for (size_t i = image->applied_count; i < image->chunk_count; i++)
        drop_chunk_locked(volume, &image->chunks[i]);
    if (inode->data) {
        if (image->times_changed)
            inode->data->times_changed = true;
        leave_locked(inode);
    }
    tfs_mutex_unlock(&inode->lock);
    free(TAKE_PTR(image->chunks));
    image->chunk_count = 0;
}
