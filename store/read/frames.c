/*
 * Loading frames. The steps of a load: pin or claim every unit of the range; for the claimed ones
 * find the header, read the stored bytes of neighbouring units in one I/O, decode block by block
 * into the units' buffers, publish; then wait for the units that others are loading. A plain frame
 * is read into the units' buffers themselves.
 *
 * Invariants:
 * 1. A thread publishes all units that it claimed, with data or with an error, before it waits for
 * anybody.
 * 2. A thread that waits for buffers holds no unit.
 */
#include "store/read/frames_internal.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/histogram.h"
#include "store/codec/frame.h"
#include "store/read/memory.h"
#include "store/read/scratch.h"
#include "store/segment/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One load in progress. */
struct load {
    struct tfs_frames *frames;
    const struct frames_source *source;
    struct tfs_scratch *scratch;
    struct frame_view view;
    struct cache_unit *units[FRAMES_UNITS_MAX];
    enum cache_claim claims[FRAMES_UNITS_MAX];
    struct frames_range range;
};

int frames_new(const struct frames_options *options, struct tfs_frames **ret)
{
    struct tfs_frames *frames = calloc(1, sizeof(*frames));
    int err;

    if (!frames)
        return -ENOMEM;
    frames->segments = options->segments;
    frames->memory = options->memory;
    frames->cache = options->cache;
    frames->load_time = options->load_time;
    err = headers_new(options->header_bytes_max, &frames->headers);
    if (!err)
        err = scratch_pool_new(options->request_scratch_count, scratch_capacity_for_requests(),
                               &frames->request_scratches);
    if (err) {
        frames_free(frames);
        return err;
    }
    *ret = frames;
    return 0;
}

void frames_free(struct tfs_frames *frames)
{
    if (!frames)
        return;
    scratch_pool_free(frames->request_scratches);
    headers_free(frames->headers);
    free(frames);
}

static struct segment_position position_of(const struct frame_ref *frame, uint64_t offset)
{
    return (struct segment_position){.number = frame->segment, .offset = frame->offset + offset};
}

int frames_open_header(const struct frames_source *source, const uint8_t *bytes, size_t size,
                       struct frame_view *ret)
{
    const struct frame_ref *frame = &source->frame;
    struct frame_view view;
    int err = frame_open(bytes, size, &view);

    if (err)
        return err;
    if (view.header_crc != frame->header_crc || view.block_size != source->block_size ||
        view.raw_size != frame->raw_size || view.stored_size != frame->stored_size)
        return tfs_fail(-EBADMSG, "another frame is where the index has frame 0x%08x",
                        frame->header_crc);
    *ret = view;
    return 0;
}

/* Finds the header in the table of headers or on the disk. */
static int load_header(struct tfs_frames *frames, const struct frames_source *source,
                       struct tfs_scratch *scratch, struct frame_header **ret)
{
    size_t size = frame_header_size(source->frame.block_count);
    struct frame_view view;
    const uint8_t *bytes;
    int err;

    *ret = headers_find(frames->headers, &source->frame);
    if (*ret)
        return 0;
    err = segments_read(frames->segments, position_of(&source->frame, 0), size, scratch->bytes,
                        scratch->capacity, &bytes);
    if (err)
        return err;
    err = frames_open_header(source, bytes, size, &view);
    if (err)
        return err;
    return headers_add(frames->headers, &source->frame, bytes, ret);
}

int frames_header(struct tfs_frames *frames, const struct frames_source *source,
                  struct frame_header **ret)
{
    struct tfs_scratch *scratch = scratch_pool_take(frames->request_scratches);
    int err = load_header(frames, source, scratch, ret);

    scratch_pool_give(frames->request_scratches, scratch);
    return err;
}

static uint32_t blocks_per_unit(const struct frames_source *source)
{
    return FRAME_BUFFER_SIZE / source->block_size;
}

/* The blocks of units [first, first + count), and where their stored bytes lie in the frame. */
struct block_run {
    struct frame_block first;
    uint32_t block_count;
    uint32_t offset;
    uint32_t size;
};

static int run_locate(const struct load *load, uint32_t first_unit, uint32_t unit_count,
                      struct block_run *ret)
{
    uint32_t per_unit = blocks_per_unit(load->source);
    uint32_t end = (first_unit + unit_count) * per_unit;
    struct frame_block block;
    struct frame_block first;
    int err = frame_block_locate(&load->view, first_unit * per_unit, &first);

