/*
 * The scrub. It follows the table `extent`, a stretch of it at a time, so that no snapshot of the
 * index is held for hours; its place is the key that it looks at next.
 *
 * Invariants:
 * 1. Frames are read from the segments, never from the cache.
 * 2. An error is believed only when the row, read again after the frame, still has the frame: a
 *    frame's space is given back only after the commit that drops it.
 * 3. The place in the store is never ahead of what was verified.
 * 4. Every record that is looked at moves the place, whatever its key is: a stretch of keys that no
 * row has would begin again and again.
 */
#include "store/check/scrub.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/codec/frame.h"
#include "store/index/index.h"
#include "store/inode/damage.h"
#include "store/inode/data.h"
#include "store/inode/path.h"
#include "store/read/scratch.h"
#include "store/segment/segment.h"
#include "store/tables/row_table.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STRETCH_ROWS = 4096, PROGRESS_NS = 200 * 1000 * 1000, SLEEP_NS = 50 * 1000 * 1000 };
#define STRETCH_BYTES (256 * TFS_MIB)

static const char key_inode[] = "scrub_inode";
static const char key_row[] = "scrub_row";

struct place {
    uint64_t inode;
    uint64_t row;
};

struct scrub {
    struct tfs_volume *volume;
    const struct tfs_scrub_options *options;
    struct tfs_scrub_result *result;
    struct tfs_scratch *scratch;
    uint8_t *decoded; /* a block; with deep */
    struct place next;
    bool at_end; /* there is no place behind the last record */
    struct tfs_scrub_progress progress;
    uint64_t begin_ns;
    uint64_t told_ns;
    uint64_t file; /* whose geometry is known; 0: none */
    struct row_geometry geometry;
};

/* ---- where it stands ---- */

static uint64_t read_number(struct tfs_volume *volume, const char *key)
{
    struct index_value value;
    uint64_t number = 0;

    if (index_get(volume->index, INDEX_SUPER, key, strlen(key), &value) < 0)
        return 0; /* there is none, or it cannot be read: from the beginning */
    if (value.size == sizeof(uint64_t))
        number = tfs_get_le64(value.data);
    index_value_release(&value);
    return number;
}

static void put_number(struct index_batch *batch, const char *key, uint64_t number)
{
    uint8_t raw[sizeof(uint64_t)];

    tfs_put_le64(raw, number);
    index_batch_put(batch, INDEX_SUPER, key, strlen(key), raw, sizeof(raw));
}

/* Errors are the next mount's: at worst the next run begins earlier. */
static int save_place(struct scrub *scrub, bool complete)
{
    struct tfs_volume *volume = scrub->volume;
    struct index_batch *batch;
    int err;

    if (volume->options.read_only)
        return 0;
    err = index_batch_new(&batch);
    if (err)
        return err;
    if (complete) {
        index_batch_delete(batch, INDEX_SUPER, key_inode, strlen(key_inode));
        index_batch_delete(batch, INDEX_SUPER, key_row, strlen(key_row));
    } else {
        put_number(batch, key_inode, scrub->next.inode);
        put_number(batch, key_row, scrub->next.row);
    }
    tfs_mutex_lock(&volume->metadata);
    err = index_commit(volume->index, batch, false);
    tfs_mutex_unlock(&volume->metadata);
    index_batch_free(batch);
    return err;
}

/* What was verified of the file that the place is in. */
static int measure_file(struct scrub *scrub)
{
    uint8_t prefix[META_INODE_KEY_SIZE];
    struct index_range range = {
        .table = INDEX_EXTENT, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    int more;
    int err = data_read_geometry(scrub->volume, scrub->next.inode, &scrub->file, &scrub->geometry);

    if (err)
        return err == -ENOENT || err == -EUCLEAN ? 0 : err;
    meta_inode_key(scrub->next.inode, prefix);
    err = index_scan_open(scrub->volume->index, &range, &scan);
    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;

        if (record.key_size != META_EXTENT_KEY_SIZE ||
            tfs_get_be64(record.key + sizeof(uint64_t)) >= scrub->next.row)
            break;
        if (row_decode(record.value, record.value_size, &scrub->geometry, &row) == 0)
            scrub->progress.bytes += (uint64_t)row_stored_size(row);
    }
    index_scan_close(scan);
    return more < 0 ? more : 0;
}

