/*
 * Giving back space now: what reclaim and compaction do by themselves, for somebody who asks.
 */
#ifndef TFS_GC_H
#define TFS_GC_H

#include "store/store.h"

struct tfs_gc_options {
    /* Called now and then with bytes moved and to be moved; false ends it with -ECANCELED. May be
     * NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct tfs_gc_result {
    uint64_t bytes_before; /* that the segments took on the disk */
    uint64_t bytes_after;
    uint64_t segments_before;
    uint64_t segments_after;
    uint64_t moved_frames;
    uint64_t moved_bytes;
    uint64_t kept_rows; /* of which frames could not be moved: in use just then, or damaged */
};

/*
 * Give back the space of what was removed, and move what is in use out of segments that are mostly
 * dead. Commits everything first.
 *
 * Errors:  -ECANCELED, -ENOSPC (no room for copies), -EROFS; *ret is filled as far as it came.
 * Threads: any. May block.
 */
TFS_MUST_CHECK int tfs_volume_gc(struct tfs_volume *volume, const struct tfs_gc_options *options,
                                 struct tfs_gc_result *ret);

#endif