    if (err)
        return err;
    if (end > load->view.block_count)
        end = load->view.block_count;
    block = first;
    while (block.index + 1 < end && frame_block_next(&load->view, &block))
        ;
    *ret = (struct block_run){
        .first = first,
        .block_count = end - first.index,
        .offset = first.offset,
        .size = block.offset + block.stored_size - first.offset,
    };
    return 0;
}

/* Decodes the blocks of a run, whose stored bytes begin at `stored`, into the units from
 * `first_unit` on; with NULL they are there already, and raw. */
static int run_decode(struct load *load, const struct block_run *run, uint32_t first_unit,
                      const uint8_t *stored)
{
    struct frame_block block = run->first;
    uint32_t per_unit = blocks_per_unit(load->source);

    for (uint32_t i = 0; i < run->block_count; i++) {
        uint32_t unit = first_unit + i / per_unit - load->range.first_unit;
        uint8_t *dst =
            cache_unit_data(load->units[unit]) + (size_t)(i % per_unit) * load->source->block_size;
        int err = stored ? frame_block_decode(load->scratch->codec, &block,
                                              stored + (block.offset - run->offset), dst)
                         : frame_block_verify_raw(&block, dst);

        if (err)
            return err;
        if (i + 1 < run->block_count && !frame_block_next(&load->view, &block))
            return tfs_fail(-EUCLEAN, "frame ends before its last block");
    }
    return 0;
}

/* The buffers of units [first, first + count), each as far as the frame has bytes for it, in whole
 * pages: behind the frame's last byte there are zeros on the disk, and room in the buffer. */
static void unit_pieces(const struct load *load, uint32_t first_unit, uint32_t unit_count,
                        struct iovec *ret)
{
    uint32_t raw_size = load->source->frame.raw_size;

    for (uint32_t i = 0; i < unit_count; i++) {
        uint32_t left = raw_size - (first_unit + i) * FRAME_BUFFER_SIZE;

        ret[i] = (struct iovec){
            .iov_base = cache_unit_data(load->units[first_unit + i - load->range.first_unit]),
            .iov_len = tfs_align_up(tfs_min_u64(FRAME_BUFFER_SIZE, left), SEGMENT_ALIGNMENT),
        };
    }
}

static int load_plain_run(struct load *load, const struct block_run *run, uint32_t first_unit,
                          uint32_t unit_count)
{
    struct iovec pieces[FRAMES_UNITS_MAX];
    int err;

    unit_pieces(load, first_unit, unit_count, pieces);
    err = segments_readv(load->frames->segments, position_of(&load->source->frame, run->offset),
                         run->size, pieces, (int)unit_count);
    return err ? err : run_decode(load, run, first_unit, NULL);
}

/* Reads and decodes units [first, first + count), all claimed by this load, in as few I/Os as fit
 * into the scratch. */
static int load_run(struct load *load, uint32_t first_unit, uint32_t unit_count)
{
    struct block_run run;
    const uint8_t *stored;
    int err = run_locate(load, first_unit, unit_count, &run);

    if (err)
        return err;
    if (load->view.plain)
        return load_plain_run(load, &run, first_unit, unit_count);
    if (segment_read_capacity(load->source->frame.offset + run.offset, run.size) >
            load->scratch->capacity &&
        unit_count > 1) {
        err = load_run(load, first_unit, unit_count / 2);
        return err ? err : load_run(load, first_unit + unit_count / 2, unit_count - unit_count / 2);
    }
    stored = load->scratch->bytes;
    if (run.size) {
        err = segments_read(load->frames->segments, position_of(&load->source->frame, run.offset),
                            run.size, load->scratch->bytes, load->scratch->capacity, &stored);
        if (err)
            return err;
    }
    return run_decode(load, &run, first_unit, stored);
}

/* A header that was read with what follows it. */
static int take_header(struct load *load, const uint8_t *bytes)
{
    const struct frame_ref *frame = &load->source->frame;
    struct frame_header *header;
    int err =
        frames_open_header(load->source, bytes, frame_header_size(frame->block_count), &load->view);

    if (err)
        return err;
    err = headers_add(load->frames->headers, frame, bytes, &header);
    if (!err)
        frame_header_unref(header);
    return err;
}

