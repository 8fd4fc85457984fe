/*
 * A snapshot: what one commit writes of one file. Taken under the inode's lock, made part of a
 * batch later, and then applied to the file's state in memory or dropped.
 */
#ifndef TFS_SNAPSHOT_H
#define TFS_SNAPSHOT_H

#include "store/chunk.h"
#include "store/meta.h"
#include "store/promise.h"
#include "store/usage.h"

struct index_batch;

struct snapshot_chunk {
    struct tfs_chunk *chunk; /* one of its users */
    struct tfs_row *source;  /* chunk->row when it was taken */
    struct tfs_row *row;     /* the same, clipped to the size that is committed */
};

struct snapshot {
    struct tfs_inode *inode; /* borrowed */
    struct snapshot_chunk *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    uint64_t size;                     /* to be committed */
    struct promise promise;            /* of that size, until it is committed */
    struct meta_allocation allocation; /* likewise to be committed */
    bool times_changed;                /* the record has times that are not committed */
    bool appended; /* some row has a frame that is not committed yet: sync the segments first */
    int64_t stored_delta;
    int64_t room_delta; /* of the allocation */
    int error;          /* -ENOMEM while it was taken */
};

TFS_MUST_CHECK int snapshot_take(struct tfs_inode *inode, struct snapshot *ret);

/* Nothing to write: the file is as the index has it. */
bool snapshot_is_empty(const struct snapshot *snapshot);

/* Add the rows and the inode's record. volume->metadata is held. */
void snapshot_put(struct snapshot *snapshot, struct index_batch *batch,
                  struct usage_change *change);

/* The batch was committed: the file's state says so. */
void snapshot_apply(struct snapshot *snapshot);

/* The batch was not committed, or the snapshot is not needed. */
void snapshot_drop(struct tfs_volume *volume, struct snapshot *snapshot);

#endif
