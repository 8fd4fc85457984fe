/*
 * The sweep. It reads a snapshot of the index: a range that is unused there stays unused for ever,
 * because frames are never written into old segments again and only used frames get new users.
 */
#include "store/sweep.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/data.h"
#include "store/segment/segment.h"
#include "store/usage.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

struct used_range {
    uint64_t segment;
    uint64_t offset;
    uint64_t size;
};

struct sweep {
    struct tfs_volume *volume;
    uint64_t first;
    uint64_t end;
    const atomic_bool *stop;
    struct used_range *used;
    size_t used_count;
    size_t used_capacity;
    size_t next; /* the first range not passed yet, while segments are visited in order */
};

static int add_used(struct sweep *sweep, const struct frame_ref *frame)
{
    if (sweep->used_count == sweep->used_capacity) {
        size_t capacity = sweep->used_capacity ? sweep->used_capacity * 2 : 1024;
        struct used_range *grown = realloc(sweep->used, capacity * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        sweep->used = grown;
        sweep->used_capacity = capacity;
    }
    sweep->used[sweep->used_count++] =
        (struct used_range){frame->segment, frame->offset, frame_ref_disk_size(frame)};
    return 0;
}

static int add_row(struct sweep *sweep, const struct tfs_row *row)
{
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct frame_ref *frame = &row->extents[i].frame;
        int err = 0;

        if (frame->segment >= sweep->first && frame->segment < sweep->end)
            err = add_used(sweep, frame);
        if (err)
            return err;
    }
    return 0;
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
    struct row_shape shape = {0};
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
            err = data_read_shape(sweep->volume, tfs_get_be64(record.key), &known, &shape);
        if (err == -ENOENT) {
            err = check_is_purged(sweep->volume, &record);
            continue;
        }
        if (!err)
            err = row_decode(record.value, record.value_size, &shape, &row);
        if (!err)
            err = add_row(sweep, row);
    }
    index_scan_close(scan);
    return err ? err : more;
}

static int compare_used(const void *a, const void *b)
{
    const struct used_range *x = a;
    const struct used_range *y = b;

    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int punch(struct sweep *sweep, uint64_t segment, uint64_t from, uint64_t to)
{
    struct segment_position position = {segment, from};
    int err;

    if (from >= to)
        return 0;
    err = segments_punch(sweep->volume->segments, position, to - from);
    if (!err)
        tfs_counter_add(&sweep->volume->stats.reclaimed_bytes, to - from);
    return err == -EOPNOTSUPP ? 0 : err;
}

static int sweep_segment(void *context, const struct segment_status *status)
{
    struct sweep *sweep = context;
    uint64_t free_from = 0;
    int err = 0;

    if (atomic_load_explicit(sweep->stop, memory_order_relaxed))
        return -ECANCELED;
    if (status->number < sweep->first || status->number >= sweep->end || status->active)
        return 0;
    while (sweep->next < sweep->used_count && sweep->used[sweep->next].segment < status->number)
        sweep->next++;
    for (; sweep->next < sweep->used_count && sweep->used[sweep->next].segment == status->number;
         sweep->next++) {
        const struct used_range *used = &sweep->used[sweep->next];

        err = punch(sweep, status->number, free_from, used->offset);
        if (err)
            return err;
        free_from = tfs_max_u64(free_from, used->offset + used->size);
    }
    return punch(sweep, status->number, free_from, status->size);
}

int sweep_segments(struct tfs_volume *volume, uint64_t first, uint64_t end, const atomic_bool *stop)
{
    struct sweep sweep = {.volume = volume, .first = first, .end = end, .stop = stop};
    int err = collect(&sweep);

    if (!err) /* what the scan did not see any more must be gone for good before its space is */
        err = index_sync(volume->index);
    if (!err && sweep.used_count)
        qsort(sweep.used, sweep.used_count, sizeof(sweep.used[0]), compare_used);
    if (!err)
        err = segments_visit(volume->segments, sweep_segment, &sweep);
    free(sweep.used);
    return err;
}
