/*
 * Files that another file names as lying beside it.
 */
#ifndef TFS_VALIDATE_SIBLING_H
#define TFS_VALIDATE_SIBLING_H

#include "store/base/defs.h"

/* Behind the last slash. */
const char *sibling_base(const char *path);
bool sibling_ends_with(const char *path, const char *ending);

/*
 * Open the regular file `name` in the folder of the file at `path`, for reading. A name may lead
 * into folders below, but not out of them.
 *
 * Returns: a descriptor, and its size.
 * Errors:  -EINVAL (the name leads elsewhere, or to what is no regular file), -ENAMETOOLONG, those
 *          of open(2): -ENOENT is what is missing.
 */
TFS_MUST_CHECK int sibling_open(const char *path, const char *name, uint64_t *ret_size);

/* Is there a file of that name? */
bool sibling_exists(const char *path, const char *name);

#endif