/* When all of the frame is wanted and fits, its header comes with the same I/O. */
static int load_whole(struct load *load)
{
    const struct frame_ref *frame = &load->source->frame;
    struct block_run run;
    const uint8_t *bytes;
    int err = segments_read(load->frames->segments, position_of(frame, 0), frame->stored_size,
                            load->scratch->bytes, load->scratch->capacity, &bytes);

    if (err)
        return err;
    err = take_header(load, bytes);
    if (err)
        return err;
    err = run_locate(load, 0, load->range.unit_count, &run);
    return err ? err : run_decode(load, &run, 0, bytes + run.offset);
}

/* Of a load that begins the frame. */
static bool wants_whole(const struct load *load)
{
    const struct frame_ref *frame = &load->source->frame;

    return load->range.unit_count * FRAME_BUFFER_SIZE >= frame->raw_size &&
           segment_read_capacity(frame->offset, frame->stored_size) <= load->scratch->capacity;
}

/* Loads every maximal run of claimed units. */
static int load_runs(struct load *load)
{
    tfs_cleanup(frame_header_unref_p) struct frame_header *header = NULL;
    uint32_t count = load->range.unit_count;
    int err = load_header(load->frames, load->source, load->scratch, &header);

    if (!err)
        err = frames_open_header(load->source, header->bytes, header->size, &load->view);
    for (uint32_t i = 0; i < count && !err;) {
        uint32_t end = i;

        while (end < count && load->claims[end] == CACHE_MINE)
            end++;
        if (end > i)
            err = load_run(load, load->range.first_unit + i, end - i);
        i = end > i ? end : i + 1;
    }
    return err;
}

/* The first units of what by its size is a plain frame come with the header before them. */
static int load_plain_start(struct load *load)
{
    const struct frame_ref *frame = &load->source->frame;
    uint32_t payload = frame_plain_offset(frame->block_count);
    uint32_t count = load->range.unit_count;
    uint64_t size = payload + tfs_min_u64(count * FRAME_BUFFER_SIZE, frame->raw_size);
    struct iovec pieces[1 + FRAMES_UNITS_MAX];
    struct block_run run;
    int err;

    pieces[0] = (struct iovec){.iov_base = load->scratch->bytes, .iov_len = payload};
    unit_pieces(load, 0, count, pieces + 1);
    err =
        segments_readv(load->frames->segments, position_of(frame, 0), size, pieces, (int)count + 1);
    if (!err)
        err = take_header(load, load->scratch->bytes);
    if (err)
        return err;
    if (!load->view.plain)
        return load_runs(load);
    err = run_locate(load, 0, count, &run);
    return err ? err : run_decode(load, &run, 0, NULL);
}

static bool may_be_plain(const struct frames_source *source)
{
    return frame_size_is_plain(source->frame.raw_size, source->block_size,
                               source->frame.stored_size);
}

/* Whether all units from the frame's first on are claimed, and the frame has them. */
static bool begins_frame(const struct load *load)
{
    for (uint32_t i = 0; i < load->range.unit_count; i++) {
        if (load->claims[i] != CACHE_MINE)
            return false;
    }
    return load->range.first_unit == 0 &&
           (load->range.unit_count - 1) * FRAME_BUFFER_SIZE < load->source->frame.raw_size;
}

static int load_units(struct load *load)
{
    if (!begins_frame(load))
        return load_runs(load);
    if (may_be_plain(load->source))
        return load_plain_start(load);
    return wants_whole(load) ? load_whole(load) : load_runs(load);
}

static struct cache_key key_of(const struct frames_source *source, uint32_t unit)
{
    return (struct cache_key){source->frame.segment, source->frame.offset, unit};
}

static void unpin_all(struct load *load, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        cache_unpin(load->frames->cache, load->units[i]);
}

static bool pin_ready(struct load *load)
{
    for (uint32_t i = 0; i < load->range.unit_count; i++) {
        struct cache_key key = key_of(load->source, load->range.first_unit + i);

        load->units[i] = cache_find(load->frames->cache, &key);
        if (!load->units[i]) {
            unpin_all(load, i);
            return false;
        }
    }
    return true;
}

/* Claims every unit with the buffers given; what is not used goes back. Returns true when any of
 * them is ours to load. */
static bool claim_all(struct load *load, void **buffers, bool *ret_no_memory)
{
    uint32_t count = load->range.unit_count;
    bool mine = false;

    for (uint32_t i = 0; i < count; i++) {
        struct cache_key key = key_of(load->source, load->range.first_unit + i);

        load->claims[i] = cache_claim(load->frames->cache, &key, buffers[i], &load->units[i]);
        if (load->claims[i] == CACHE_MINE && load->units[i])
            mine = true;
        else
            memory_give_clean(load->frames->memory, 1, &buffers[i]);
        if (!load->units[i])
            *ret_no_memory = true;
    }
    return mine;
}

