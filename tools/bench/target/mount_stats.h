/*
 * What a mounted tensorfs counts itself: the xattr user.tensorfs.stats of the mount's root, a JSON
 * object.
 */
#ifndef TENSORFS_BENCH_MOUNT_STATS_H
#define TENSORFS_BENCH_MOUNT_STATS_H

#include "store/base/defs.h"

struct mount_stats {
    double cache_hits; /* since the mount */
    double cache_misses;
    double cache_bytes_max;
    double memory_used; /* bytes: dirty, in flight and cached */
    double memory_budget;
};

/*
 * The statistics of the mount that `path` lies on.
 *
 * Errors: -ENODATA when it is no tensorfs or says less than this; of getxattr. Not said.
 */
TFS_MUST_CHECK int mount_stats_read(const char *path, struct mount_stats *ret);

#endif
