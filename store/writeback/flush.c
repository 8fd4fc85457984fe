/*
 * Write-back of chunks. The states are chunk.h's; here is who moves a chunk along:
 *
 *   dirty   --flush_submit_locked--> queued   --worker or helper: flush_chunk--> in flight -->
 * clean, row changed
 *
 * Invariants:
 * 1. A queued chunk has one job in the workers' queue, which holds one user of the chunk. Somebody
 * else may flush the chunk first; the job then finds nothing to do.
 * 2. A dirty chunk that is neither queued nor in flight is on the list of dirty chunks, oldest
 * first, or on that of stuck ones.
 * 3. A flush that failed leaves the bytes dirty. Only what is stuck is ever given up, see stuck.h:
 * of a file that nobody has open (file.c), or when there is nothing else that makes room.
 */
#include "store/writeback/flush_internal.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/inode/allocation.h"
#include "store/inode/data.h"
#include "store/inode/dirty_list.h"
#include "store/inode/stuck_mark.h"
#include "store/read/cache.h"
#include "store/read/memory.h"
#include "store/read/scratch.h"
#include "store/segment/segment.h"
#include "store/volume.h"
#include "store/writeback/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    HELPER_COUNT = 4,       /* threads that write back small files themselves at the same time */
    HELPER_BUFFERS_MAX = 2, /* what counts as small: dirty buffers of the only dirty chunk */
};

/* What a flush needs beside its scratch; too large for a stack. */
struct flush_scratch {
    struct tfs_scratch *scratch;
    int buffers_max; /* of a chunk that it has room for */
    struct encoded_chunk encoded;
    struct flush_scratch *next; /* among free helpers */
};

static void flush_scratch_free(void *scratch)
{
    struct flush_scratch *own = scratch;

    if (own)
        scratch_free(own->scratch);
    free(own);
}

static int flush_scratch_new(size_t capacity, int buffers_max, struct flush_scratch **ret)
{
    struct flush_scratch *own = calloc(1, sizeof(*own));
    int err;

    if (!own)
        return -ENOMEM;
    own->buffers_max = buffers_max;
    err = scratch_new(capacity, &own->scratch);
    if (err) {
        free(own);
        return err;
    }
    *ret = own;
    return 0;
}

static int worker_scratch_new(void *context, void **ret)
{
    struct flush_scratch *own;
    int err = flush_scratch_new(scratch_capacity_for_frames(), CHUNK_SLOTS_MAX, &own);

    (void)context;
    if (!err)
        *ret = own;
    return err;
}

static int helpers_new(struct tfs_flush *flush)
{
    for (int i = 0; i < HELPER_COUNT; i++) {
        struct flush_scratch *helper;
        int err = flush_scratch_new(scratch_capacity_for_requests(), HELPER_BUFFERS_MAX, &helper);

        if (err)
            return err;
        helper->next = flush->helpers;
        flush->helpers = helper;
    }
    return 0;
}

/* Beside the mount's other work: clearing memory takes as long as writing it, and more. */
static void run_prefault(struct tfs_job *job, void *scratch)
{
    struct tfs_flush *flush = tfs_container_of(job, struct tfs_flush, prefault);

    if (scratch)
        memory_prefault(flush->volume->memory);
}

int flush_new(struct tfs_volume *volume, struct tfs_flush **ret)
{
    struct tfs_workers_options options = {
        .name = "tfs-worker",
        .thread_count = volume->options.threads,
        .scratch_new = worker_scratch_new,
        .scratch_free = flush_scratch_free,
    };
    struct tfs_flush *flush = calloc(1, sizeof(*flush));
    int err;

    if (!flush)
        return -ENOMEM;
    flush->volume = volume;
    flush->list = &volume->dirty;
    tfs_cond_init(&flush->done);
    err = helpers_new(flush);
    if (!err)
        err = tfs_workers_new(&options, &volume->workers);
    if (err) {
        flush_free(flush);
        return err;
    }
    flush->prefault.run = run_prefault;
    if (!volume->options.read_only)
        tfs_workers_submit(volume->workers, &flush->prefault, TFS_JOB_IDLE);
    *ret = flush;
    return 0;
}

void flush_free(struct tfs_flush *flush)
{
    if (!flush)
        return;
    tfs_workers_free(flush->volume->workers);
    flush->volume->workers = NULL;
    while (flush->helpers) {
        struct flush_scratch *helper = flush->helpers;

        flush->helpers = helper->next;
        flush_scratch_free(helper);
    }
    tfs_cond_release(&flush->done);
    free(flush);
}

