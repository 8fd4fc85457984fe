/*
 * Streams. The kernel reads ahead too, with several requests at a time that may come in any order,
 * so a read belongs to a stream when it falls near the stream's end. A small read must continue the
 * stream exactly, or lie before its end: the kernel makes small requests of random reads, and of
 * what was left over between two others. Large random reads fall near a stream's end now and then,
 * so a stream is believed only when most of the steps before its end were really read.
 *
 * Files are read backwards too: memcpy() out of a mapping runs from the end to the start when both
 * addresses have the same place in their pages, and the kernel then reads around each fault. Each
 * read is noted in both directions, the second time as a read of the mirrored file, whose byte 0
 * is at TFS_FILE_SIZE_MAX: all that is said of streams and positions holds there too.
 *
 * The window is what was read in sequence already, so that a wrong guess costs no more than what
 * was asked for. It grows until the workers stay busy while the reader consumes, and no larger than
 * a part of the cache, so that what was decoded is still there when it is read. A reader may
 * overtake the workers: what it has passed when a job's turn comes is not decoded again.
 */
#include "store/file/readahead.h"

#include "store/inode/chunk_map.h"
#include "store/inode/data.h"
#include "store/read/cache.h"
#include "store/read/frames.h"
#include "store/volume.h"
#include "store/writeback/flush.h"

#include <stdlib.h>

enum {
    STEP_SIZE = 64 << 10,
    BELIEVE_STEPS = 24,   /* of the last 32 were read: something is decoded ahead */
    MOVED_SIZE = 4 << 20, /* what the kernel reads around a fault, or has on its way together */
    NEAR_REQUESTS = 4, /* how many requests from a stream's end a large one still belongs to it */
    LARGE_SIZE = 64 << 10, /* what the kernel asks for when it reads ahead itself */
    WINDOW_CHUNKS_PER_WORKER = 2,
    WINDOW_CHUNK_MIN = 4 << 20,
};

/* A place in the file as seen in a direction. */
struct position {
    enum readahead_direction direction;
    uint64_t offset;
};

struct prefetch_job {
    struct tfs_job job;
    struct tfs_volume *volume;
    struct tfs_inode *inode; /* pinned */
    struct position chunk;   /* where it begins */
};

/* A range of the file as seen in a direction, and back. */
static uint64_t seen_from(enum readahead_direction direction, uint64_t offset, uint64_t size)
{
    return direction == READAHEAD_UP ? offset : TFS_FILE_SIZE_MAX - (offset + size);
}

/* A part of a chunk, in bytes from its start. */
struct wanted {
    uint32_t from;
    uint32_t to;
};

static uint64_t length_of(const struct readahead_stream *stream)
{
    return stream->next - stream->start;
}

/* Requests on their way together come in any order, and the kernel reads around a fault: neither
 * tells where the reader goes. At the start of a file there is but one way. */
static bool has_moved(const struct readahead_stream *stream, enum readahead_direction direction)
{
    return (direction == READAHEAD_UP && stream->start == 0) || length_of(stream) > MOVED_SIZE;
}

/* Whether all of the chunk was read lately: a stream that comes up to where another one began need
 * not read on. */
static bool was_read_locked(const struct tfs_inode *inode, uint64_t offset)
{
    uint32_t chunk_size = inode->data->geometry.chunk_size;

    for (int i = 0; i < READAHEAD_DIRECTIONS; i++) {
        uint64_t start = seen_from((enum readahead_direction)i, offset, chunk_size);

        for (int j = 0; j < READAHEAD_STREAMS; j++) {
            const struct readahead_stream *stream = &inode->data->readahead.streams[i][j];

            if (has_moved(stream, (enum readahead_direction)i) && stream->kept_from <= start &&
                start + chunk_size <= stream->next)
                return true;
        }
    }
    return false;
}

/* What of the chunk still lies before a reader. */
static struct wanted still_wanted(struct prefetch_job *prefetch)
{
    struct tfs_inode *inode = prefetch->inode;
    enum readahead_direction direction = prefetch->chunk.direction;
    uint32_t chunk_size = inode->data->geometry.chunk_size;
    uint32_t passed = chunk_size;