/* What there is to verify, and what of it lies before the place: each file's record has the sum. */
static int measure(struct scrub *scrub)
{
    struct index_range range = {.table = INDEX_INODE};
    struct index_record record;
    struct index_scan *scan;
    int more;
    int err = index_scan_open(scrub->volume->index, &range, &scan);

    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        struct meta_inode inode;
        const char *target;

        if (record.key_size != META_INODE_KEY_SIZE ||
            meta_inode_decode(record.value, record.value_size, &inode, &target) < 0)
            continue;
        scrub->progress.total += inode.stored_bytes;
        if (tfs_get_be64(record.key) < scrub->next.inode)
            scrub->progress.bytes += inode.stored_bytes;
    }
    index_scan_close(scan);
    return more < 0 || !scrub->next.inode ? more : measure_file(scrub);
}

/* ---- progress and rate ---- */

static int tell(struct scrub *scrub, uint64_t now_ns)
{
    struct tfs_scrub_progress progress = scrub->progress;

    if (!scrub->options->progress)
        return 0;
    scrub->told_ns = now_ns;
    progress.damaged = scrub->result->damaged;
    progress.total = tfs_max_u64(progress.total, progress.bytes);
    return scrub->options->progress(scrub->options->context, &progress) ? 0 : -ECANCELED;
}

/* Waits until the rate allows what was read, and tells meanwhile. */
static int keep_rate(struct scrub *scrub)
{
    const struct timespec pause = {.tv_nsec = SLEEP_NS};
    int err = 0;

    for (;;) {
        uint64_t now_ns = tfs_clock_ns();
        double passed_s = (double)(now_ns - scrub->begin_ns) / (double)TFS_NS_PER_S;

        if (now_ns - scrub->told_ns >= PROGRESS_NS)
            err = tell(scrub, now_ns);
        if (err || !scrub->options->rate ||
            (double)scrub->result->bytes <= passed_s * (double)scrub->options->rate)
            return err;
        (void)nanosleep(&pause, NULL); /* an early end is seen above */
    }
}

/* ---- one frame ---- */

/* The blocks of a frame that cannot be read. */
struct damage {
    uint8_t blocks[FRAME_BLOCKS_MAX];
    uint32_t count;
    int error; /* of the first */
};

static void all_damaged(struct damage *damage, uint32_t block_count, int error)
{
    memset(damage->blocks, 1, block_count);
    damage->count = block_count;
    damage->error = error;
}

static int verify_block(struct scrub *scrub, const struct frame_block *block, const uint8_t *stored)
{
    if (scrub->options->deep)
        return frame_block_decode(scrub->scratch->codec, block, stored, scrub->decoded);
    return tfs_crc32c(0, stored, block->stored_size) == block->stored_crc ? 0 : -EBADMSG;
}

static void verify_blocks(struct scrub *scrub, const struct frame_view *view, const uint8_t *bytes,
                          struct damage *ret)
{
    struct frame_block block;
    bool more;

    if (frame_block_locate(view, 0, &block) < 0) {
        all_damaged(ret, view->block_count, -EUCLEAN);
        return;
    }
    do {
        int err = verify_block(scrub, &block, bytes + block.offset);

        if (err) {
            ret->blocks[block.index] = 1;
            ret->error = ret->count++ ? ret->error : err;
        }
        more = frame_block_next(view, &block);
    } while (more);
}

/* Reads the frame as an extent names it and verifies all of it. */
static void verify_frame(struct scrub *scrub, const struct extent *extent, struct damage *ret)
{
    const struct frame_ref *frame = &extent->frame;
    const uint8_t *bytes = extent->inline_bytes;
    struct frame_view view;
    int err = 0;

    *ret = (struct damage){0};
    if (frame->segment)
        err = segments_read(
            scrub->volume->segments, (struct segment_position){frame->segment, frame->offset},
            frame->stored_size, scrub->scratch->bytes, scrub->scratch->capacity, &bytes);
    if (!err)
        err = frame_open(bytes, frame->stored_size, &view);
    if (!err &&
        (view.header_crc != frame->header_crc || view.raw_size != frame->raw_size ||
         view.stored_size != frame->stored_size || view.block_size != scrub->geometry.block_size))
        err = -EBADMSG;
    if (err)
        all_damaged(ret, frame->block_count, err);
    else
        verify_blocks(scrub, &view, bytes, ret);
}