static int buffer_count(const struct tfs_chunk *chunk)
{
    int count = 0;

    for (int i = 0; i < CHUNK_SLOTS_MAX; i++)
        count += chunk->slots[i].buffer != NULL;
    return count;
}

/* Waits until the chunk is nobody's, then takes it for this flush. False when there is nothing to
 * write back (any more), or more than `buffers_max`: a writer may have come first. */
static bool flight_begin(struct tfs_flush *flush, struct tfs_chunk *chunk, int buffers_max)
{
    struct tfs_inode *inode = chunk->inode;
    bool begin;

    data_enter_flush(inode);
    tfs_mutex_lock(&inode->lock);
    chunk_wait_for_flight_locked(chunk);
    begin = chunk->dirty && buffer_count(chunk) <= buffers_max;
    if (begin) {
        chunk->in_flight = true;
        dirty_list_remove(flush->list, chunk);
    }
    tfs_mutex_unlock(&inode->lock);
    if (!begin)
        data_leave(inode);
    return begin;
}

/* Keeps a buffer in the cache, as unit `index` of its frame, or gives it back. */
static void offer(struct tfs_volume *volume, const struct frame_ref *frame, uint32_t index,
                  void *buffer)
{
    struct cache_key key = {frame->segment, frame->offset, index};

    memory_dirty_to_clean(volume->memory, 1);
    if (!cache_offer(volume->cache, &key, buffer))
        memory_give_clean(volume->memory, 1, &buffer);
}

/* The buffers of a run: into the cache under their frame's name, or back to the pool, together:
 * each giving wakes the writers that wait. */
static void release_run(struct tfs_volume *volume, struct tfs_chunk *chunk,
                        const struct encoded_run *run)
{
    const struct frame_ref *frame = &run->extent.frame;
    bool is_unit = run->extent.visible_size && frame->segment && run->on_unit_boundary;
    void *spent[CHUNK_SLOTS_MAX];
    size_t spent_count = 0;

    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct chunk_slot *slot = &chunk->slots[run->first_slot + i];

        if (is_unit && memory_has_warm_spare(volume->memory))
            offer(volume, frame, i, slot->buffer);
        else
            spent[spent_count++] = slot->buffer;
        *slot = (struct chunk_slot){0};
    }
    memory_give_dirty(volume->memory, spent_count, spent);
}

/* The row with all runs in place. *ret is the caller's. */
static int make_row(struct tfs_chunk *chunk, const struct encoded_chunk *encoded,
                    struct tfs_row **ret)
{
    struct tfs_row *row = row_ref(chunk->row);

    for (uint32_t i = 0; i < encoded->run_count; i++) {
        const struct encoded_run *run = &encoded->runs[i];
        struct tfs_row *next;
        int err = row_replace(row, &run->extent, run->end, &next);

        row_unref(row);
        if (err)
            return err;
        row = next;
    }
    *ret = row;
    return 0;
}

/* With the row the chunk takes that much more of the disk. */
static void note_stored_locked(struct tfs_volume *volume, struct tfs_chunk *chunk,
                               const struct tfs_row *row)
{
    uint64_t chunk_size = chunk->inode->data->geometry.chunk_size;
    uint64_t from = chunk->index * chunk_size;

    allocation_stored_locked(volume, chunk->inode, from, from + chunk_size,
                             row_disk_size(row) - row_disk_size(chunk->row));
}

/* inode: the chunk's */
static void flight_succeeded_locked(struct tfs_volume *volume, struct tfs_inode *inode,
                                    struct tfs_chunk *chunk, const struct encoded_chunk *encoded,
                                    struct tfs_row *row) TFS_REQUIRES(&inode->lock)
{
    chunk->landing = true;
    while (chunk->shared) /* they read the buffers that go away now */
        tfs_cond_wait(&inode->data->changed, &inode->lock);
    chunk->landing = false;
    for (uint32_t i = 0; i < encoded->run_count; i++)
        release_run(volume, chunk, &encoded->runs[i]);
    allocation_chunk_unreserve_locked(volume, chunk);
    note_stored_locked(volume, chunk, row);
    chunk_set_row_locked(volume, chunk, row);
    chunk->dirty = false;
    chunk->error = 0;
    chunk->stuck_told = false;
    list_remove(&chunk->unflushed_node);
    tfs_counter_add(&volume->stats.flushed_chunks, 1);
    tfs_counter_add(&volume->stats.flushed_bytes, encoded->raw_bytes);
    tfs_counter_add(&volume->stats.stored_bytes, encoded->stored_bytes);
}

