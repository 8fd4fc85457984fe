/*
 * Streams. The kernel reads ahead too, with several requests at a time that may come in any order,
 * so a read belongs to a stream when it falls near the stream's end. A small read must continue the
 * stream exactly: the kernel makes small requests of random reads only. Large random reads fall
 * near a stream's end now and then, so a stream is believed only when most of the steps before its
 * end were really read.
 *
 * The window is as large as lets the workers stay busy while the reader consumes, and no larger
 * than a part of the cache, so that what was decoded is still there when it is read.
 */
#include "store/readahead.h"

#include "store/cache.h"
#include "store/data.h"
#include "store/flush.h"
#include "store/frames.h"
#include "store/volume.h"

#include <stdlib.h>

enum {
    STEP_SIZE = 64 << 10,
    BELIEVE_STEPS = 24, /* of the last 32 were read: something is decoded ahead */
    NEAR_REQUESTS = 4,  /* how many requests from a stream's end a large one still belongs to it */
    LARGE_SIZE = 64 << 10, /* what the kernel asks for when it reads ahead itself */
    WINDOW_CHUNKS_PER_WORKER = 2,
    WINDOW_CHUNK_MIN = 4 << 20,
};

struct prefetch_job {
    struct tfs_job job;
    struct tfs_volume *volume;
    struct tfs_inode *inode; /* pinned */
    uint64_t chunk;
};

static struct tfs_row *current_row(struct tfs_volume *volume, struct tfs_inode *inode,
                                   uint64_t index)
{
    struct tfs_row *row = NULL;
    struct tfs_chunk *chunk;
    bool known = false;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_find_locked(inode, index);
    if (chunk) {
        known = chunk->row_known;
        row = row_ref(chunk->row);
        chunk_put_locked(chunk);
    }
    tfs_mutex_unlock(&inode->lock);
    if (!known && chunk_read_row(volume, inode, index, &row) < 0)
        return NULL; /* whoever really reads it will hear of it */
    return row;
}

static void run_prefetch(struct tfs_job *job, void *scratch)
{
    struct prefetch_job *prefetch = tfs_container_of(job, struct prefetch_job, job);
    struct tfs_volume *volume = prefetch->volume;
    struct tfs_inode *inode = prefetch->inode;

    if (scratch) { /* else the workers are being stopped */
        tfs_cleanup(row_unref_p) struct tfs_row *row = current_row(volume, inode, prefetch->chunk);

        for (uint32_t i = 0; row && i < row->extent_count; i++) {
            struct frames_source source =
                frames_source_of(&row->extents[i], inode->data->shape.block_size);

            frames_prefetch(volume->frames, &source, flush_scratch_of(scratch));
        }
        tfs_counter_add(&volume->stats.prefetched, 1);
    }
    inode_put(volume, inode);
    free(prefetch);
}

static void submit(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t chunk)
{
    struct prefetch_job *prefetch = malloc(sizeof(*prefetch));

    if (!prefetch)
        return;
    *prefetch = (struct prefetch_job){
        .job = {.run = run_prefetch}, .volume = volume, .inode = inode, .chunk = chunk};
    list_init(&prefetch->job.node);
    inode_pin(volume, inode);
    flush_submit_idle(volume->flush, &prefetch->job);
}

static bool continues(const struct readahead_stream *stream, uint64_t offset, size_t size)
{
    if (stream->next == 0)
        return false;
    if (offset == stream->next)
        return true;
    return size >= LARGE_SIZE && offset + NEAR_REQUESTS * size >= stream->next &&
           offset <= stream->next + NEAR_REQUESTS * size;
}

/* The stream that the read continues, or the one that was unused for longest, started anew. */
static struct readahead_stream *find_stream(struct readahead *readahead, uint64_t offset,
                                            size_t size)
{
    struct readahead_stream *oldest = &readahead->streams[0];

    readahead->uses++;
    for (int i = 0; i < READAHEAD_STREAMS; i++) {
        struct readahead_stream *stream = &readahead->streams[i];

        if (continues(stream, offset, size))
            return stream;
        if (readahead->uses - stream->last_use > readahead->uses - oldest->last_use)
            oldest = stream;
    }
    *oldest = (struct readahead_stream){.next = offset, .ahead = offset};
    return oldest;
}

static uint64_t step_behind(uint64_t offset)
{
    return (offset + STEP_SIZE - 1) / STEP_SIZE;
}

/* Notes the steps that the read touches; the stream's end moves with a read behind it. */
static void note_steps(struct readahead_stream *stream, uint64_t offset, size_t size)
{
    uint64_t end = step_behind(tfs_max_u64(stream->next, offset + size));
    uint64_t moved = end - step_behind(stream->next);

    stream->read_steps = moved < 64 ? stream->read_steps << moved : 0;
    for (uint64_t step = offset / STEP_SIZE; step * STEP_SIZE < offset + size; step++) {
        if (end - 1 - step < 64)
            stream->read_steps |= 1ull << (end - 1 - step);
    }
    stream->next = tfs_max_u64(stream->next, offset + size);
}

static bool is_believed(const struct readahead_stream *stream)
{
    return __builtin_popcountll(stream->read_steps & UINT32_MAX) >= BELIEVE_STEPS;
}

static uint64_t window_size(struct tfs_volume *volume, const struct tfs_inode *inode)
{
    uint64_t wanted = (uint64_t)WINDOW_CHUNKS_PER_WORKER * volume->options.threads *
                      tfs_max_u64(inode->data->shape.chunk_size, WINDOW_CHUNK_MIN);

    return tfs_min_u64(wanted, volume->options.cache_size / 4);
}

bool readahead_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                    size_t size)
{
    struct tfs_data *data = inode->data;
    uint64_t chunk_size = data->shape.chunk_size;
    struct readahead_stream *stream;
    uint64_t from = 0;
    uint64_t to = 0;
    bool believed;

    tfs_mutex_lock(&inode->lock);
    stream = find_stream(&data->readahead, offset, size);
    stream->last_use = data->readahead.uses;
    note_steps(stream, offset, size);
    believed = is_believed(stream);
    if (believed) {
        /* Chunks that begin behind what is being read; the current one is loaded by the reads
         * themselves. */
        from = tfs_max_u64(tfs_align_up(stream->next, chunk_size), stream->ahead);
        to = tfs_min_u64(stream->next + window_size(volume, inode), data->size);
        if (to > from)
            stream->ahead = tfs_align_up(to, chunk_size);
    }
    tfs_mutex_unlock(&inode->lock);
    for (uint64_t at = tfs_align_up(from, chunk_size); at < to; at += chunk_size)
        submit(volume, inode, at / chunk_size);
    return believed;
}
