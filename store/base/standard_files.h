/*
 * Standard input, output and error of a program that may have been started without them.
 */
#ifndef TFS_BASE_STANDARD_FILES_H
#define TFS_BASE_STANDARD_FILES_H

#include "store/base/defs.h"

/*
 * Open /dev/null with `flags` in place of each of the three that is closed, so that no file, socket
 * or store that is opened later gets its number and is written into by printf.
 *
 * Threads: call it first in main(). Errors: those of open(2).
 */
TFS_MUST_CHECK int tfs_fill_standard_files(int flags);

#endif
