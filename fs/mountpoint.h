/*
 * Where to mount and where the store is: the checks that come before anything is touched.
 */
#ifndef TFS_FS_MOUNTPOINT_H
#define TFS_FS_MOUNTPOINT_H

#include "fs/options.h"

/*
 * Make options->mountpoint absolute and check that it can be mounted on: a directory that is no
 * tensorfs mount already.
 *
 * Errors: negative errno; *message has the line for the user.
 */
TFS_MUST_CHECK int mountpoint_check(struct options *options, struct tfs_message *message);

/*
 * Make options->mountpoint absolute and check that a tensorfs mount is there.
 *
 * Errors: as above.
 */
TFS_MUST_CHECK int mountpoint_find(struct options *options, struct tfs_message *message);

/*
 * Make options->store absolute, with the default when none was given, and point volume.path at it.
 * Refuses a store inside of the mountpoint and a mountpoint inside of the store. Makes no
 * directory. Call it after mountpoint_check().
 */
TFS_MUST_CHECK int mountpoint_resolve_store(struct options *options, struct tfs_message *message);

/* Make the directories above the store, 0700. For a default store; where the user names one, its
 * parent has to be there, so that a slip of the pen makes no new tree. */
TFS_MUST_CHECK int mountpoint_make_parents(const char *store, struct tfs_message *message);

#endif
