/*
 * The place that is measured: a directory that exists, or a tensorfs mounted for the purpose. Work
 * is done in a scratch directory below it, which target_close removes.
 */
#ifndef TENSORFS_BENCH_TARGET_H
#define TENSORFS_BENCH_TARGET_H

#include "store/base/defs.h"

#include <limits.h>

struct mount;
struct target_settings;

struct target {
    char label[64];         /* for tables: the directory's last part, or "tensorfs" */
    char scratch[PATH_MAX]; /* what target_close removes; "" when nothing was made */
    char work[PATH_MAX];    /* an empty directory to work in */
    struct mount *mount;    /* NULL: somebody else's directory */
};

/*
 * The target that --dir or --store-dir name. Close it also after a failure.
 *
 * Errors: said: of directory_make_scratch, mount_new (-ENOENT: no binary) and mount_start; -EINTR.
 */
TFS_MUST_CHECK int target_open(struct target *target, const struct target_settings *settings);

enum { TARGET_PLACES_MAX = 2 };

/*
 * The target of --dir or --store-dir, and behind it that of --baseline when there is one; each must
 * have room for `bytes`. Close all TARGET_PLACES_MAX of them, which must be zeroed at first, also
 * after a failure.
 *
 * Errors: said; -ENOSPC.
 */
TFS_MUST_CHECK int target_open_places(struct target *const targets[TARGET_PLACES_MAX],
                                      const struct target_settings *settings, uint64_t bytes,
                                      unsigned *ret_count);

/* Unmount and remove, also after an interrupt. */
void target_close(struct target *target);

/* Remove what is in work. Errors: as directory_empty, like -EACCES. */
TFS_MUST_CHECK int target_empty(struct target *target);

enum target_cold {
    TARGET_COLD_ADVISED = 1 << 0,  /* posix_fadvise(DONTNEED) on each file */
    TARGET_COLD_DROPPED = 1 << 1,  /* /proc/sys/vm/drop_caches */
    TARGET_COLD_REMOUNTED = 1 << 2 /* our own tensorfs was unmounted and mounted again */
};

/*
 * Make what was written cold: write back, remount our own tensorfs, drop the kernel's caches where
 * we may, else advise each file out of them.
 *
 * Returns: what was done, bits of enum target_cold.
 * Errors:  said: as mount_stop, mount_start and directory_drop_cached, like -EIO and -EACCES.
 */
TFS_MUST_CHECK int target_make_cold(struct target *target);

/* What those bits mean, and what stayed warm, in words. */
const char *target_cold_text(const struct target *target, int cold);

#endif
