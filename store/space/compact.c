/*
 * Compaction. A run chooses segments, then follows the table `extent` once: rows that show frames
 * in those segments are collected in groups. Of a group the frames are copied as they are, verified
 * first; then the copies are made durable; then each row is exchanged, in one batch with the counts
 * of its frames.
 *
 * Invariants:
 * 1. A row changes only while its file's gate is closed, its chunk has nothing that is not
 *    committed, and the index has the very row that was copied. Else it stays for another run.
 * 2. Copies are durable before a row names them; the old frame is given back only when the batch
 *    that dropped it is durable. At any moment of a crash every row names a whole frame.
 * 3. A frame with several users is copied once in a run: the first row that moves adds the copy,
 * the others become its users, if a row that is known to show it still does.
 * 4. What fails its checksum is not copied: it stays where a scrub finds it.
 */
#include "store/space/compact.h"

#include "store/base/bytes.h"
#include "store/base/crc32c.h"
#include "store/base/error.h"
#include "store/codec/frame.h"
#include "store/index/index.h"
#include "store/inode/chunk_row.h"
#include "store/inode/cut.h"
#include "store/inode/damage.h"
#include "store/inode/data.h"
#include "store/read/scratch.h"
#include "store/segment/segment.h"
#include "store/space/compact_choose.h"
#include "store/space/compactor.h"
#include "store/tables/row_table.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/txn/txn.h"
#include "store/volume.h"
#include "store/writeback/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_ROWS_MAX = 64, COPY_BUCKETS = 1 << 14 };
enum { COPIES_MIN = 1 << 12, COPIES_PART = 32 }; /* of the memory, at a time */
#define GROUP_BYTES_MAX (64 * TFS_MIB)

/* A frame and its copy. */
struct copied {
    struct frame_ref from;
    struct frame_ref to;
    bool committed; /* some row shows it: this one, lately */
    uint64_t inode;
    uint64_t row;
    struct copied *next; /* in its bucket */
};

/* A row that is to be exchanged. */
struct move {
    uint64_t inode;
    uint64_t row;
    struct tfs_row *before;
};

struct compaction {
    struct tfs_volume *volume;
    const struct compact_options *options;
    struct compact_result *result;
    struct tfs_scratch *scratch;
    struct compact_victims victims;
    struct move group[GROUP_ROWS_MAX];
    size_t group_count;
    uint64_t group_bytes;
    struct copied *copies[COPY_BUCKETS];
    size_t copy_count;
    bool unfinished; /* there were more than are known at a time */
    uint64_t file;   /* whose geometry is known; 0: none */
    struct row_geometry geometry;
};

static bool is_victim(const struct compaction *run, const struct frame_ref *frame)
{
    return frame->segment && compact_is_victim(&run->victims, frame->segment);
}

static bool has_victim(const struct compaction *run, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        if (is_victim(run, &row->extents[i].frame))
            return true;
    }
    return false;
}

/* ---- copies ---- */

static struct copied **bucket_of(struct compaction *run, const struct frame_ref *frame)
{
    uint64_t mixed = (frame->segment * 31 + frame->offset / SEGMENT_ALIGNMENT) *
                     0x9E3779B97F4A7C15ull; /* the golden ratio: Knuth, TAOCP 6.4 */

    return &run->copies[mixed >> 32 & (COPY_BUCKETS - 1)];
}

static struct copied *find_copy(struct compaction *run, const struct frame_ref *frame)
{
    struct copied *copied = *bucket_of(run, frame);

    while (copied && !frame_ref_equal(&copied->from, frame))
        copied = copied->next;
    return copied;
}

/* Reads the frame into the scratch and verifies header and stored bytes of all blocks. */
static int read_frame(struct compaction *run, const struct frame_ref *frame)
{
    struct segment_position at = {frame->segment, frame->offset};
    struct frame_block block;
    struct frame_view view;
    const uint8_t *bytes;
    bool more;
    int err = segments_read(run->volume->segments, at, frame->stored_size, run->scratch->bytes,
                            run->scratch->capacity, &bytes);

    if (!err)
        err = frame_open(bytes, frame->stored_size, &view);
    if (!err && (view.header_crc != frame->header_crc || view.stored_size != frame->stored_size))
        err = -EBADMSG;
    if (!err)
        err = frame_block_locate(&view, 0, &block);
    if (err)
        return err;
    do {
        if (tfs_crc32c(0, bytes + block.offset, block.stored_size) != block.stored_crc)
            return -EBADMSG;
        more = frame_block_next(&view, &block);
    } while (more);
    if (bytes != run->scratch->bytes) /* never: both places are aligned */
        memmove(run->scratch->bytes, bytes, frame->stored_size);
    return 0;
}

