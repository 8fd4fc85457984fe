/*
 * Writes tar archives of small texts: POSIX ustar, pax(1) of IEEE Std 1003.1.
 */
#ifndef TFS_CTL_TAR_H
#define TFS_CTL_TAR_H

#include "store/base/defs.h"

#include <stdio.h>

enum { TAR_NAME_SIZE_MAX = 99 };

/* Add a regular file of mode 0600. Errors: -EIO, -ENAMETOOLONG, -EFBIG (8 GiB and more). */
TFS_MUST_CHECK int tar_add(FILE *out, const char *name, const void *data, size_t size);

/* The two empty blocks that end an archive. Errors: -EIO. */
TFS_MUST_CHECK int tar_end(FILE *out);

#endif
