/*
 * Rows that a truncation has cut off.
 *
 * A cut is one record: the file's new size. The rows behind it stay in the index for a while and
 * are garbage; they go in bounded batches, with the commits of the file and in the background. So a
 * file of a million rows is cut as fast as one of ten, nobody waits for it, and it cannot fail
 * halfway.
 *
 * In the index a flag of the inode's record says that rows behind the one in which the file ends
 * may be there; the size is the bound. It has an orphan row as long, by which the next mount finds
 * it. In memory the bound is `first`, which is lower while a cut is not committed. No row from it
 * on is ever looked at as the file's: the commit that makes the file grow over such rows removes
 * them first, or in the same batch.
 */
#ifndef TFS_CUT_H
#define TFS_CUT_H

#include "store/base/defs.h"

struct index_batch;
struct meta_inode;
struct tfs_inode;
struct tfs_volume;
struct refcounts_change;

/* Of a file in memory, guarded by the inode's lock. */
struct cut_rows {
    uint64_t first;  /* rows of the index from here on are garbage; UINT64_MAX: there are none */
    uint64_t stored; /* what they store, as far as is known: it is part of record.stored_bytes */
};

/* The first row behind the end of a file. */
static inline uint64_t cut_row_behind(uint64_t size, uint32_t chunk_size)
{
    return (size + chunk_size - 1) / chunk_size;
}

/* What the rows from `first` on store, nearly where they are many. For cut_note_locked(). */
uint64_t cut_measure(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first);

/* Rows from `first` on, which store so much, are not the file's any more. The gate is closed; with
 * the inode's lock. */
void cut_note_locked(struct tfs_inode *inode, uint64_t first, uint64_t stored);

/* The row is one of them. With the inode's lock. */
bool cut_has_locked(const struct tfs_inode *inode, uint64_t row);

/* What a batch does to them. */
struct cut_batch {
    uint64_t next;  /* the first that is left; UINT64_MAX: none */
    int64_t stored; /* by those that go */
    bool begins;    /* the flag is new in the record */
};

/*
 * Add the removal of up to count_max of the rows from `first` on. volume->metadata is held, as by
 * the two below.
 */
TFS_MUST_CHECK int cut_put(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                           unsigned count_max, struct index_batch *batch,
                           struct refcounts_change *change, struct cut_batch *ret);

/* The flag in the record that goes with it, and the orphan row. Errors: of format_use_feature(). */
TFS_MUST_CHECK int cut_put_flag(struct tfs_volume *volume, struct tfs_inode *inode,
                                struct cut_batch *cut, struct meta_inode *record,
                                struct index_batch *batch);

/* The batch was committed. With the inode's lock. */
void cut_apply_locked(struct tfs_inode *inode, const struct cut_batch *cut);

/*
 * Rows and chunks of [first, end) go at once, as many as a batch should remove: they are punched.
 * *ret_next is the first row that is left, at or behind `end` none. The gate is closed. Errors: of
 * the index, and nothing was removed. Takes volume->metadata.
 */
TFS_MUST_CHECK int cut_remove(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                              uint64_t end, uint64_t *ret_next);

/* Remove those of a file whose cut is committed. Holds nothing; takes volume->metadata for each
 * batch. */
TFS_MUST_CHECK int cut_purge(struct tfs_volume *volume, uint64_t inode);

#endif
