/*
 * The end of a change of rows in the index: one batch has the rows and the counts of their frames,
 * and the frames that it killed go to reclaim with the number of its commit.
 *
 * Threads: volume->metadata is held.
 */
#ifndef TFS_TXN_H
#define TFS_TXN_H

#include "store/base/defs.h"

struct index_batch;
struct tfs_volume;
struct refcounts_change;

/* Commit the batch with the counts of the change; refcounts_end() stays the caller's. Errors: of
 * refcounts_finish() and index_commit(); then nothing has changed. */
TFS_MUST_CHECK int txn_commit(struct tfs_volume *volume, struct index_batch *batch,
                              struct refcounts_change *change);

/* The same behind a batch that has the counts (refcounts_finish()) and was committed just now. */
void txn_committed(struct tfs_volume *volume, struct refcounts_change *change);

#endif