/* Whether the index still has the frame in this row. Errors of the index count as yes. */
static bool is_still_used(struct scrub *scrub, const struct place *at, const struct extent *extent)
{
    const struct row_cache_key key = {.inode = at->inode, .index = at->row};
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;

    if (row_table_get(scrub->volume, &key, &scrub->geometry, &row) < 0)
        return true;
    /* A frame in a row has no place of its own; it was read from what the scan returned. */
    return row && (!extent->frame.segment || row_has_frame(row, &extent->frame));
}

/* ---- telling of damage ---- */

static void report(struct scrub *scrub, uint64_t inode, uint64_t offset, uint64_t size, int error)
{
    struct tfs_scrub_damage damage = {
        .inode = inode, .offset = offset, .size = size, .reason = damage_text(error)};
    char text[PATH_TEXT_SIZE];

    scrub->result->damaged++;
    scrub->result->damaged_bytes += size;
    if (!scrub->options->damage)
        return;
    path_of_inode(scrub->volume, inode, text);
    if (text[0] == '\'') { /* 'a/b' becomes /a/b */
        text[0] = '/';
        text[strlen(text) - 1] = '\0';
        damage.path = text;
    }
    scrub->options->damage(scrub->options->context, &damage);
}

/* The bytes of the file that one extent shows of damaged blocks, a range for each run of them. */
static void report_extent(struct scrub *scrub, const struct place *at, const struct extent *extent,
                          const struct damage *damage)
{
    uint32_t block_size = scrub->geometry.block_size;
    uint32_t end = extent_in_frame(extent, extent_end(extent) - 1) / block_size + 1;
    uint64_t base = at->row * scrub->geometry.chunk_size;

    for (uint32_t i = extent->frame_offset / block_size; i < end; i++) {
        uint32_t first = i;
        uint32_t from;
        uint32_t to;

        while (i < end && damage->blocks[i])
            i++;
        if (i == first)
            continue;
        from = extent_shows_from(extent, first * block_size);
        to = extent_shows_from(extent, i * block_size);
        to = to < extent_end(extent) ? to : extent_end(extent);
        report(scrub, at->inode, base + from, to - from, damage->error);
    }
}

/* Of the first byte that the extent shows of a damaged block. */
static uint64_t first_offset(const struct scrub *scrub, const struct place *at,
                             const struct extent *extent, const struct damage *damage)
{
    uint32_t block_size = scrub->geometry.block_size;
    uint32_t last = extent_in_frame(extent, extent_end(extent) - 1) / block_size;
    uint32_t block = extent->frame_offset / block_size;

    while (block < last && !damage->blocks[block])
        block++;
    return at->row * scrub->geometry.chunk_size + extent_shows_from(extent, block * block_size);
}

static void report_frame(struct scrub *scrub, const struct place *at, const struct tfs_row *row,
                         uint32_t index, const struct damage *damage)
{
    const struct extent *extent = &row->extents[index];
    int answer = -EIO;

    if (extent->frame.segment)
        answer =
            complaint_unreadable(scrub->volume, at->inode, first_offset(scrub, at, extent, damage),
                                 &extent->frame, damage->error);
    (void)answer; /* nobody waits for the bytes: that it is logged is enough */
    report_extent(scrub, at, extent, damage);
    for (uint32_t i = index + 1; i < row->extent_count; i++) {
        if (frame_ref_equal(&row->extents[i].frame, &extent->frame))
            report_extent(scrub, at, &row->extents[i], damage);
    }
}

/* ---- rows ---- */

static void scrub_row(struct scrub *scrub, const struct place *at, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        struct damage damage;

        if (!row_shows_first(row, i))
            continue;
        verify_frame(scrub, extent, &damage);
        if (damage.count && is_still_used(scrub, at, extent)) {
            verify_frame(scrub, extent, &damage); /* a disk may err once */
            if (damage.count && is_still_used(scrub, at, extent))
                report_frame(scrub, at, row, i, &damage);
        }
        scrub->result->frames++;
        scrub->result->bytes += extent->frame.stored_size;
        scrub->progress.bytes += extent->frame.stored_size;
    }
}

/* The place of the key, or the first behind it that a row can have: a shorter key stands before the
 * one that zeros make of it. */
static struct place place_of(const struct index_record *record)
{
    uint8_t key[META_EXTENT_KEY_SIZE] = {0};

    memcpy(key, record->key, tfs_min_u64(record->key_size, sizeof(key)));
    return (struct place){tfs_get_be64(key), tfs_get_be64(key + sizeof(uint64_t))};
}

