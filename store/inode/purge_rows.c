#include "store/inode/purge_rows.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/inode/data.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

/* In one change; frames of small blocks are many in a row. */
enum { PURGE_FRAMES_MAX = 16384 };

int purge_collect_rows(struct tfs_volume *volume, const struct purge_range *range,
                       struct index_batch *batch, struct refcounts_change *change,
                       struct purge_rows *ret)
{
    struct purge_rows rows = {.next = UINT64_MAX};
    struct index_record record;
    struct index_scan *scan;
    unsigned count = 0;
    int more;
    int err = data_scan_rows(volume, range->inode, range->first, &scan);

    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        tfs_cleanup(row_unref_p) struct tfs_row *row = NULL;
        uint64_t number = record.key_size == META_EXTENT_KEY_SIZE
                              ? tfs_get_be64(record.key + META_INODE_KEY_SIZE)
                              : range->first; /* no row, and no use to anybody */

        if (number >= range->end || count == range->count_max ||
            (count > 0 && change->dead_count + change->share_count >= PURGE_FRAMES_MAX)) {
            rows.next = number;
            break;
        }
        /* A row that cannot be read is removed all the same; its frames are found by a check. */
        if (row_decode(record.value, record.value_size, range->geometry, &row) == 0)
            refcounts_replace_row(change, row, NULL);
        rows.stored += row_stored_size(row);
        index_batch_delete(batch, INDEX_EXTENT, record.key, record.key_size);
        count++;
    }
    index_scan_close(scan);
    if (more < 0)
        return more;
    *ret = rows;
    return 0;
}
