/*
 * The settings of a volume that the index keeps: table `super`. docs/FORMAT.md lists them.
 */
#ifndef TFS_SUPER_H
#define TFS_SUPER_H

#include "store/base/defs.h"

struct tfs_index;
struct tfs_volume;

struct super {
    uint64_t name_hash_seed;
    bool clean;              /* the last mount ended in order */
    uint64_t sweep_from;     /* segments from this number on may hold what was never committed */
    uint64_t resume_segment; /* clean: where appending goes on; 0: nowhere */
    uint64_t resume_offset;
    bool repairing;     /* a repair has begun to correct the store and was not run to its end */
    uint64_t allocated; /* room that all files' allocations have */
};

/* The setting of that, which the check puts and takes away. */
#define SUPER_REPAIRING "repairing"

/* Make the settings and the root directory of a new volume, durably. Harmless when they are there
 * already. */
TFS_MUST_CHECK int super_create(struct tfs_index *index);

TFS_MUST_CHECK int super_read(struct tfs_index *index, struct super *ret);

/* A writable mount begins (clean = false, durably, before anything is appended) or ends (clean =
 * true). */
TFS_MUST_CHECK int super_write_state(struct tfs_index *index, const struct super *super);

/* All allocations have that much room after the batch. */
struct index_batch;
void super_put_allocated(struct index_batch *batch, uint64_t room);

/* The sweep is done up to this segment. */
TFS_MUST_CHECK int super_set_sweep_from(struct tfs_volume *volume, uint64_t segment);

#endif
