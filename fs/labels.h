/*
 * The options of SELinux, which mount(8) has for every filesystem: context, fscontext, defcontext,
 * rootcontext. They are the kernel's: it labels the files of the mount.
 */
#ifndef TFS_FS_LABELS_H
#define TFS_FS_LABELS_H

#include "fs/options.h"

/* Whether the kernel will take those that were given. Errors: -EINVAL, with a message. */
TFS_MUST_CHECK int labels_check(const struct options *options, struct tfs_message *message);

/* Adds them to a list of options for libfuse, which gives them to mount(2). Errors: -ENOMEM. */
TFS_MUST_CHECK int labels_add(const struct options *options, char **list);

#endif
