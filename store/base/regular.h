/*
 * Files of a directory whose content may be hostile: only regular ones are opened, and no link is
 * followed, so that nothing outside of the directory is read, cut or overwritten in their place.
 */
#ifndef TFS_BASE_REGULAR_H
#define TFS_BASE_REGULAR_H

#include "store/base/defs.h"

/*
 * Open a regular file in `directory`, or make it when `flags` say so, for its owner alone.
 *
 * A device, a pipe or a socket is not even opened: that may wait, or do something. What takes the
 * file's place between the look and the open can be a pipe at worst, and is refused all the same.
 *
 * Returns: the descriptor. Errors: -EUCLEAN: it is something else; those of openat(2).
 */
TFS_MUST_CHECK int tfs_regular_open(int directory, const char *name, int flags);

/*
 * Look for something in the directory `name` of `directory` that is neither a regular file nor a
 * directory.
 *
 * Returns: 1 and its name, 0 when there is none. Errors: -EUCLEAN: `name` is no directory, or a
 * link; those of openat(2).
 */
enum { TFS_REGULAR_NAME_SIZE = 256 };
TFS_MUST_CHECK int tfs_regular_find_other(int directory, const char *name,
                                          char ret[TFS_REGULAR_NAME_SIZE]);

#endif
