/*
 * Chunk objects: the table, the holds, the dirty bytes. See chunk.h for the states.
 *
 * Invariants:
 * 1. exclusive excludes shared, in_flight and another exclusive.
 * 2. dirty  <=>  on data->unflushed  <=>  some slot has from < to; a dirty chunk counts itself as a
 * user.
 * 3. A slot has a buffer exactly when it is dirty; the buffer is counted as dirty memory.
 * 4. Who holds a chunk waits for nobody who waits for it: so the order of holds ends.
 */
#include "store/inode/chunk.h"

#include "store/base/error.h"
#include "store/inode/allocation.h"
#include "store/inode/commit_list.h"
#include "store/inode/complaint.h"
#include "store/inode/data.h"
#include "store/inode/dirty_list.h"
#include "store/inode/row_budget.h"
#include "store/read/frames.h"
#include "store/read/memory.h"
#include "store/segment/segment.h"
#include "store/tables/row_table.h"
#include "store/txn/dead_list.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t bucket_of(const struct tfs_data *data, uint64_t index)
{
    return (size_t)index & (data->bucket_count - 1); /* neighbours spread by themselves */
}

static void grow(struct tfs_data *data)
{
    size_t old_count = data->bucket_count;
    struct tfs_chunk **old = data->buckets;
    struct tfs_chunk **buckets;

    if (data->chunk_count < old_count)
        return;
    buckets = calloc(old_count * 2, sizeof(buckets[0]));
    if (!buckets)
        return; /* slower, but right */
    data->buckets = buckets;
    data->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct tfs_chunk *chunk = old[i];
            struct tfs_chunk **bucket = &data->buckets[bucket_of(data, chunk->index)];

            old[i] = chunk->next;
            chunk->next = *bucket;
            *bucket = chunk;
        }
    }
    free(old);
}

static struct tfs_chunk *find(struct tfs_inode *inode, uint64_t index)
{
    struct tfs_chunk *chunk = inode->data->buckets[bucket_of(inode->data, index)];

    while (chunk && chunk->index != index)
        chunk = chunk->next;
    return chunk;
}

struct tfs_chunk *chunk_find_locked(struct tfs_inode *inode, uint64_t index)
{
    struct tfs_chunk *chunk = find(inode, index);

    if (chunk)
        chunk->users++;
    return chunk;
}

struct tfs_chunk *chunk_get_locked(struct tfs_inode *inode, uint64_t index)
{
    struct tfs_data *data = inode->data;
    struct tfs_chunk *chunk = find(inode, index);
    struct tfs_chunk **bucket;

    if (chunk) {
        chunk->users++;
        return chunk;
    }
    chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return NULL;
    chunk->index = index;
    chunk->inode = inode;
    chunk->users = 1;
    list_init(&chunk->unflushed_node);
    list_init(&chunk->pressure_node);
    list_init(&chunk->waiting);

    grow(data);
    bucket = &data->buckets[bucket_of(data, index)];
    chunk->next = *bucket;
    *bucket = chunk;
    data->chunk_count++;
    return chunk;
}

void chunk_put_locked(struct tfs_chunk *chunk)
{
    struct tfs_data *data = chunk->inode->data;
    struct tfs_chunk **at;

    assert(chunk->users > 0);
    if (--chunk->users > 0 || chunk->row_changed || chunk->commits)
        return;
    assert(!chunk->dirty && !chunk->in_flight && !chunk->queued);
    at = &data->buckets[bucket_of(data, chunk->index)];
    while (*at != chunk)
        at = &(*at)->next;
    *at = chunk->next;
    data->chunk_count--;
    row_budget_note_locked(data->volume, chunk);
    row_unref(chunk->row);
    row_unref(chunk->committed);
    free(chunk);
}

void chunk_visit_locked(struct tfs_inode *inode,
                        void (*visit)(struct tfs_chunk *chunk, void *context), void *context)
{
    struct tfs_data *data = inode->data;

    for (size_t i = 0; i < data->bucket_count; i++) {
        for (struct tfs_chunk *chunk = data->buckets[i]; chunk; chunk = chunk->next)
            visit(chunk, context);
    }
}

static bool shared_is_free(const struct tfs_chunk *chunk)
{
    return !chunk->exclusive && !chunk->landing;
}

static bool exclusive_is_free(const struct tfs_chunk *chunk)
{
    return !chunk->exclusive && !chunk->shared && !chunk->in_flight;
}

static bool flight_is_free(const struct tfs_chunk *chunk)
{
    return !chunk->exclusive && !chunk->in_flight;
}

/* Somebody who waits for a chunk, on its own stack. */
struct chunk_waiter {
    struct list node;
    bool reads;
};

