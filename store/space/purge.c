/*
 * Purging an inode. Each batch removes up to PURGE_ROWS_MAX chunk rows with what they use; the last
 * one removes the extended attributes, the inode and its orphan row as well.
 */
#include "store/space/purge.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/inode/purge_rows.h"
#include "store/segment/segment.h"
#include "store/space/punch.h"
#include "store/tables/super.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/txn/txn.h"
#include "store/volume.h"

#include <errno.h>
#include <sys/stat.h>

/* In one change. */
enum { PURGE_ROWS_MAX = 512, PURGE_XATTRS_MAX = 64 };

static int read_record(struct tfs_volume *volume, uint64_t inode, struct meta_inode *ret)
{
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    const char *target;
    int err;

    meta_inode_key(inode, key);
    err = index_get(volume->index, INDEX_INODE, key, sizeof(key), &value);
    if (err)
        return err;
    err = meta_inode_decode(value.data, value.size, ret, &target);
    index_value_release(&value);
    return err;
}

/* Adds the deletion of attributes. Passing over their values, of 64 KiB each, takes its time. */
static int collect_xattrs(struct tfs_volume *volume, uint64_t inode, struct index_batch *batch)
{
    uint8_t prefix[META_INODE_KEY_SIZE];
    struct index_range range = {
        .table = INDEX_XATTR, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    int count = 0;
    int more = 0;
    int err;

    meta_inode_key(inode, prefix);
    err = index_scan_open(volume->index, &range, &scan);
    if (err)
        return err;
    while (count < PURGE_XATTRS_MAX && (more = index_scan_next(scan, &record)) > 0) {
        index_batch_delete(batch, INDEX_XATTR, record.key, record.key_size);
        count++;
    }
    index_scan_close(scan);
    return more < 0 ? more : count;
}

/* The batch takes the inode, and with it what fallocate has kept for it. */
static void collect_inode(struct tfs_volume *volume, uint64_t inode,
                          const struct meta_inode *record, struct index_batch *batch)
{
    uint8_t key[META_INODE_KEY_SIZE];

    meta_inode_key(inode, key);
    index_batch_delete(batch, INDEX_INODE, key, sizeof(key));
    index_batch_delete(batch, INDEX_ORPHAN, key, sizeof(key));
    if (record->allocation.room > 0)
        super_put_allocated(batch, volume->allocated - record->allocation.room);
}

static void give_room_back(struct tfs_volume *volume, const struct meta_inode *record)
{
    volume->allocated -= record->allocation.room;
    segments_unkeep(volume->segments, record->allocation.room);
}

/* One step under the lock. *first is the first row that may be left, and moves on: what was deleted
 * is passed over slowly. Returns 1 while there may be more, 0 when the inode is gone. */
static int purge_step(struct tfs_volume *volume, uint64_t inode, const struct meta_inode *record,
                      uint64_t *first, struct index_batch *batch)
{
    struct row_geometry geometry = data_geometry(record->chunk_size_log2);
    struct purge_range range = {inode, &geometry, *first, UINT64_MAX, PURGE_ROWS_MAX};
    struct purge_rows rows = {.next = UINT64_MAX};
    struct refcounts_change change;
    int xattrs = 0;
    bool more;
    int err = 0;

    refcounts_begin(volume->refcounts, &change);
    index_batch_clear(batch);
    if (meta_inode_may_have_rows(record) && *first < UINT64_MAX)
        err = purge_collect_rows(volume, &range, batch, &change, &rows);
    if (!err && rows.next == UINT64_MAX && record->flags & META_INODE_HAS_XATTRS)
        xattrs = collect_xattrs(volume, inode, batch);
    if (xattrs < 0)
        err = xattrs;
    more = rows.next < UINT64_MAX || xattrs == PURGE_XATTRS_MAX;
    if (!err && !more)
        collect_inode(volume, inode, record, batch);
    if (!err)
        err = txn_commit(volume, batch, &change);
    refcounts_end(&change);
    if (err)
        return err;
    *first = rows.next;
    if (!more)
        give_room_back(volume, record);
    return more;
}

/*
 * Whether the inode was removed: its orphan row says so, a link count of 0 alone does not. A store
 * that is damaged, or whose repair was interrupted, may have that in a record to which names lead.
 */
static int check_removed(struct tfs_volume *volume, uint64_t inode, const struct meta_inode *record)
{
    uint8_t key[META_INODE_KEY_SIZE];
    struct index_value value;
    int err;

    if (record->nlink > 0 || inode == TFS_ROOT_INODE)
        return tfs_fail(-EUCLEAN, "inode %llu is an orphan and has %u names",
                        (unsigned long long)inode, record->nlink);
    meta_inode_key(inode, key);
    err = index_get(volume->index, INDEX_ORPHAN, key, sizeof(key), &value);
    if (!err)
        index_value_release(&value);
    return err == -ENOENT ? tfs_fail(-EUCLEAN, "inode %llu has no names and is no orphan",
                                     (unsigned long long)inode)
                          : err;
}

int purge_inode(struct tfs_volume *volume, uint64_t inode)
{
    struct index_batch *batch;
    struct meta_inode record;
    uint64_t first = 0;
    int more = 1;
    int err = read_record(volume, inode, &record);

    if (err == -ENOENT)
        return 0;
    if (!err)
        err = check_removed(volume, inode, &record);
    if (!err)
        err = index_batch_new(&batch);
    if (err)
        return err;
    while (more > 0) {
        tfs_mutex_lock(&volume->metadata);
        more = purge_step(volume, inode, &record, &first, batch);
        tfs_mutex_unlock(&volume->metadata);
        punch_relieve(volume);
    }
    index_batch_free(batch);
    return more;
}

/* Of an inode with a name rows were cut off. Where that cannot be read, purging says why. */
static void hand_over(struct tfs_volume *volume, uint64_t inode)
{
    struct meta_inode record;

    if (read_record(volume, inode, &record) == 0 && record.nlink > 0 &&
        record.flags & META_INODE_HAS_CUT_ROWS)
        dead_list_add_cut_rows(volume->dead, inode);
    else
        dead_list_add_inode(volume->dead, inode);
}

int purge_find_orphans(struct tfs_volume *volume)
{
    struct index_range range = {.table = INDEX_ORPHAN};
    struct index_record record;
    struct index_scan *scan;
    int more;
    int err = index_scan_open(volume->index, &range, &scan);

    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        if (record.key_size == META_INODE_KEY_SIZE)
            hand_over(volume, tfs_get_be64(record.key));
    }
    index_scan_close(scan);
    return more;
}
