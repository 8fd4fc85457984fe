/*
 * Extended attributes that are computed, and that tell of a file or of the mount. They are not
 * listed and can only be read. The mount serves them; the store has none of them.
 */
#ifndef TFS_CONTROL_ATTRIBUTE_H
#define TFS_CONTROL_ATTRIBUTE_H

#include "store/store.h"

#define CONTROL_ATTRIBUTE_PREFIX "user.tensorfs."

/* Of any file: where its mount listens; and where it also listens, for who cannot see the store. */
#define CONTROL_ATTRIBUTE_ADDRESS        CONTROL_ATTRIBUTE_PREFIX "control"
#define CONTROL_ATTRIBUTE_SECOND_ADDRESS CONTROL_ATTRIBUTE_PREFIX "control.abstract"

/* Of a regular file: what became of its bytes, struct tfs_file_info as JSON. */
#define CONTROL_ATTRIBUTE_INFO CONTROL_ATTRIBUTE_PREFIX "info"

/* Of the root: struct tfs_volume_stats as JSON. */
#define CONTROL_ATTRIBUTE_STATS CONTROL_ATTRIBUTE_PREFIX "stats"

enum { CONTROL_ATTRIBUTE_INFO_SIZE_MAX = 64 * 1024 }; /* far above what there can be to tell */

/* Whether the name is one of the four. */
bool control_attribute_is_computed(const char *name);

/*
 * The text of CONTROL_ATTRIBUTE_INFO or CONTROL_ATTRIBUTE_STATS of an inode. The first commits the
 * file, so it may block.
 *
 * Ownership: *ret is the caller's, free().
 * Errors:    -ENODATA (another name; not a regular file; not the root), -ESTALE, -ENOMEM, -EIO.
 */
TFS_MUST_CHECK int control_attribute_read(struct tfs_volume *volume, uint64_t inode,
                                          const char *name, char **ret);

#endif
