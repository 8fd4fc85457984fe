/*
 * Cut-off rows. Invariants, with `size` as it is in the inode's record:
 *
 * 1. Rows of the index from cut.first on are garbage, and none below it is.
 * 2. cut.first <= the row behind the one in which `size` ends, where the record has the flag.
 * 3. Without the flag the index has no row behind that.
 *
 * Who removes rows holds volume->metadata, so batches of commits and of the background come one
 * after another, and each begins with what the one before it left.
 */
#include "store/inode/cut.h"

#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/inode/purge_rows.h"
#include "store/tables/format.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/txn/txn.h"
#include "store/volume.h"

#include <errno.h>
#include <sched.h>

/* PURGE: what a step of the background removes; others wait for it. MEASURE: what a cut looks at to
 * tell how much it frees. */
enum { CUT_PURGE_ROWS = 512, CUT_MEASURE_ROWS = 256 };

/* Of a file that is cut from `first` on, by its size. */
static uint64_t estimate(struct tfs_inode *inode, uint64_t first)
{
    struct meta_inode record = inode_record(inode);
    uint64_t from = first * inode->data->geometry.chunk_size;

    if (from >= record.size)
        return 0;
    return (uint64_t)((double)record.stored_bytes * (double)(record.size - from) /
                      (double)record.size);
}

uint64_t cut_measure(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first)
{
    struct index_record record;
    struct index_scan *scan;
    uint64_t stored = 0;
    int count = 0;
    int more = 0;

    if (data_scan_rows(volume, inode->number, first, &scan) < 0)
        return estimate(inode, first);
    while (count++ < CUT_MEASURE_ROWS && (more = index_scan_next(scan, &record)) > 0) {
        tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;

        if (row_decode(record.value, record.value_size, &inode->data->geometry, &row) == 0)
            stored += (uint64_t)row_stored_size(row);
    }
    index_scan_close(scan);
    return more == 0 ? stored : estimate(inode, first);
}

void cut_note_locked(struct tfs_inode *inode, uint64_t first, uint64_t stored)
{
    struct cut_rows *cut = &inode->data->cut;

    if (first >= cut->first)
        return;
    cut->first = first;
    cut->stored = stored;
}

bool cut_has_locked(const struct tfs_inode *inode, uint64_t row)
{
    return row >= inode->data->cut.first;
}

int cut_put(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first, unsigned count_max,
            struct index_batch *batch, struct refcounts_change *change, struct cut_batch *ret)
{
    struct purge_range range = {inode->number, &inode->data->geometry, first, UINT64_MAX,
                                count_max};
    struct purge_rows rows;
    int err = purge_collect_rows(volume, &range, batch, change, &rows);

    if (!err)
        *ret = (struct cut_batch){.next = rows.next, .stored = rows.stored};
    return err;
}

int cut_put_flag(struct tfs_volume *volume, struct tfs_inode *inode, struct cut_batch *cut,
                 struct meta_inode *record, struct index_batch *batch)
{
    bool had = record->flags & META_INODE_HAS_CUT_ROWS;
    uint8_t key[META_INODE_KEY_SIZE];
    int err = 0;

    meta_inode_key(inode->number, key);
    if (cut->next < UINT64_MAX) {
        cut->begins = !had;
        record->flags |= META_INODE_HAS_CUT_ROWS;
        index_batch_put(batch, INDEX_ORPHAN, key, sizeof(key), "", 0);
        err = had ? 0 : format_use_feature(volume->lock_file, FORMAT_FEATURE_CUT_ROWS);
    } else if (had) {
        record->flags &= ~(uint32_t)META_INODE_HAS_CUT_ROWS;
        if (record->nlink > 0)
            index_batch_delete(batch, INDEX_ORPHAN, key, sizeof(key));
    }
    return err;
}

void cut_apply_locked(struct tfs_inode *inode, const struct cut_batch *cut)
{
    struct cut_rows *rows = &inode->data->cut;
    uint64_t stored = (uint64_t)cut->stored;

    if (cut->next == UINT64_MAX) {
        inode->record.flags &= ~(uint32_t)META_INODE_HAS_CUT_ROWS;
        *rows = (struct cut_rows){.first = UINT64_MAX};
        return;
    }
    inode->record.flags |= META_INODE_HAS_CUT_ROWS;
    rows->first = cut->next;
    rows->stored -= tfs_min_u64(rows->stored, stored);
    if (cut->begins)
        dead_list_add_cut_rows(inode->data->volume->dead, inode->number);
}

/* ---- in the background ---- */

static void put_record(struct tfs_inode *inode, const struct meta_inode *record,
                       struct index_batch *batch)
{
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t bytes[META_INODE_SIZE_MAX];
    size_t size = meta_inode_encode(record, NULL, bytes);