static size_t copies_max(const struct compaction *run)
{
    if (run->options->frames_max)
        return run->options->frames_max;
    return (size_t)tfs_max_u64(COPIES_MIN, run->volume->options.memory_size / COPIES_PART /
                                               sizeof(struct copied));
}

static int copy_frame(struct compaction *run, const struct frame_ref *frame)
{
    struct copied *copied;
    int err;

    if (find_copy(run, frame))
        return 0;
    if (run->copy_count >= copies_max(run)) {
        run->unfinished = true;
        return -ENOBUFS;
    }
    err = read_frame(run, frame);
    if (err)
        return err;
    copied = calloc(1, sizeof(*copied));
    if (!copied)
        return -ENOMEM;
    copied->from = *frame;
    copied->to = *frame;
    err = encode_append(run->volume, run->scratch, &copied->to);
    if (err) {
        free(copied);
        return err;
    }
    copied->next = *bucket_of(run, frame);
    *bucket_of(run, frame) = copied;
    run->copy_count++;
    run->group_bytes += frame_ref_disk_size(frame);
    return 0;
}

/* -EBADMSG, -EUCLEAN, -ENOENT: a frame is damaged, and the row stays. */
static int copy_frames(struct compaction *run, const struct tfs_row *row)
{
    int err = 0;

    for (uint32_t i = 0; i < row->extent_count && !err; i++) {
        if (is_victim(run, &row->extents[i].frame))
            err = copy_frame(run, &row->extents[i].frame);
    }
    return err;
}

/* Copies that no row has taken are dead. */
static void free_copies(struct compaction *run)
{
    for (size_t i = 0; i < COPY_BUCKETS; i++) {
        while (run->copies[i]) {
            struct copied *copied = run->copies[i];

            run->copies[i] = copied->next;
            if (!copied->committed)
                dead_list_add_frame(run->volume->dead, &copied->to, 0);
            free(copied);
        }
    }
    run->copy_count = 0;
}

/* ---- exchanging a row ---- */

static int read_row(struct compaction *run, uint64_t inode, uint64_t row,
                    const struct row_geometry *geometry, struct tfs_row **ret)
{
    const struct row_cache_key key = {.inode = inode, .index = row};

    return row_table_get(run->volume, &key, geometry, ret);
}

/* Whether the copy still has the user that it had last, whose file has the same geometry as all
 * that share it; -ESTALE when not. */
static int copy_is_in_use(struct compaction *run, const struct copied *copied,
                          const struct row_geometry *geometry)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    int err = read_row(run, copied->inode, copied->row, geometry, &row);

    if (err)
        return err;
    return row_has_frame(row, &copied->to) ? 0 : -ESTALE;
}

/* The frame's copy gets one more user, the frame one less. */
static int count_copy(struct compaction *run, const struct copied *copied,
                      const struct row_geometry *geometry, struct refcounts_change *change)
{
    int err = copied->committed ? copy_is_in_use(run, copied, geometry) : 0;

    if (err)
        return err;
    if (copied->committed)
        refcounts_share(change, &copied->to);
    else
        refcounts_add(change, &copied->to);
    refcounts_drop(change, &copied->from);
    return 0;
}

/* The row with its copies, and what that does to the counts. */
static int make_row(struct compaction *run, const struct move *move,
                    const struct row_geometry *geometry, struct refcounts_change *change,
                    struct tfs_row **ret)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    int err = row_copy(move->before, &row);

    if (err)
        return err;
    for (uint32_t i = 0; i < row->extent_count && !err; i++) {
        const struct copied *copied = find_copy(run, &move->before->extents[i].frame);

        if (!copied)
            continue;
        row->extents[i].frame = copied->to;
        if (row_shows_first(move->before, i))
            err = count_copy(run, copied, geometry, change);
    }
    if (!err)
        *ret = TAKE_PTR(row);
    return err;
}