/* Notes what the error means to others: nothing, when the chunk is stuck. Returns whether that
 * write-back fails is news. */
static bool note_failing(struct tfs_flush *flush, int error, bool stuck)
{
    bool news = false;

    tfs_mutex_lock(&flush->list->lock);
    if (!stuck) {
        news = error && flush->failing == 0;
        flush->failing = error;
    }
    tfs_mutex_unlock(&flush->list->lock);
    return news;
}

static void flight_failed_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, int error)
{
    struct tfs_data *data = chunk->inode->data;
    bool stuck = stuck_is_chunk_locked(chunk);
    bool news = note_failing(volume->flush, error, stuck);

    chunk->error = error;
    data->last_error = error;
    if (!stuck || !chunk->stuck_told)
        data->error_count++;
    chunk->stuck_told = stuck;
    dirty_list_add(&volume->dirty, chunk, stuck);
    tfs_counter_add(&volume->stats.flush_failures, 1);
    if (!news)
        return; /* one line when write-back begins to fail, not one for every try */
    tfs_warn("inode %llu chunk %llu: cannot be written back: %s",
             (unsigned long long)chunk->inode->number, (unsigned long long)chunk->index,
             tfs_error_text(error));
}

static void flight_end(struct tfs_volume *volume, struct tfs_chunk *chunk,
                       const struct encoded_chunk *encoded, int error)
{
    struct tfs_inode *inode = chunk->inode;
    struct tfs_row *row = NULL;

    if (!error) {
        error = make_row(chunk, encoded, &row);
        if (error)
            encode_give_back(volume, encoded);
    }
    if (!error)
        (void)note_failing(volume->flush, 0, false);

    tfs_mutex_lock(&inode->lock);
    if (error)
        flight_failed_locked(volume, chunk, error);
    else
        flight_succeeded_locked(volume, inode, chunk, encoded, row);
    chunk->in_flight = false;
    tfs_cond_broadcast(&inode->data->changed);
    if (!error)
        chunk_put_locked(chunk); /* the user that being dirty was */
    tfs_mutex_unlock(&inode->lock);
    data_leave(inode);
}

/* Writes one chunk back, if it is dirty and has no more buffers than the scratch has room for. The
 * caller is one of its users. */
static void flush_chunk(struct tfs_volume *volume, struct tfs_chunk *chunk,
                        struct flush_scratch *scratch)
{
    uint64_t start_ns;
    int err;

    if (!flight_begin(volume->flush, chunk, scratch->buffers_max))
        return;
    start_ns = tfs_clock_ns();
    err = encode_chunk(volume, chunk, scratch->scratch, &scratch->encoded);
    tfs_histogram_add(&volume->stats.encode_time, tfs_clock_ns() - start_ns);
    flight_end(volume, chunk, &scratch->encoded, err);
}

static void one_less_in_flight(struct tfs_flush *flush)
{
    tfs_mutex_lock(&flush->list->lock);
    assert(flush->in_flight > 0);
    flush->in_flight--;
    tfs_cond_broadcast(&flush->done);
    tfs_mutex_unlock(&flush->list->lock);
}

static void run_flush_job(struct tfs_job *job, void *scratch)
{
    struct tfs_chunk *chunk = tfs_container_of(job, struct tfs_chunk, flush_job);
    struct tfs_inode *inode = chunk->inode;
    struct tfs_volume *volume = inode->data->volume;

    flush_chunk(volume, chunk, scratch);
    one_less_in_flight(volume->flush);

    tfs_mutex_lock(&inode->lock);
    chunk->queued = false;
    tfs_cond_broadcast(&inode->data->changed);
    chunk_put_locked(chunk);
    tfs_mutex_unlock(&inode->lock);
    inode_put(volume, inode);
}

void flush_submit_locked(struct tfs_flush *flush, struct tfs_chunk *chunk)
{
    if (!chunk->dirty || chunk->queued || chunk->in_flight)
        return;
    chunk->queued = true;
    chunk->users++;
    chunk->error = 0;
    list_init(&chunk->flush_job.node);
    chunk->flush_job.run = run_flush_job;
    inode_pin(flush->volume, chunk->inode);
    tfs_mutex_lock(&flush->list->lock);
    list_remove(&chunk->pressure_node);
    flush->in_flight++;
    tfs_mutex_unlock(&flush->list->lock);
    tfs_workers_submit(flush->volume->workers, &chunk->flush_job, TFS_JOB_URGENT);
}

