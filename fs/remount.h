/*
 * mount -o remount: what can be changed of a mount is changed, and all else is refused by name.
 */
#ifndef TFS_FS_REMOUNT_H
#define TFS_FS_REMOUNT_H

#include "fs/options.h"

/*
 * Change the mount at options->mountpoint. The kernel's flags (ro, noexec, nosuid, ...) and the
 * access times can be changed; any other option that was given has to be what the mount has.
 *
 * mount(8) does not pass suid, dev, exec, atime and symfollow on, for they are its defaults. So
 * nosuid and its like are only taken off where the opposite was named, or where all that the mount
 * has was given, which the kernel's own user_id= shows; else they stay, and that is said on
 * standard error.
 *
 * Errors: negative errno; *message has the line for the user, and nothing was changed.
 */
TFS_MUST_CHECK int remount_change(const struct options *options, struct tfs_message *message);

/* For tests: the flags of mount(2), from those of statvfs(3) that it has now. *ret_kept gets
 * those of statvfs(3) that stay although they were not asked for. */
unsigned long remount_flags(const struct options *options, unsigned long now,
                            unsigned long *ret_kept);

#endif
