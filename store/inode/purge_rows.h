/*
 * Rows that go, with the frames that only they show: of a file that was removed, cut or punched.
 *
 * Threads: volume->metadata is held.
 */
#ifndef TFS_PURGE_ROWS_H
#define TFS_PURGE_ROWS_H

#include "store/base/defs.h"

struct index_batch;
struct row_geometry;
struct tfs_volume;
struct refcounts_change;

/* Rows of an inode: so many of those in [first, end). */
struct purge_range {
    uint64_t inode;
    const struct row_geometry *geometry;
    uint64_t first;
    uint64_t end;
    unsigned count_max;
};

struct purge_rows {
    uint64_t next;  /* the first row from `first` on that is left, UINT64_MAX: none */
    int64_t stored; /* by those that go */
};

/* Add the deletion of rows and of what they use to a batch. volume->metadata is held. */
TFS_MUST_CHECK int purge_collect_rows(struct tfs_volume *volume, const struct purge_range *range,
                                      struct index_batch *batch, struct refcounts_change *change,
                                      struct purge_rows *ret);

#endif