/* Readers pass each other, and nobody else. */
static bool is_its_turn(struct tfs_chunk *chunk, struct chunk_waiter *waiter)
{
    struct list *node = chunk->waiting.next;

    while (waiter->reads && node != &waiter->node &&
           list_entry(node, struct chunk_waiter, node)->reads)
        node = node->next;
    return node == &waiter->node;
}

static void wait_for_turn_locked(struct tfs_chunk *chunk,
                                 bool (*is_free)(const struct tfs_chunk *chunk))
    TFS_REQUIRES(&chunk->inode->lock)
{
    struct chunk_waiter waiter = {.reads = is_free == shared_is_free};

    if (list_is_empty(&chunk->waiting) && is_free(chunk))
        return;
    list_push_back(&chunk->waiting, &waiter.node);
    while (!is_its_turn(chunk, &waiter) || !is_free(chunk))
        tfs_cond_wait(&chunk->inode->data->changed, &chunk->inode->lock);
    list_remove(&waiter.node);
    if (!list_is_empty(&chunk->waiting)) /* the next may have waited for nothing but this turn */
        tfs_cond_broadcast(&chunk->inode->data->changed);
}

void chunk_hold_shared_locked(struct tfs_chunk *chunk) TFS_REQUIRES(&chunk->inode->lock)
{
    wait_for_turn_locked(chunk, shared_is_free);
    chunk->shared++;
}

void chunk_hold_exclusive_locked(struct tfs_chunk *chunk) TFS_REQUIRES(&chunk->inode->lock)
{
    wait_for_turn_locked(chunk, exclusive_is_free);
    chunk->exclusive = true;
}

void chunk_wait_for_flight_locked(struct tfs_chunk *chunk) TFS_REQUIRES(&chunk->inode->lock)
{
    wait_for_turn_locked(chunk, flight_is_free);
}

void chunk_release_shared_locked(struct tfs_chunk *chunk)
{
    assert(chunk->shared > 0);
    if (--chunk->shared == 0)
        tfs_cond_broadcast(&chunk->inode->data->changed);
}

void chunk_release_exclusive_locked(struct tfs_chunk *chunk)
{
    assert(chunk->exclusive);
    chunk->exclusive = false;
    tfs_cond_broadcast(&chunk->inode->data->changed);
}

int chunk_read_row(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t index,
                   struct tfs_row **ret)
{
    const struct row_cache_key key = {.inode = inode->number, .index = index};
    bool cut;

    /* Before the look at the index: a row that was cut off may be removed between the two. */
    tfs_mutex_lock(&inode->lock);
    cut = index >= inode->data->cut.first;
    tfs_mutex_unlock(&inode->lock);
    if (cut) {
        *ret = NULL;
        return 0;
    }
    return row_table_get(volume, &key, &inode->data->geometry, ret);
}

int chunk_unreadable(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t offset,
                     uint32_t size, int error)
{
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    const struct complaint_wanted wanted = {
        .inode = chunk->inode->number,
        .start = chunk->index * geometry->chunk_size,
        .offset = offset,
        .size = size,
        .block_size = geometry->block_size,
    };

    return complaint_row(volume, &wanted, chunk->row, error);
}

int chunk_load_row(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    struct tfs_inode *inode = chunk->inode;
    struct tfs_row *row = NULL;
    bool in_index;
    bool known;
    int err;

    tfs_mutex_lock(&inode->lock);
    known = chunk->row_known;
    /* Behind the committed size the index has nothing: a file that is being written costs no
     * lookups. */
    in_index = chunk->index * inode->data->geometry.chunk_size < inode->record.size;
    tfs_mutex_unlock(&inode->lock);
    if (known)
        return 0;
    if (in_index) {
        err = chunk_read_row(volume, inode, chunk->index, &row);
        if (err)
            return chunk_unreadable(volume, chunk, 0, 0, err);
    }

    tfs_mutex_lock(&inode->lock);
    if (!chunk->row_known) {
        chunk->row_known = true;
        chunk->row = row_ref(row);
        chunk->committed = TAKE_PTR(row);
    }
    tfs_mutex_unlock(&inode->lock);
    row_unref(row);
    return 0;
}

int chunk_copy_row(struct tfs_volume *volume, const struct tfs_row *row,
                   const struct row_geometry *geometry, uint32_t offset, uint32_t size,
                   struct tfs_scratch *scratch, void *dst)
{
    uint8_t *at = dst;