static void note_moved(struct compaction *run, const struct move *move)
{
    for (uint32_t i = 0; i < move->before->extent_count; i++) {
        struct copied *copied = find_copy(run, &move->before->extents[i].frame);

        if (!copied)
            continue;
        if (!copied->committed) {
            run->result->moved_frames++;
            run->result->moved_bytes += frame_ref_disk_size(&copied->to);
        }
        copied->committed = true;
        copied->inode = move->inode;
        copied->row = move->row;
    }
}

static int commit_row(struct compaction *run, const struct move *move,
                      const struct row_geometry *geometry, const struct tfs_row *row,
                      struct refcounts_change *change)
{
    const struct row_cache_key key = {.inode = move->inode, .index = move->row};
    struct index_batch *batch;
    int err = index_batch_new(&batch);

    if (err)
        return err;
    err = row_table_put(batch, &key, geometry, row);
    if (!err)
        err = txn_commit(run->volume, batch, change);
    index_batch_free(batch);
    return err;
}

/* With volume->metadata held. -ESTALE: the row is another one by now. */
static int exchange_locked(struct compaction *run, const struct move *move,
                           const struct row_geometry *geometry, struct tfs_row **ret)
    TFS_REQUIRES(&run->volume->metadata)
{
    tfs_cleanup(row_unref_p) struct tfs_row *now = NULL;
    tfs_cleanup(row_unref_p) struct tfs_row *after = NULL;
    struct refcounts_change change;
    int err = read_row(run, move->inode, move->row, geometry, &now);

    if (!err && !row_equal(now, move->before))
        err = -ESTALE;
    if (err)
        return err;
    refcounts_begin(run->volume->refcounts, &change);
    err = make_row(run, move, geometry, &change, &after);
    if (!err)
        err = commit_row(run, move, geometry, after, &change);
    refcounts_end(&change);
    if (err)
        return err;
    note_moved(run, move);
    *ret = TAKE_PTR(after);
    return 0;
}

/* Whether the chunk has nothing but what the index has. */
static bool is_committed(struct tfs_inode *inode, uint64_t row)
{
    struct tfs_chunk *chunk;
    bool committed;

    tfs_mutex_lock(&inode->lock);
    committed = !cut_has_locked(inode, row); /* what was cut off goes anyway */
    chunk = chunk_find_locked(inode, row);
    if (chunk) {
        committed = committed && chunk_row_is_committed_locked(chunk);
        chunk_put_locked(chunk);
    }
    tfs_mutex_unlock(&inode->lock);
    return committed;
}

/* The chunk in memory, dirty or not, lies over the new row now. */
static void take_over(struct tfs_inode *inode, uint64_t index, struct tfs_row *row)
{
    struct tfs_chunk *chunk;

    tfs_mutex_lock(&inode->lock);
    chunk = chunk_find_locked(inode, index);
    if (chunk) {
        chunk_row_exchange_locked(chunk, row);
        chunk_put_locked(chunk);
    }
    tfs_mutex_unlock(&inode->lock);
}

static int exchange_in(struct compaction *run, struct tfs_inode *inode, const struct move *move)
{
    tfs_cleanup(row_unref_p) struct tfs_row *after = NULL;
    int err = -ESTALE;

    data_enter_exclusive(inode);
    if (is_committed(inode, move->row)) {
        tfs_mutex_lock(&run->volume->metadata);
        err = exchange_locked(run, move, &inode->data->geometry, &after);
        tfs_mutex_unlock(&run->volume->metadata);
    }
    if (!err)
        take_over(inode, move->row, after);
    data_leave_exclusive(inode);
    return err;
}

/* -ESTALE: not now. */
static int exchange(struct compaction *run, const struct move *move)
{
    struct tfs_inode *inode;
    int err = inode_get(run->volume, move->inode, &inode);

    if (err)
        return err;
    /* What has no name is being purged, or will be. */
    err = inode->data && inode_record(inode).nlink > 0 ? exchange_in(run, inode, move) : -ESTALE;
    inode_put(run->volume, inode);
    return err;
}