static void pass_place(struct scrub *scrub, const struct place *at)
{
    scrub->next = (struct place){at->inode, at->row + 1};
    if (scrub->next.row == 0)
        scrub->at_end = ++scrub->next.inode == 0;
}

/* A row that is not one, or behind the largest size of a file, where nobody can read it. */
static void report_row(struct scrub *scrub, const struct place *at)
{
    uint64_t size = scrub->geometry.chunk_size;

    if (scrub->file == at->inode && at->row < TFS_FILE_SIZE_MAX / size)
        report(scrub, at->inode, at->row * size, size, -EUCLEAN);
    else
        report(scrub, at->inode, 0, 0, -EUCLEAN);
}

static int scrub_record(struct scrub *scrub, const struct index_record *record)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    struct place at = place_of(record);
    int err;

    if (record->key_size != META_EXTENT_KEY_SIZE) { /* the check's business */
        if (record->key_size < META_EXTENT_KEY_SIZE)
            scrub->next = at;
        else
            pass_place(scrub, &at);
        return keep_rate(scrub);
    }
    err = data_read_geometry(scrub->volume, at.inode, &scrub->file, &scrub->geometry);
    if (!err && at.row >= TFS_FILE_SIZE_MAX / scrub->geometry.chunk_size)
        err = -EUCLEAN;
    if (!err)
        err = row_decode(record->value, record->value_size, &scrub->geometry, &row);
    if (err == -EUCLEAN)
        report_row(scrub, &at);
    err = err == -ENOENT || err == -EUCLEAN ? 0 : err;
    if (err)
        return err;
    if (row)
        scrub_row(scrub, &at, row);
    pass_place(scrub, &at);
    return keep_rate(scrub);
}

/* Returns 1 when there is more behind it. */
static int scrub_stretch(struct scrub *scrub)
{
    uint8_t start[META_EXTENT_KEY_SIZE];
    struct index_range range = {.table = INDEX_EXTENT, .start = start, .start_size = sizeof(start)};
    uint64_t end = scrub->result->bytes + STRETCH_BYTES;
    struct index_record record;
    struct index_scan *scan;
    int rows = 0;
    int more = 1;
    int err;

    meta_extent_key(scrub->next.inode, scrub->next.row, start);
    err = index_scan_open(scrub->volume->index, &range, &scan);
    if (err)
        return err;
    scrub->file = 0;
    while (!err && more > 0 && rows < STRETCH_ROWS && scrub->result->bytes < end) {
        more = index_scan_next(scan, &record);
        if (more > 0)
            err = scrub_record(scrub, &record);
        rows++;
    }
    index_scan_close(scan);
    if (err)
        return err;
    return scrub->at_end && more > 0 ? 0 : more;
}

static int scrub_all(struct scrub *scrub)
{
    int more = 1;
    int err;

    if (!scrub->options->restart) {
        scrub->next.inode = read_number(scrub->volume, key_inode);
        scrub->next.row = read_number(scrub->volume, key_row);
        scrub->result->resumed = scrub->next.inode > 0;
    }
    err = measure(scrub);
    if (!err)
        err = tell(scrub, tfs_clock_ns());
    while (!err && more > 0) {
        more = scrub_stretch(scrub);
        err = save_place(scrub, more == 0);
        err = more < 0 ? more : err;
    }
    return err ? err : tell(scrub, tfs_clock_ns());
}

int tfs_scrub(struct tfs_volume *volume, const struct tfs_scrub_options *options,
              struct tfs_scrub_result *ret)
{
    struct scrub scrub = {
        .volume = volume, .options = options, .result = ret, .begin_ns = tfs_clock_ns()};
    bool idle = false;
    int err;

    *ret = (struct tfs_scrub_result){0};
    /* acquire and release: what one run has written is seen by the next. */
    if (!atomic_compare_exchange_strong_explicit(&volume->scrubbing, &idle, true,
                                                 memory_order_acquire, memory_order_relaxed))
        return tfs_fail(-EBUSY, "the volume is being scrubbed already");
    err = scratch_new(scratch_capacity_for_frames(), &scrub.scratch);
    if (!err && options->deep) {
        scrub.decoded = malloc(FRAME_BLOCK_SIZE_MAX);
        err = scrub.decoded ? 0 : -ENOMEM;
    }
    if (!err)
        err = scrub_all(&scrub);
    free(scrub.decoded);
    scratch_free(scrub.scratch);
    atomic_store_explicit(&volume->scrubbing, false, memory_order_release);
    return err;
}