    while (size > 0) {
        const struct extent *extent = row_find(row, offset);
        uint32_t start = extent ? extent->start : UINT32_MAX;
        uint32_t part;

        if (!extent || offset < start) {
            part = (uint32_t)tfs_min_u64(size, start - offset);
            memset(at, 0, part);
        } else {
            struct frames_source source = frames_source_of(extent, geometry->block_size);
            int err;

            part = (uint32_t)tfs_min_u64(size, extent_end(extent) - offset);
            err = frames_copy(volume->frames, &source, extent_in_frame(extent, offset), part,
                              scratch, at);
            if (err)
                return err;
        }
        at += part;
        offset += part;
        size -= part;
    }
    return 0;
}

int chunk_fill_slot(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t slot_index,
                    struct tfs_scratch *scratch)
{
    struct chunk_slot *slot = &chunk->slots[slot_index];
    const struct row_geometry *geometry = &chunk->inode->data->geometry;
    uint32_t base = slot_index * FRAME_BUFFER_SIZE;
    int err;

    assert(slot->buffer && slot->from < slot->to);
    if (slot->whole)
        return 0;
    err = chunk_load_row(volume, chunk);
    if (err)
        return err;
    err = chunk_copy_row(volume, chunk->row, geometry, base, slot->from, scratch, slot->buffer);
    if (err)
        return chunk_unreadable(volume, chunk, base, slot->from, err);
    err = chunk_copy_row(volume, chunk->row, geometry, base + slot->to,
                         FRAME_BUFFER_SIZE - slot->to, scratch, slot->buffer + slot->to);
    if (err)
        return chunk_unreadable(volume, chunk, base + slot->to, FRAME_BUFFER_SIZE - slot->to, err);
    chunk_show_slot(chunk, slot_index, slot->from, slot->to, true);
    return 0;
}

void chunk_begin_slot(struct tfs_chunk *chunk, uint32_t slot_index, void *buffer, uint32_t at)
{
    tfs_mutex_lock(&chunk->inode->lock);
    chunk->slots[slot_index] = (struct chunk_slot){.buffer = buffer, .from = at, .to = at};
    tfs_mutex_unlock(&chunk->inode->lock);
}

void chunk_show_slot(struct tfs_chunk *chunk, uint32_t slot_index, uint32_t from, uint32_t to,
                     bool whole)
{
    struct chunk_slot *slot = &chunk->slots[slot_index];

    if (slot->from == from && slot->to == to && slot->whole == whole)
        return; /* only the holder changes them, so looking needs no lock */
    tfs_mutex_lock(&chunk->inode->lock);
    slot->from = from;
    slot->to = to;
    slot->whole = whole;
    slot->stuck = false;
    tfs_mutex_unlock(&chunk->inode->lock);
}

void chunk_mark_dirty_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    struct tfs_data *data = chunk->inode->data;

    data->sequence++;
    if (!chunk->dirty) {
        chunk->dirty = true;
        chunk->users++;
        chunk->dirty_sequence = data->sequence;
        list_push_back(&data->unflushed, &chunk->unflushed_node);
        dirty_list_add(&volume->dirty, chunk, false);
        commit_list_note(volume, chunk->inode);
    }
}

bool chunk_is_complete(const struct tfs_chunk *chunk)
{
    uint32_t slot_count = chunk->inode->data->geometry.chunk_size / FRAME_BUFFER_SIZE;
    uint32_t first = 0;

    if (chunk->slots[slot_count - 1].to != FRAME_BUFFER_SIZE)
        return false;
    while (chunk->slots[first].to == 0)
        first++;
    for (uint32_t i = first; i < slot_count; i++) {
        const struct chunk_slot *slot = &chunk->slots[i];

        if (slot->to != FRAME_BUFFER_SIZE || (i > first && slot->from != 0))
            return false;
    }
    return true;
}

static void take_any(struct tfs_chunk *chunk, void *context)
{
    struct tfs_chunk **taken = context;

    *taken = chunk;
}

/* Whether anybody but the dirty state itself counts as a user: a job that is about to end, for
 * example. */
static void look_for_user(struct tfs_chunk *chunk, void *context)
{
    bool *used = context;

    *used = *used || chunk->users > (chunk->dirty ? 1u : 0u);
}

static void wait_until_unused_locked(struct tfs_inode *inode) TFS_REQUIRES(&inode->lock)
{
    bool used = true;

    while (used) {
        used = false;
        chunk_visit_locked(inode, look_for_user, &used);
        if (used)
            tfs_cond_wait(&inode->data->changed, &inode->lock);
    }
}

uint64_t chunk_abandon_all_locked(struct tfs_volume *volume, struct tfs_inode *inode)
    TFS_NO_LOCK_ANALYSIS /* the inode is incomplete where this is declared */
{
    uint64_t count = 0;

    wait_until_unused_locked(inode);
    while (inode->data->chunk_count > 0) {
        struct tfs_chunk *chunk = NULL;

        chunk_visit_locked(inode, take_any, &chunk);
        if (!chunk)
            break;
        chunk->users++;
        chunk_discard_locked(volume, chunk, 0);
        chunk->row_changed = false;
        assert(chunk->users == 1);
        chunk_put_locked(chunk);
        count++;
    }
    return count;
}