/* ---- a group, a run ---- */

static bool is_stopped(const struct compaction *run)
{
    const struct compact_options *options = run->options;

    /* relaxed: a row more or less */
    if (options->stop && atomic_load_explicit(options->stop, memory_order_relaxed))
        return true;
    return options->progress &&
           !options->progress(options->context, run->result->moved_bytes,
                              tfs_max_u64(run->victims.live_bytes, run->result->moved_bytes));
}

static int finish_group(struct compaction *run)
{
    int err = run->group_count ? segments_sync(run->volume->segments) : 0;

    for (size_t i = 0; i < run->group_count; i++) {
        struct move *move = &run->group[i];
        int row_err = err ? err : exchange(run, move);

        if (row_err == -ESTALE || row_err == -ENOENT)
            run->result->kept_rows++;
        else
            err = row_err;
        row_unref(TAKE_PTR(move->before));
    }
    run->group_count = 0;
    run->group_bytes = 0;
    return err;
}

static int add_row(struct compaction *run, uint64_t inode, uint64_t number, struct tfs_row *row)
{
    int err = copy_frames(run, row);

    if (damage_is_reason(err)) {
        run->result->kept_rows++;
        return 0;
    }
    if (err)
        return err;
    run->group[run->group_count++] = (struct move){inode, number, row_ref(row)};
    if (run->group_count < GROUP_ROWS_MAX && run->group_bytes < GROUP_BYTES_MAX)
        return 0;
    err = finish_group(run);
    return !err && is_stopped(run) ? -ECANCELED : err;
}

static int visit_record(struct compaction *run, const struct index_record *record)
{
    tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
    uint64_t inode;
    int err;

    if (record->key_size != META_EXTENT_KEY_SIZE)
        return 0;
    inode = tfs_get_be64(record->key);
    err = data_read_geometry(run->volume, inode, &run->file, &run->geometry);
    if (!err)
        err = row_decode(record->value, record->value_size, &run->geometry, &row);
    if (err == -ENOENT || err == -EUCLEAN)
        return 0; /* purged meanwhile; or the check's business: its segment stays */
    if (err)
        return err;
    if (!has_victim(run, row))
        return 0;
    return add_row(run, inode, tfs_get_be64(record->key + sizeof(uint64_t)), row);
}

static int visit_rows(struct compaction *run)
{
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_record record;
    struct index_scan *scan;
    int more = 1;
    int err = index_scan_open(run->volume->index, &range, &scan);

    if (err)
        return err;
    while (!err && (more = index_scan_next(scan, &record)) > 0)
        err = visit_record(run, &record);
    index_scan_close(scan);
    return err ? err : more;
}

static int run_once(struct compaction *run)
{
    int group_err;
    int err = compact_choose(run->volume, run->options->dead_percent_min, &run->victims);

    run->result->segments = run->victims.count;
    if (err || run->victims.count == 0)
        return err;
    err = scratch_new(scratch_capacity_for_frames(), &run->scratch);
    if (!err)
        err = visit_rows(run);
    group_err = finish_group(run); /* also when stopped: its copies are made */
    free_copies(run);
    scratch_free(run->scratch);
    err = err == -ENOBUFS || !err ? group_err : err;
    /* What was dropped can be given back now. */
    return err ? err : index_sync(run->volume->index);
}

int compact_run(struct tfs_volume *volume, const struct compact_options *options,
                struct compact_result *ret)
{
    struct compaction *run;
    uint64_t moved;
    int err;

    *ret = (struct compact_result){0};
    if (volume->options.read_only)
        return -EROFS;
    run = calloc(1, sizeof(*run));
    if (!run)
        return -ENOMEM;
    run->volume = volume;
    run->options = options;
    run->result = ret;
    compactor_enter(volume->compactor);
    do {
        moved = ret->moved_frames;
        run->unfinished = false;
        err = run_once(run);
    } while (!err && run->unfinished && ret->moved_frames > moved);
    compactor_leave(volume->compactor);
    free(run);
    if (ret->moved_frames)
        dead_list_kick(volume->dead);
    return err;
}
