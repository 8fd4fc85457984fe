/*
 * The sweep. It reads a snapshot of the index: a range that is unused there stays unused for ever,
 * because frames are never written into old segments again and only used frames get new users.
 *
 * Segments are looked at in windows, so that memory does not grow with the store: of each one in
 * the window there is a bit for each page, 32 KiB for a segment of 1 GiB; each window reads the
 * rows once. What is as large as its live bytes has nothing to give back and is in no window.
 *
 * A segment that the index has no count of was begun before a crash, and nothing in it was ever
 * committed; or its count was lost, and files are in it. The rows tell: the one goes, of the other
 * nothing is given back until a repair has counted.
 */
#include "store/space/sweep.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/segment/segment.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

enum { WINDOW_SEGMENTS = 128, PAGE_SIZE = SEGMENT_ALIGNMENT };

struct swept_segment {
    uint64_t number;
    uint64_t size;
    uint64_t page_count;
    uint8_t *used; /* a bit for each page */
    bool has_used; /* any of them */
    bool is_known; /* the index has a count */
};

struct sweep {
    struct tfs_volume *volume;
    uint64_t first; /* of the segments that are not swept yet */
    uint64_t end;
    const atomic_bool *stop;
    struct swept_segment segments[WINDOW_SEGMENTS]; /* by number */
    size_t segment_count;
};

static void release_window(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->segment_count; i++)
        free(sweep->segments[i].used);
    sweep->segment_count = 0;
}

static int add_segment(void *context, const struct segment_status *status)
{
    struct sweep *sweep = context;
    struct swept_segment segment = {.number = status->number, .size = status->size};

    if (status->number < sweep->first || status->number >= sweep->end || status->active ||
        sweep->segment_count == WINDOW_SEGMENTS)
        return 0;
    segment.is_known = refcounts_knows_segment(sweep->volume->refcounts, status->number);
    if (segment.is_known &&
        status->size <= refcounts_live_of(sweep->volume->refcounts, status->number))
        return 0;
    segment.page_count = tfs_align_up(status->size, PAGE_SIZE) / PAGE_SIZE;
    segment.used = calloc(segment.page_count / 8 + 1, 1);
    if (!segment.used)
        return -ENOMEM;
    sweep->segments[sweep->segment_count++] = segment;
    return 0;
}

static int compare_segments(const void *a, const void *b)
{
    const struct swept_segment *x = a;
    const struct swept_segment *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static void add_used(struct sweep *sweep, const struct frame_ref *frame)
{
    struct swept_segment wanted = {.number = frame->segment};
    struct swept_segment *segment =
        bsearch(&wanted, sweep->segments, sweep->segment_count, sizeof(wanted), compare_segments);
    uint64_t end;

    if (!segment)
        return;
    segment->has_used = true;
    end =
        tfs_min_u64(segment->page_count, (frame->offset + frame_ref_disk_size(frame)) / PAGE_SIZE);
    for (uint64_t page = frame->offset / PAGE_SIZE; page < end; page++)
        segment->used[page / 8] |= (uint8_t)(1u << page % 8);
}

static void add_row(struct sweep *sweep, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++)
        add_used(sweep, &row->extents[i].frame);
}

/*
 * A row whose inode is not there: purged since the scan began, rows first. If the row still is, its
 * inode was lost, and the frames that it shows may be all that is left of a file. Errors: -EUCLEAN.
 */
static int check_is_purged(struct tfs_volume *volume, const struct index_record *row)
{
    struct index_value value;
    int err = index_get(volume->index, INDEX_EXTENT, row->key, row->key_size, &value);

    if (err)
        return err == -ENOENT ? 0 : err;
    index_value_release(&value);
    return tfs_fail(-EUCLEAN, "a row of inode %llu, which does not exist",
                    (unsigned long long)tfs_get_be64(row->key));
}

