/*
 * A commit image: what one commit writes of one file. Taken under the inode's lock, made part of
 * one or several batches later, and each time applied to the file's state in memory; or dropped.
 *
 * Between batches the index has a state that a crash may leave: the first of the rows, and a size
 * that ends before the first that is missing.
 */
#ifndef TFS_COMMIT_IMAGE_H
#define TFS_COMMIT_IMAGE_H

#include "store/inode/chunk.h"
#include "store/inode/cut.h"
#include "store/tables/meta.h"
#include "store/txn/refcounts.h"

struct index_batch;

struct commit_image_chunk {
    struct tfs_chunk *chunk; /* one of its users */
    struct tfs_row *source;  /* chunk->row when it was taken */
    struct tfs_row *row;     /* the same, clipped to the size that is committed */
};

struct commit_image {
    struct tfs_inode *inode; /* borrowed */
    struct commit_image_chunk *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    uint64_t size;                     /* to be committed */
    struct meta_allocation allocation; /* likewise */
    uint64_t index_end;                /* up to here the rows in the index are the file's */
    uint64_t first_row;                /* in which that was when it was taken */
    bool times_changed;                /* the record has times that are not committed */
    bool appended; /* some row has a frame that is not committed yet: sync the segments first */
    int error;     /* -ENOMEM while it was taken */

    struct cut_batch cut; /* what the batch that is being made does to cut-off rows */
    bool has_cut;         /* there are any */
    size_t applied_count; /* so many rows were in earlier batches */
    size_t put_count;     /* and so many are with the batch that is being made */
    uint64_t put_size;    /* the size in that batch */
    int64_t stored_delta; /* of the record's stored_bytes, likewise */
    int64_t room_delta;   /* of its allocation */
};

/*
 * Until it is applied to its end or dropped the file's gate cannot be closed.
 *
 * Errors: -EAGAIN (the gate is closed, or an earlier image is not finished; *ret is untouched),
 *         -ENOMEM (to be dropped).
 */
TFS_MUST_CHECK int commit_image_take(struct tfs_inode *inode, struct commit_image *ret);

/* Nothing to write: the file is as the index has it. */
bool commit_image_is_empty(const struct commit_image *image);

/* How much of a file a batch may carry. */
struct commit_image_limit {
    size_t row_bytes;  /* but at least one row */
    unsigned cut_rows; /* that are removed; at least one */
};

/* Add rows, the removal of rows that were cut off, and the inode's record. volume->metadata is
 * held. */
void commit_image_put(struct commit_image *image, const struct commit_image_limit *limit,
                      struct index_batch *batch, struct refcounts_change *change);

/* The batch was committed, or the image was empty: the file's state says so. Returns whether
 * that was all of it; if not, the rest is to be put into another batch. */
TFS_MUST_CHECK bool commit_image_apply(struct commit_image *image);

/* The batch was not committed, or the image is not needed. */
void commit_image_drop(struct tfs_volume *volume, struct commit_image *image);

#endif
