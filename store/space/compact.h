/*
 * Compaction: frames in use move out of segments that are mostly dead, so that the segments can be
 * removed. Where holes can be punched, dead frames cost nothing and this is for tidiness; where
 * they cannot, it is how space comes back.
 */
#ifndef TFS_COMPACT_H
#define TFS_COMPACT_H

#include "store/base/defs.h"

#include <stdatomic.h>

struct tfs_volume;

struct compact_options {
    unsigned dead_percent_min; /* of what a segment takes on the disk, for it to be worth it */
    const atomic_bool *stop;   /* may be NULL; true ends the run early */
    size_t frames_max;         /* that are remembered at a time; 0: as the memory allows */
    /* Called now and then with the bytes that were moved and are to be; false ends the run. May be
     * NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct compact_result {
    uint64_t segments; /* that were to be emptied */
    uint64_t moved_frames;
    uint64_t moved_bytes; /* padding included */
    uint64_t kept_rows;   /* that could not be moved: in use just then, or damaged */
};

/*
 * One run over all segments that are worth it now (compact_choose.h), after a run in progress has
 * ended. They are removed by reclaim, when they are empty and that is durable.
 *
 * Errors: -ECANCELED, -ENOSPC, -ENOMEM, of the index and the segments. Frames that were moved
 * before an error stay moved. Threads: any; takes volume->metadata and gates of files for moments,
 * hold nothing.
 */
TFS_MUST_CHECK int compact_run(struct tfs_volume *volume, const struct compact_options *options,
                               struct compact_result *ret);

#endif