static int collect(struct sweep *sweep)
{
    struct index_range range = {.table = INDEX_EXTENT};
    struct index_record record;
    struct index_scan *scan;
    struct row_geometry geometry = {0};
    uint64_t known = 0;
    int more;
    int err = index_scan_open(sweep->volume->index, &range, &scan);

    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0 && !err) {
        tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;

        if (atomic_load_explicit(sweep->stop, memory_order_relaxed))
            err = -ECANCELED;
        if (!err && record.key_size != META_EXTENT_KEY_SIZE)
            err = tfs_fail(-EUCLEAN, "chunk key of %zu bytes", record.key_size);
        if (!err)
            err = data_read_geometry(sweep->volume, tfs_get_be64(record.key), &known, &geometry);
        if (err == -ENOENT) {
            err = check_is_purged(sweep->volume, &record);
            continue;
        }
        if (!err)
            err = row_decode(record.value, record.value_size, &geometry, &row);
        if (!err)
            add_row(sweep, row);
    }
    index_scan_close(scan);
    return err ? err : more;
}

static int punch(struct sweep *sweep, const struct swept_segment *segment, uint64_t from,
                 uint64_t to)
{
    struct segment_position position = {segment->number, from};
    int err = segments_punch(sweep->volume->segments, position, to - from);

    if (!err)
        tfs_counter_add(&sweep->volume->stats.reclaimed_bytes, to - from);
    return err == -EOPNOTSUPP || err == -ENOENT ? 0 : err;
}

static bool is_used(const struct swept_segment *segment, uint64_t page)
{
    return segment->used[page / 8] & 1u << page % 8;
}

static int sweep_segment(struct sweep *sweep, const struct swept_segment *segment)
{
    uint64_t page = 0;
    int err = 0;

    while (page < segment->page_count && !err) {
        uint64_t from = page;

        while (page < segment->page_count && !is_used(segment, page))
            page++;
        if (from < page)
            err = punch(sweep, segment, from * PAGE_SIZE,
                        tfs_min_u64(page * PAGE_SIZE, segment->size));
        while (page < segment->page_count && is_used(segment, page))
            page++;
    }
    return err;
}

/* One that was emptied meanwhile is known, and reclaim's. */
static int sweep_unknown(struct sweep *sweep, const struct swept_segment *segment)
{
    int err;

    if (segment->has_used) {
        tfs_warn("segment %llu: the index has lost its count of what is in use there; its space "
                 "comes back after 'tensorfsctl check --repair'",
                 (unsigned long long)segment->number);
        return 0;
    }
    err = segments_remove(sweep->volume->segments, segment->number);
    return err == -ENOENT ? 0 : err;
}

/* The segments of the window, which are none when all are swept. */
static int sweep_window(struct sweep *sweep)
{
    int err = segments_visit(sweep->volume->segments, add_segment, sweep);

    if (!err && sweep->segment_count > 0) {
        err = collect(sweep);
        if (!err) /* what the scan did not see any more must be gone for good before its space is */
            err = index_sync(sweep->volume->index);
    }
    for (size_t i = 0; i < sweep->segment_count && !err; i++) {
        if (atomic_load_explicit(sweep->stop, memory_order_relaxed))
            err = -ECANCELED;
        else if (sweep->segments[i].is_known)
            err = sweep_segment(sweep, &sweep->segments[i]);
        else
            err = sweep_unknown(sweep, &sweep->segments[i]);
    }
    return err;
}

int sweep_segments(struct tfs_volume *volume, uint64_t first, uint64_t end, const atomic_bool *stop)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    bool more = true;
    int err = 0;

    if (!sweep)
        return -ENOMEM;
    *sweep = (struct sweep){.volume = volume, .first = first, .end = end, .stop = stop};
    while (more && !err) {
        if (atomic_load_explicit(stop, memory_order_relaxed))
            err = -ECANCELED;
        else
            err = sweep_window(sweep);
        more = sweep->segment_count == WINDOW_SEGMENTS;
        if (more)
            sweep->first = sweep->segments[WINDOW_SEGMENTS - 1].number + 1;
        release_window(sweep);
    }
    free(sweep);
    return err;
}