static bool is_uncommitted(const struct tfs_chunk *chunk, const struct frame_ref *frame)
{
    return !row_has_frame(chunk->committed, frame) &&
           !(chunk->commits && row_has_frame(chunk->committing, frame));
}

/* Frames of a row that the chunk does not have any more and that are in no other of its rows are
 * dead. */
static void reclaim_unused(struct tfs_volume *volume, struct tfs_chunk *chunk,
                           const struct tfs_row *old)
{
    for (uint32_t i = 0; old && i < old->extent_count; i++) {
        const struct frame_ref *frame = &old->extents[i].frame;

        if (frame->segment && row_shows_first(old, i) && !row_has_frame(chunk->row, frame) &&
            is_uncommitted(chunk, frame))
            dead_list_add_frame(volume->dead, frame, 0);
    }
}

/* Nothing of it is the file's any more: neither what is dirty, nor its row, nor the index's. */
static void drop_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    struct tfs_row *old = chunk->row;

    assert(!chunk->commits && !chunk->in_flight && !chunk->exclusive && !chunk->shared);
    chunk->users++;
    chunk_discard_locked(volume, chunk, 0);
    chunk->row = NULL;
    chunk->row_known = true;
    chunk->row_changed = false;
    reclaim_unused(volume, chunk, old);
    row_unref(old);
    row_unref(TAKE_PTR(chunk->committed));
    chunk_put_locked(chunk);
}

void chunk_drop_locked(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                       uint64_t end)
{
    struct tfs_data *data = inode->data;

    for (size_t i = 0; i < data->bucket_count; i++) {
        struct tfs_chunk *chunk = data->buckets[i];

        while (chunk) {
            struct tfs_chunk *next = chunk->next;

            if (chunk->index >= first && chunk->index < end)
                drop_locked(volume, chunk);
            chunk = next;
        }
    }
}

void chunk_commit_failed_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    struct tfs_row *row = chunk->committing;

    chunk->commits = false;
    chunk->committing = NULL;
    reclaim_unused(volume, chunk, row);
}

void chunk_set_row_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, struct tfs_row *row)
{
    struct tfs_row *old = chunk->row;

    for (int i = 0; i < CHUNK_SLOTS_MAX; i++)
        chunk->slots[i].stuck = false; /* it was because of the old row */
    chunk->row = row;
    chunk->row_changed = true;
    row_budget_note_locked(volume, chunk);
    reclaim_unused(volume, chunk, old);
    row_unref(old);
    commit_list_note(volume, chunk->inode);
}

/* Takes the buffer of a slot that has nothing dirty any more. */
static void empty_slot(struct tfs_volume *volume, struct chunk_slot *slot)
{
    void *buffer = slot->buffer;

    *slot = (struct chunk_slot){0};
    if (buffer)
        memory_give_dirty(volume->memory, 1, &buffer);
}

/* Some slots lost their buffers: the chunk may have nothing dirty any more. */
static void note_emptied_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (chunk->slots[i].buffer)
            return;
    }
    if (!chunk->dirty)
        return;
    chunk->dirty = false;
    list_remove(&chunk->unflushed_node);
    dirty_list_remove(&volume->dirty, chunk);
    allocation_chunk_unreserve_locked(volume, chunk);
    chunk->error = 0;
    chunk->stuck_told = false;
    tfs_cond_broadcast(&chunk->inode->data->changed);
    chunk_put_locked(chunk);
}

void chunk_trim_slot_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t slot_index,
                            uint32_t from, uint32_t to)
{
    struct chunk_slot *slot = &chunk->slots[slot_index];

    slot->from = from;
    slot->to = to;
    slot->whole = false;
    slot->stuck = false;
    if (from >= to)
        empty_slot(volume, slot);
    note_emptied_locked(volume, chunk);
}

void chunk_discard_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t offset)
{
    for (uint32_t i = 0; i < CHUNK_SLOTS_MAX; i++) {
        struct chunk_slot *slot = &chunk->slots[i];
        uint32_t base = i * FRAME_BUFFER_SIZE;
        uint32_t cut = offset > base ? offset - base : 0;

        if (slot->to > cut) {
            slot->to = cut;
            slot->stuck = false;
        }
        if (slot->from >= slot->to)
            empty_slot(volume, slot);
        else if (slot->whole && cut < FRAME_BUFFER_SIZE)
            memset(slot->buffer + cut, 0, FRAME_BUFFER_SIZE - cut);
    }
    note_emptied_locked(volume, chunk);
}
