/*
 * Small filesystems that fill up, for tests of full disks. They are mounted in a mount namespace of
 * the test's own, so nothing is left behind however the test ends.
 */
#ifndef TFS_TEST_SMALL_DISK_H
#define TFS_TEST_SMALL_DISK_H

#include "store/base/defs.h"

enum small_disk_kind { SMALL_DISK_TMPFS, SMALL_DISK_EXT4 };

/*
 * Enter the mount namespace. Call it first in main(): a thread that exists already stays in the old
 * one and would see other files.
 *
 * Returns: 0; or a negative errno where this may not be done (not root): the tests are skipped
 * then.
 */
TFS_MUST_CHECK int small_disk_enter(void);

/* Mount a new filesystem of this kind on `directory`. Returns: 0 or a negative errno, as above. */
TFS_MUST_CHECK int small_disk_mount(enum small_disk_kind kind, const char *directory,
                                    uint64_t size);

/* All of its files must be closed. */
void small_disk_unmount(const char *directory);

/* Write `directory`/filler until nothing more fits, then give `spare` bytes back. */
void small_disk_fill(const char *directory, uint64_t spare);
void small_disk_free(const char *directory); /* removes the filler, and awaits its space */

/*
 * Wait until so many bytes are available. A removed file's blocks are given back when its inode
 * goes, which on a busy machine was seen up to 0.4 s after unlink() of a file that nobody had open.
 */
void small_disk_await(const char *directory, uint64_t size);

#endif
