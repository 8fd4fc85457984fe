/*
 * Memory of inodes that the kernel has let go of, back to the system. The allocator keeps what it
 * was given in the arenas of many threads, a little of everything in each page, and each round of
 * listing and forgetting took more: 60,000 files listed six times made 65 MiB of a process 335,
 * all of which malloc_trim() gives back.
 */
#ifndef TFS_TRIM_H
#define TFS_TRIM_H

#include "store/base/workers.h"

#include <stdatomic.h>

struct tfs_volume;

struct trim {
    struct tfs_job job;
    atomic_ullong dropped;    /* objects since the last one; relaxed, a hint */
    atomic_ullong trimmed_ns; /* when that was; relaxed */
    atomic_bool queued;       /* the job is on its way */
};

void trim_init(struct trim *trim);

/* An inode's object was freed. Cheap; once many were, and not every moment, an idle worker trims.
 */
void trim_note_dropped(struct tfs_volume *volume);

/* Now and then: what came too soon after the last time. */
void trim_rest(struct tfs_volume *volume);

#endif
