/*
 * A tensorfs of our own: a store below a scratch directory, mounted and unmounted as often as a
 * test asks.
 *
 *   mount_new -> [mount_start -> mount_stop]* -> mount_free
 *
 * The daemon stays in the foreground as our child, so that its end, and with it durability, can be
 * waited for.
 */
#ifndef TENSORFS_BENCH_MOUNT_H
#define TENSORFS_BENCH_MOUNT_H

#include "store/base/defs.h"

struct mount;

/*
 * Find the tensorfs binary: `binary` when given, else beside this program, in the build tree, in
 * PATH.
 *
 * ret_path: PATH_MAX bytes. Errors: -ENOENT, said.
 */
TFS_MUST_CHECK int mount_find_binary(const char *binary, char *ret_path);

/*
 * Prepare `scratch`/store, `scratch`/mnt and a log. Nothing is mounted yet.
 *
 * options: for -o, or NULL. binary: explicit path, or NULL to look it up (process_find).
 * Errors:  said; -ENOENT when there is no tensorfs binary.
 */
TFS_MUST_CHECK int mount_new(const char *scratch, const char *binary, const char *options,
                             struct mount **ret);

/* Unmounts when needed. Accepts NULL. */
void mount_free(struct mount *mount);

/*
 * Returns when the mountpoint answers.
 *
 * Errors: -EINTR; said: -EIO when the daemon ended, with the end of its log; -ETIMEDOUT; of
 * process_start.
 */
TFS_MUST_CHECK int mount_start(struct mount *mount);

/*
 * Unmount and wait until the daemon has ended, so that all is durable. Whatever fails, neither
 * daemon nor mount is left.
 *
 * Errors: said: -EBUSY and others of umount(2); -ETIMEDOUT; -EIO when the daemon failed, with the
 * end of its log.
 */
TFS_MUST_CHECK int mount_stop(struct mount *mount);

const char *mount_point(const struct mount *mount);
const char *mount_store(const struct mount *mount);

/* CPU seconds that the running daemon has used, user and system; 0 when it does not run. */
double mount_cpu_seconds(const struct mount *mount);

/* The most resident memory that the running daemon had, bytes; 0 when it does not run. */
uint64_t mount_peak_bytes(const struct mount *mount);

#endif