    tfs_mutex_lock(&inode->lock);
    for (int i = 0; i < READAHEAD_STREAMS; i++) {
        const struct readahead_stream *stream = &inode->data->readahead.streams[direction][i];
        uint64_t start = prefetch->chunk.offset;

        if (stream->next < start + passed && stream->ahead > start)
            passed = stream->next > start ? (uint32_t)(stream->next - start) : 0;
    }
    if (was_read_locked(inode, seen_from(direction, prefetch->chunk.offset, chunk_size)))
        passed = chunk_size;
    tfs_mutex_unlock(&inode->lock);
    if (direction == READAHEAD_UP)
        return (struct wanted){passed, chunk_size};
    return (struct wanted){0, chunk_size - passed};
}

/* The part of the extent that is wanted, as units of its frame. */
static struct frames_range units_wanted(const struct extent *extent, struct wanted wanted)
{
    uint32_t from = wanted.from > extent->start ? wanted.from : extent->start;
    uint32_t to = wanted.to < extent_end(extent) ? wanted.to : extent_end(extent);
    struct frames_range range = {0};

    if (from < to) {
        range.first_unit = extent_in_frame(extent, from) / FRAME_BUFFER_SIZE;
        range.unit_count =
            extent_in_frame(extent, to - 1) / FRAME_BUFFER_SIZE - range.first_unit + 1;
    }
    return range;
}

static void prefetch_chunk(struct prefetch_job *prefetch, struct tfs_scratch *scratch)
{
    struct tfs_volume *volume = prefetch->volume;
    struct tfs_inode *inode = prefetch->inode;
    uint32_t block_size = inode->data->geometry.block_size;
    uint64_t chunk_size = inode->data->geometry.chunk_size;
    struct wanted wanted = still_wanted(prefetch);
    uint64_t offset = seen_from(prefetch->chunk.direction, prefetch->chunk.offset, chunk_size);
    tfs_cleanup(chunk_map_release) struct chunk_map map = {0};

    if (wanted.from == wanted.to || chunk_map_read(volume, inode, offset / chunk_size, &map) < 0)
        return; /* after an error whoever really reads it will hear of it */
    for (uint32_t i = 0; map.row && i < map.row->extent_count; i++) {
        struct frames_source source = frames_source_of(&map.row->extents[i], block_size);
        struct frames_range range = units_wanted(&map.row->extents[i], wanted);

        if (range.unit_count > 0)
            frames_prefetch(volume->frames, &source, &range, scratch);
    }
    tfs_counter_add(&volume->stats.prefetched, 1);
}

static void run_prefetch(struct tfs_job *job, void *scratch)
{
    struct prefetch_job *prefetch = tfs_container_of(job, struct prefetch_job, job);

    if (scratch) /* else the workers are being stopped */
        prefetch_chunk(prefetch, flush_scratch_of(scratch));
    inode_put(prefetch->volume, prefetch->inode);
    free(prefetch);
}

static void submit(struct tfs_volume *volume, struct tfs_inode *inode, struct position chunk)
{
    struct prefetch_job *prefetch = malloc(sizeof(*prefetch));

    if (!prefetch)
        return;
    *prefetch = (struct prefetch_job){
        .job = {.run = run_prefetch}, .volume = volume, .inode = inode, .chunk = chunk};
    list_init(&prefetch->job.node);
    inode_pin(volume, inode);
    tfs_workers_submit(volume->workers, &prefetch->job, TFS_JOB_IDLE);
}

/* Left over before the end of a stream: belongs to it, and moves nothing. */
static bool was_left_over(const struct readahead_stream *stream, uint64_t offset, size_t size)
{
    return offset + size <= stream->next && offset + MOVED_SIZE >= stream->next;
}

static bool continues(const struct readahead_stream *stream, uint64_t offset, size_t size)
{
    if (stream->next == 0)
        return false;
    if (offset == stream->next || was_left_over(stream, offset, size))
        return true;
    return size >= LARGE_SIZE && offset + NEAR_REQUESTS * size >= stream->next &&
           offset <= stream->next + NEAR_REQUESTS * size;
}

/* The longest stream that the read continues, or the one that was unused for longest, started anew.
 */