void flush_wait_turn(struct tfs_flush *flush)
{
    tfs_mutex_lock(&flush->list->lock);
    while (flush->in_flight >= flush->volume->options.concurrency)
        tfs_cond_wait(&flush->done, &flush->list->lock);
    tfs_mutex_unlock(&flush->list->lock);
}

struct tfs_scratch *flush_scratch_of(void *worker_scratch)
{
    struct flush_scratch *own = worker_scratch;

    return own->scratch;
}

unsigned flush_in_flight(struct tfs_flush *flush)
{
    unsigned in_flight;

    tfs_mutex_lock(&flush->list->lock);
    in_flight = flush->in_flight;
    tfs_mutex_unlock(&flush->list->lock);
    return in_flight;
}

static void submit_all_locked(struct tfs_flush *flush, struct tfs_inode *inode)
{
    struct list *node;

    list_for_each (node, &inode->data->unflushed) {
        struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        flush_submit_locked(flush, chunk);
    }
}

void flush_inode_start(struct tfs_volume *volume, struct tfs_inode *inode)
{
    tfs_mutex_lock(&inode->lock);
    submit_all_locked(volume->flush, inode);
    tfs_mutex_unlock(&inode->lock);
}

/*
 * The oldest chunk that was dirty at `sequence` and was not tried to its end since; NULL when there
 * is nothing to wait for any more. Behind an error of the disk there is not: the others would meet
 * it as well. What is stuck does not concern the others.
 */
static struct tfs_chunk *oldest_untried_locked(struct tfs_inode *inode, uint64_t sequence,
                                               int *ret_error)
{
    struct list *node;

    list_for_each (node, &inode->data->unflushed) {
        struct tfs_chunk *chunk = list_entry(node, struct tfs_chunk, unflushed_node);

        if (chunk->dirty_sequence > sequence)
            return NULL;
        if (chunk->queued || chunk->in_flight || !chunk->error)
            return chunk;
        *ret_error = chunk->error;
        if (!stuck_is_chunk_locked(chunk))
            return NULL;
    }
    return NULL;
}

/* The only dirty chunk, when it is small and nobody works on it, with one more user; else NULL. */
static struct tfs_chunk *small_chunk_locked(struct tfs_inode *inode)
{
    struct list *unflushed = &inode->data->unflushed;
    struct tfs_chunk *chunk;

    if (list_is_empty(unflushed) || unflushed->next != unflushed->previous)
        return NULL;
    chunk = list_entry(unflushed->next, struct tfs_chunk, unflushed_node);
    if (chunk->queued || chunk->in_flight || buffer_count(chunk) > HELPER_BUFFERS_MAX)
        return NULL;
    chunk->users++;
    return chunk;
}

static struct flush_scratch *take_helper(struct tfs_flush *flush)
{
    struct flush_scratch *helper;

    tfs_mutex_lock(&flush->list->lock);
    helper = flush->helpers;
    if (helper)
        flush->helpers = helper->next;
    tfs_mutex_unlock(&flush->list->lock);
    return helper;
}

/* A small file is written back by the thread that asks for it: waking a worker would cost more than
 * the work. */
static void flush_small(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_flush *flush = volume->flush;
    struct flush_scratch *helper = take_helper(flush);
    struct tfs_chunk *chunk;

    if (!helper)
        return; /* the workers do it */
    tfs_mutex_lock(&inode->lock);
    chunk = small_chunk_locked(inode);
    tfs_mutex_unlock(&inode->lock);
    if (chunk) {
        flush_chunk(volume, chunk, helper);
        tfs_mutex_lock(&inode->lock);
        chunk_put_locked(chunk);
        tfs_mutex_unlock(&inode->lock);
    }
    tfs_mutex_lock(&flush->list->lock);
    helper->next = flush->helpers;
    flush->helpers = helper;
    tfs_mutex_unlock(&flush->list->lock);
}

int flush_inode(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_chunk *chunk;
    uint64_t sequence;
    int err = 0;

    flush_small(volume, inode);
    tfs_mutex_lock(&inode->lock);
    sequence = inode->data->sequence;
    submit_all_locked(volume->flush, inode);
    while ((chunk = oldest_untried_locked(inode, sequence, &err))) {
        if (chunk->queued || chunk->in_flight)
            tfs_cond_wait(&inode->data->changed, &inode->lock);
        else
            flush_submit_locked(volume->flush, chunk);
    }
    tfs_mutex_unlock(&inode->lock);
    return err;
}
