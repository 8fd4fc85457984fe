/*
 * A file's data in memory: sizes and the gate. Invariants:
 *
 * 1. While `exclusive` is set, `active` is 0 and `in_commit` is not set: a resize sees no
 * read, write, flush or commit in progress.
 * 2. record.size <= what the chunks in the index and the holes between them give; data->size may be
 * more or less until the next commit.
 */
#include "store/inode/data.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/commit_list.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    /* st_blksize: what stdio and Python take as their buffer. A file that is written first gets as
     * much as one FUSE request carries, for each buffer is a request. */
    WRITE_UNIT = 1024 * 1024,
    /* One that has something gets a page, for loaders that read past the cache take it for their
     * alignment and would read small tensors as several units. Readers through the cache get large
     * requests by its read-ahead. */
    READ_UNIT = 4096,
};

struct row_geometry data_geometry(uint8_t chunk_size_log2)
{
    uint64_t chunk_size = 1ull << chunk_size_log2;

    return (struct row_geometry){
        .block_size = (uint32_t)tfs_min_u64(chunk_size, FRAME_BLOCK_SIZE_MAX),
        .chunk_size =
            (uint32_t)tfs_min_u64(tfs_max_u64(chunk_size, FRAME_BUFFER_SIZE), FRAME_RAW_SIZE_MAX),
    };
}

/* As the record says. */
static struct cut_rows cut_rows_of(const struct meta_inode *record, uint32_t chunk_size)
{
    if (!(record->flags & META_INODE_HAS_CUT_ROWS))
        return (struct cut_rows){.first = UINT64_MAX};
    return (struct cut_rows){.first = cut_row_behind(record->size, chunk_size),
                             .stored = record->size == 0 ? record->stored_bytes : 0};
}

int data_new(struct tfs_volume *volume, struct tfs_inode *inode, struct tfs_data **ret)
{
    struct tfs_data *data = calloc(1, sizeof(*data));

    if (!data)
        return -ENOMEM;
    data->volume = volume;
    data->inode = inode;
    data->compression = inode->record.compression;
    data->geometry = data_geometry(inode->record.chunk_size_log2);
    data->size = inode->record.size;
    data->base_size = inode->record.size;
    data->index_end = inode->record.size;
    data->cut = cut_rows_of(&inode->record, data->geometry.chunk_size);
    data->allocation = (struct allocation){.now = inode->record.allocation, .settled = true};
    data->written_end = inode->record.size;
    data->idle_size = UINT64_MAX;
    data->bucket_count = DATA_BUCKETS_MIN;
    data->buckets = calloc(data->bucket_count, sizeof(data->buckets[0]));
    if (!data->buckets) {
        free(data);
        return -ENOMEM;
    }
    list_init(&data->promises);
    list_init(&data->unflushed);
    tfs_cond_init(&data->changed);
    *ret = data;
    return 0;
}

void data_free(struct tfs_data *data)
{
    if (!data)
        return;
    assert(data->chunk_count == 0 && data->active == 0);
    tfs_cond_release(&data->changed);
    free(data->buckets);
    free(data);
}

/* What the chunks in memory add to the committed stored bytes. */
struct uncommitted {
    int64_t stored; /* written back, not committed */
    uint64_t dirty; /* not written back: as much as it is now */
};

static void count_uncommitted(struct tfs_chunk *chunk, void *context)
{
    struct uncommitted *sum = context;

    if (chunk->row_changed)
        sum->stored += row_stored_size(chunk->row) - row_stored_size(chunk->committed);
    for (int i = 0; i < CHUNK_SLOTS_MAX; i++)
        sum->dirty += chunk->slots[i].to - chunk->slots[i].from;
}

int data_read_geometry(struct tfs_volume *volume, uint64_t inode, uint64_t *known,
                       struct row_geometry *geometry)
{
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    struct meta_inode record;
    const char *target;
    int err;

    if (inode == 0) /* no inode has it, and `known` says "none" with it */
        return -ENOENT;
    if (*known == inode)
        return 0;
    meta_inode_key(inode, key);
    err = index_get(volume->index, INDEX_INODE, key, sizeof(key), &value);
    if (err)
        return err;
    err = meta_inode_decode(value.data, value.size, &record, &target);
    index_value_release(&value);
    if (err)
        return err;
    *geometry = data_geometry(record.chunk_size_log2);
    *known = inode;
    return 0;
}

int data_scan_rows(struct tfs_volume *volume, uint64_t inode, uint64_t first,
                   struct index_scan **ret)
{
    uint8_t prefix[META_INODE_KEY_SIZE];
    uint8_t start[META_EXTENT_KEY_SIZE];
    const struct index_range range = {.table = INDEX_EXTENT,
                                      .prefix = prefix,
                                      .prefix_size = sizeof(prefix),
                                      .start = first ? start : NULL,
                                      .start_size = first ? sizeof(start) : 0};

    meta_inode_key(inode, prefix);
    meta_extent_key(inode, first, start);
    return index_scan_open(volume->index, &range, ret);
}

