/*
 * Putting a manifest where somebody wants it.
 */
#ifndef TFS_VALIDATE_MANIFEST_SAVE_H
#define TFS_VALIDATE_MANIFEST_SAVE_H

#include "tools/validate/file_list.h"

/*
 * Write the checksums of all files, which are sorted by name for it. A file appears at `path` whole
 * or not at all; what is there and is no regular file (a device, a pipe) is written to as it is.
 *
 * Errors: said: -EEXIST (two files of one name), -EIO (a file could not be read, so it has no place
 *         in a manifest), -EINVAL (a name with a line break), -EINTR, others of files.
 */
TFS_MUST_CHECK int manifest_save(const char *path, struct file_list *list);

#endif