    meta_inode_key(inode->number, key);
    index_batch_put(batch, INDEX_INODE, key, sizeof(key), bytes, size);
}

static uint64_t less(uint64_t value, uint64_t by)
{
    return value - tfs_min_u64(value, by);
}

/* The file's state behind a step. Below the committed end more may be cut, in memory only. */
static void apply_step(struct tfs_inode *inode, const struct meta_inode *record,
                       const struct cut_batch *cut, uint64_t committed_end)
{
    struct cut_rows *rows = &inode->data->cut;

    tfs_mutex_lock(&inode->lock);
    inode->record.version = record->version;
    inode->record.stored_bytes = record->stored_bytes;
    if (rows->first >= committed_end) {
        cut_apply_locked(inode, cut);
    } else {
        inode->record.flags = record->flags;
        rows->stored = less(rows->stored, (uint64_t)cut->stored);
    }
    tfs_mutex_unlock(&inode->lock);
}

/* The first row that may go: those of a cut that is not committed must stay. */
static uint64_t first_to_go(struct tfs_inode *inode, uint64_t committed_end)
{
    uint64_t first;

    tfs_mutex_lock(&inode->lock);
    first = tfs_max_u64(inode->data->cut.first, committed_end);
    tfs_mutex_unlock(&inode->lock);
    return first;
}

/* Returns 1 while there may be more. Holds volume->metadata. */
static int purge_step(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct meta_inode record = inode_record(inode);
    uint64_t committed_end = cut_row_behind(record.size, inode->data->geometry.chunk_size);
    struct index_batch *batch = volume->batch;
    struct refcounts_change change;
    struct cut_batch cut;
    int err;

    if (!(record.flags & META_INODE_HAS_CUT_ROWS))
        return 0;
    index_batch_clear(batch);
    refcounts_begin(volume->refcounts, &change);
    err = cut_put(volume, inode, first_to_go(inode, committed_end), CUT_PURGE_ROWS, batch, &change,
                  &cut);
    if (!err)
        err = cut_put_flag(volume, inode, &cut, &record, batch);
    if (!err) {
        record.stored_bytes = less(record.stored_bytes, (uint64_t)cut.stored);
        record.version++;
        put_record(inode, &record, batch);
        err = txn_commit(volume, batch, &change);
    }
    refcounts_end(&change);
    if (err)
        return err;
    apply_step(inode, &record, &cut, committed_end);
    return cut.next < UINT64_MAX;
}

/* ---- punching ---- */

/* Holds volume->metadata. */
static int remove_rows_locked(struct tfs_volume *volume, struct tfs_inode *inode,
                              const struct purge_range *range, struct purge_rows *ret)
{
    struct meta_inode record = inode_record(inode);
    struct index_batch *batch = volume->batch;
    struct refcounts_change change;
    int err;

    index_batch_clear(batch);
    refcounts_begin(volume->refcounts, &change);
    err = purge_collect_rows(volume, range, batch, &change, ret);
    if (!err && index_batch_count(batch) > 0) {
        record.stored_bytes = less(record.stored_bytes, (uint64_t)ret->stored);
        record.version++;
        put_record(inode, &record, batch);
        err = txn_commit(volume, batch, &change);
    }
    refcounts_end(&change);
    if (err)
        return err;
    tfs_mutex_lock(&inode->lock);
    inode->record.version = record.version;
    inode->record.stored_bytes = record.stored_bytes;
    tfs_mutex_unlock(&inode->lock);
    return 0;
}

int cut_remove(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first, uint64_t end,
               uint64_t *ret_next)
{
    struct purge_range range = {inode->number, &inode->data->geometry, first, end, CUT_PURGE_ROWS};
    struct purge_rows rows;
    int err;

    tfs_mutex_lock(&volume->metadata);
    err = remove_rows_locked(volume, inode, &range, &rows);
    tfs_mutex_unlock(&volume->metadata);
    if (err)
        return err;
    tfs_mutex_lock(&inode->lock);
    chunk_drop_locked(volume, inode, first, tfs_min_u64(rows.next, end));
    tfs_mutex_unlock(&inode->lock);
    *ret_next = rows.next;
    return 0;
}

int cut_purge(struct tfs_volume *volume, uint64_t number)
{
    struct tfs_inode *inode;
    int more = 1;
    int err = inode_get(volume, number, &inode);

    if (err)
        return err == -ESTALE ? 0 : err; /* removed, and purged with all its rows */
    while (inode->data && more > 0) {
        tfs_mutex_lock(&volume->metadata);
        more = purge_step(volume, inode);
        tfs_mutex_unlock(&volume->metadata);
        (void)sched_yield(); /* who waits for the lock gets it */
    }
    inode_put(volume, inode);
    return more < 0 ? more : 0;
}
