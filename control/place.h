/*
 * Which file a command is about: the members "inode" (a number, as stat(2) on the mount gives it)
 * or "path" (within the volume; names separated by '/', symbolic links are not followed).
 */
#ifndef TFS_CONTROL_PLACE_H
#define TFS_CONTROL_PLACE_H

#include "control/call.h"

/*
 * Find it and hold it: give it back with control_place_put(). Without either member it is the root.
 *
 * Errors: -ENOENT, -ENOTDIR, -ESTALE, -EINVAL, with a sentence.
 */
TFS_MUST_CHECK int control_place_get(struct control_call *call, struct tfs_attr *ret);
void control_place_put(struct control_call *call, const struct tfs_attr *attr);

#endif
