/*
 * Directories of ours: made, measured, emptied from caches, removed. Nothing here follows a
 * symbolic link.
 */
#ifndef TENSORFS_BENCH_DIRECTORY_H
#define TENSORFS_BENCH_DIRECTORY_H

#include "store/base/defs.h"

/*
 * Make "PARENT/tensorfs-bench.XXXXXX" and return its path.
 *
 * Errors: said: -ENAMETOOLONG; of mkdtemp(3), like -ENOENT and -EACCES.
 */
TFS_MUST_CHECK int directory_make_scratch(const char *parent, char *ret_path, size_t size);

/*
 * Remove the directory and all below it, within its filesystem. Gone already: 0.
 *
 * Errors: said: -ENOMEM; of reading directories and of what is done to
 * an entry, like -EACCES and -EIO.
 */
TFS_MUST_CHECK int directory_remove(const char *path);

/* Remove what is in it. Errors: as directory_remove, like -EACCES. */
TFS_MUST_CHECK int directory_empty(const char *path);

/* The sum of what files below take on disk (st_blocks), bytes. Errors: as directory_remove, like
 * -EACCES. */
TFS_MUST_CHECK int directory_stored_bytes(const char *path, uint64_t *ret);

/* posix_fadvise(DONTNEED) on each file below. Errors: as directory_remove, like -EACCES. */
TFS_MUST_CHECK int directory_drop_cached(const char *path);

/*
 * Check that `bytes` and a reserve of 5 % and 16 MiB fit onto the filesystem of `path`.
 *
 * Errors: -ENOSPC, said with both figures.
 */
TFS_MUST_CHECK int directory_demand_space(const char *path, uint64_t bytes);

#endif