uint64_t data_size(struct tfs_inode *inode)
{
    uint64_t size;

    tfs_mutex_lock(&inode->lock);
    size = inode->data->size;
    tfs_mutex_unlock(&inode->lock);
    return size;
}

uint64_t data_written_size_locked(const struct tfs_data *data)
{
    return tfs_min_u64(data->size, tfs_max_u64(data->base_size, data->written_end));
}

void data_attr_locked(struct tfs_inode *inode, struct tfs_attr *ret)
{
    struct uncommitted sum = {0};
    int64_t stored;

    chunk_visit_locked(inode, count_uncommitted, &sum);
    stored = (int64_t)inode->record.stored_bytes + sum.stored + (int64_t)sum.dirty +
             (int64_t)inode->data->allocation.now.room - (int64_t)inode->data->cut.stored;
    ret->size = inode->data->size;
    ret->blocks = stored > 0 ? ((uint64_t)stored + 511) / 512 : 0;
    ret->block_size = inode->data->size ? READ_UNIT : WRITE_UNIT;
}

void data_times_changed_locked(struct tfs_volume *volume, struct tfs_inode *inode)
{
    inode->data->times_changed = true;
    commit_list_note(volume, inode);
}

void data_touch_locked(struct tfs_volume *volume, struct tfs_inode *inode)
{
    inode->record.mtime = tfs_clock_real();
    inode->record.ctime = inode->record.mtime;
    data_times_changed_locked(volume, inode);
}

void data_discard_dirty(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct list *unflushed = &inode->data->unflushed;
    struct list *next;

    tfs_mutex_lock(&inode->lock);
    for (struct list *node = unflushed->next; node != unflushed; node = next) {
        struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        next = node->next; /* the node leaves the list */
        if (!chunk->queued && !chunk->in_flight)
            chunk_discard_locked(volume, chunk, 0);
    }
    tfs_mutex_unlock(&inode->lock);
}

static bool is_open_locked(const struct tfs_data *data)
{
    return !data->exclusive && data->exclusive_wait == 0;
}

static void enter_locked(struct tfs_inode *inode) TFS_REQUIRES(&inode->lock)
{
    while (!is_open_locked(inode->data))
        tfs_cond_wait(&inode->data->changed, &inode->lock);
    inode->data->active++;
}

void data_enter(struct tfs_inode *inode)
{
    tfs_mutex_lock(&inode->lock);
    enter_locked(inode);
    tfs_mutex_unlock(&inode->lock);
}

/* The gate is open, or waited for. */
static int enter_to_read_locked(struct tfs_inode *inode, struct data_read *read)
    TFS_REQUIRES(&inode->lock)
{
    struct tfs_data *data = inode->data;
    uint64_t end;

    enter_locked(inode);
    end = tfs_max_u64(data->size, read->offset);
    read->size = (size_t)tfs_min_u64(read->size, end - read->offset);
    if (read->size == 0 || !lost_range_has(&data->lost, read->offset, read->offset + read->size))
        return 0;
    data_leave_locked(inode);
    return tfs_fail(-EIO, "inode %llu: bytes that were lost", (unsigned long long)inode->number);
}

int data_enter_to_read(struct tfs_inode *inode, struct data_read *read)
{
    int err = -EAGAIN;

    tfs_mutex_lock(&inode->lock);
    if (read->waits || is_open_locked(inode->data))
        err = enter_to_read_locked(inode, read);
    tfs_mutex_unlock(&inode->lock);
    return err;
}

void data_enter_flush(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;

    tfs_mutex_lock(&inode->lock);
    while (data->exclusive)
        tfs_cond_wait(&data->changed, &inode->lock);
    data->active++;
    tfs_mutex_unlock(&inode->lock);
}

void data_enter_for_commit(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;

    tfs_mutex_lock(&inode->lock);
    while (data->exclusive || data->in_commit)
        tfs_cond_wait(&data->changed, &inode->lock);
    data->active++;
    tfs_mutex_unlock(&inode->lock);
}

void data_leave_locked(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;

    assert(data->active > 0);
    if (--data->active == 0 && data->exclusive_wait)
        tfs_cond_broadcast(&data->changed);
}

void data_leave(struct tfs_inode *inode)
{
    tfs_mutex_lock(&inode->lock);
    data_leave_locked(inode);
    tfs_mutex_unlock(&inode->lock);
}

void data_enter_exclusive(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;

    tfs_mutex_lock(&inode->lock);
    data->exclusive_wait++;
    while (data->exclusive || data->active || data->in_commit)
        tfs_cond_wait(&data->changed, &inode->lock);
    data->exclusive_wait--;
    data->exclusive = true;
    tfs_mutex_unlock(&inode->lock);
}

void data_leave_exclusive(struct tfs_inode *inode)
{
    struct tfs_data *data = inode->data;

    tfs_mutex_lock(&inode->lock);
    data->exclusive = false;
    tfs_cond_broadcast(&data->changed);
    tfs_mutex_unlock(&inode->lock);
}
