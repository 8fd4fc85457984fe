/*
 * Which segments are worth to be compacted.
 */
#ifndef TFS_COMPACT_CHOOSE_H
#define TFS_COMPACT_CHOOSE_H

#include "store/txn/refcounts.h"

enum { COMPACT_VICTIMS_MAX = 256 };

struct tfs_volume;

struct compact_victims {
    struct refcounts_segment segments[COMPACT_VICTIMS_MAX]; /* by number */
    size_t count;
    uint64_t live_bytes; /* of all of them, to be moved */
};

/*
 * Sealed segments of whose space on the disk at least `dead_percent_min` is dead, and those of
 * which hardly anything is live: the emptiest first, and as many as
 * half of what the disk has left can take the frames of. Errors: -ENOSPC (not even one), -EIO.
 */
TFS_MUST_CHECK int compact_choose(struct tfs_volume *volume, unsigned dead_percent_min,
                                  struct compact_victims *ret);

bool compact_is_victim(const struct compact_victims *victims, uint64_t segment);

#endif