static struct readahead_stream *find_stream(struct readahead *readahead, struct position position,
                                            size_t size)
{
    struct readahead_stream *streams = readahead->streams[position.direction];
    struct readahead_stream *oldest = &streams[0];
    struct readahead_stream *longest = NULL;

    for (int i = 0; i < READAHEAD_STREAMS; i++) {
        struct readahead_stream *stream = &streams[i];

        if (continues(stream, position.offset, size) &&
            (!longest || length_of(stream) > length_of(longest)))
            longest = stream;
        if (readahead->uses - stream->last_use > readahead->uses - oldest->last_use)
            oldest = stream;
    }
    if (longest)
        return longest;
    *oldest = (struct readahead_stream){.start = position.offset,
                                        .next = position.offset,
                                        .ahead = position.offset,
                                        .kept_from = position.offset};
    return oldest;
}

/* What is asked for again was not kept. */
static void forget_kept(struct readahead *readahead, const struct readahead_stream *reader,
                        struct position position)
{
    struct readahead_stream *streams = readahead->streams[position.direction];

    for (int i = 0; i < READAHEAD_STREAMS; i++) {
        struct readahead_stream *stream = &streams[i];

        if (stream != reader && stream->kept_from <= position.offset &&
            position.offset < stream->next)
            stream->kept_from = stream->next;
    }
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
    stream->kept_from = tfs_min_u64(stream->kept_from, offset);
    if (offset == 0)
        stream->start = 0;
}

static bool is_believed(const struct readahead_stream *stream)
{
    return __builtin_popcountll(stream->read_steps & UINT32_MAX) >= BELIEVE_STEPS;
}

static uint64_t window_size(struct tfs_volume *volume, const struct tfs_inode *inode,
                            const struct readahead_stream *stream)
{
    uint64_t wanted = (uint64_t)WINDOW_CHUNKS_PER_WORKER * volume->options.threads *
                      tfs_max_u64(inode->data->geometry.chunk_size, WINDOW_CHUNK_MIN);

    wanted = tfs_min_u64(wanted, volume->options.cache_size / 4);
    return tfs_min_u64(wanted, length_of(stream));
}

/* Notes a read in one direction. Returns whether it belongs to a sequence. Chunks from the
 * position, which moves behind what is being read, up to *ret_to are to be decoded; the current one
 * is loaded by the reads themselves. */
static bool note_locked(struct tfs_volume *volume, struct tfs_inode *inode,
                        struct position *position, size_t size, uint64_t *ret_to)
{
    struct tfs_data *data = inode->data;
    uint64_t end = position->direction == READAHEAD_UP ? data_size_locked(data) : TFS_FILE_SIZE_MAX;
    struct readahead_stream *stream = find_stream(&data->readahead, *position, size);
    uint64_t chunk_size = data->geometry.chunk_size;

    stream->last_use = data->readahead.uses;
    note_steps(stream, position->offset, size);
    forget_kept(&data->readahead, stream, *position);
    if (!is_believed(stream))
        return false;
    if (!has_moved(stream, position->direction))
        return true;
    position->offset = tfs_max_u64(tfs_align_up(stream->next, chunk_size), stream->ahead);
    *ret_to = tfs_min_u64(stream->next + window_size(volume, inode, stream), end);
    if (*ret_to > position->offset)
        stream->ahead = tfs_align_up(*ret_to, chunk_size);
    return true;
}

bool readahead_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t offset,
                    size_t size)
{
    uint64_t chunk_size = inode->data->geometry.chunk_size;
    struct position positions[READAHEAD_DIRECTIONS];
    uint64_t ends[READAHEAD_DIRECTIONS] = {0};
    bool believed = false;

    tfs_mutex_lock(&inode->lock);
    inode->data->readahead.uses++;
    for (int i = 0; i < READAHEAD_DIRECTIONS; i++) {
        enum readahead_direction direction = (enum readahead_direction)i;

        positions[i] = (struct position){direction, seen_from(direction, offset, size)};
        believed |= note_locked(volume, inode, &positions[i], size, &ends[i]);
    }
    tfs_mutex_unlock(&inode->lock);
    for (int i = 0; i < READAHEAD_DIRECTIONS; i++) {
        for (; positions[i].offset < ends[i]; positions[i].offset += chunk_size)
            submit(volume, inode, positions[i]);
    }
    return believed;
}