static bool is_mine(const struct load *load, uint32_t unit)
{
    return load->claims[unit] == CACHE_MINE && load->units[unit];
}

static void publish_mine(struct load *load, int error)
{
    for (uint32_t i = 0; i < load->range.unit_count; i++) {
        if (is_mine(load, i))
            cache_publish(load->frames->cache, load->units[i], error);
    }
}

/* Something in the frame is damaged: each unit is loaded alone, so that those who wait for another
 * one are not told of it. */
static void publish_one_by_one(struct load *load)
{
    tfs_cleanup(frame_header_unref_p) struct frame_header *header = NULL;
    int header_err = load_header(load->frames, load->source, load->scratch, &header);

    if (!header_err)
        header_err = frames_open_header(load->source, header->bytes, header->size, &load->view);
    for (uint32_t i = 0; i < load->range.unit_count; i++) {
        if (!is_mine(load, i))
            continue;
        cache_publish(load->frames->cache, load->units[i],
                      header_err ? header_err : load_run(load, load->range.first_unit + i, 1));
    }
}

/* Loads what is claimed, and publishes it. Returns the first error. */
static int load_claimed(struct load *load)
{
    struct tfs_scratch_pool *pool = load->frames->request_scratches;
    struct tfs_scratch *borrowed = load->scratch ? NULL : scratch_pool_take(pool);
    uint64_t start_ns = tfs_clock_ns();
    int err;

    if (borrowed)
        load->scratch = borrowed;
    assert(load->scratch);
    err = load_units(load);
    if (err && load->range.unit_count > 1)
        publish_one_by_one(load);
    else
        publish_mine(load, err);
    if (borrowed)
        scratch_pool_give(pool, borrowed);
    if (load->frames->load_time)
        tfs_histogram_add(load->frames->load_time, tfs_clock_ns() - start_ns);
    return err;
}

static int wait_for_others(struct load *load)
{
    int err = 0;

    for (uint32_t i = 0; i < load->range.unit_count; i++) {
        int unit_err = 0;

        if (load->claims[i] == CACHE_LOADING)
            unit_err = cache_wait(load->frames->cache, load->units[i]);
        err = err ? err : unit_err;
    }
    return err;
}

int frames_pin(struct tfs_frames *frames, const struct frames_source *source,
               const struct frames_range *range, bool wait, struct tfs_scratch *scratch,
               struct cache_unit **ret_units)
{
    struct load load = {.frames = frames, .source = source, .scratch = scratch, .range = *range};
    void *buffers[FRAMES_UNITS_MAX];
    bool no_memory = false;
    int err = 0;

    assert(source->frame.segment && range->unit_count <= FRAMES_UNITS_MAX);
    if (!pin_ready(&load)) {
        err = memory_take_clean(frames->memory, range->unit_count, wait, buffers);
        if (err)
            return err;
        if (claim_all(&load, buffers, &no_memory)) {
            err = no_memory ? -ENOMEM : load_claimed(&load);
            if (no_memory)
                publish_mine(&load, err);
        }
        err = err ? err : wait_for_others(&load);
        if (no_memory)
            err = -ENOMEM;
        if (err) {
            unpin_all(&load, range->unit_count);
            return err;
        }
    }
    memcpy(ret_units, load.units, range->unit_count * sizeof(ret_units[0]));
    return 0;
}

int frames_try_pin(struct tfs_frames *frames, const struct frames_source *source,
                   const struct frames_range *range, struct cache_unit **ret_units)
{
    struct load load = {.frames = frames, .source = source, .range = *range};

    assert(source->frame.segment && range->unit_count <= FRAMES_UNITS_MAX);
    if (!pin_ready(&load))
        return -EAGAIN;
    memcpy(ret_units, load.units, range->unit_count * sizeof(ret_units[0]));
    return 0;
}

void frames_prefetch(struct tfs_frames *frames, const struct frames_source *source,
                     const struct frames_range *range, struct tfs_scratch *scratch)
{
    struct cache_unit *units[FRAMES_UNITS_MAX];

    if (source->frame.segment == 0)
        return;
    if (frames_pin(frames, source, range, false, scratch, units) != 0)
        return;
    for (uint32_t i = 0; i < range->unit_count; i++)
        cache_unpin_as(frames->cache, units[i], CACHE_AHEAD);
}
