/*
 * What the kernel says of a mount in /proc/self/mountinfo: proc(5). It is the kernel's own list:
 * no filesystem is asked, so nobody waits for one that hangs, us included.
 */
#ifndef TFS_FS_MOUNTINFO_H
#define TFS_FS_MOUNTINFO_H

#include "store/base/defs.h"

#include <sys/types.h>

struct mountinfo {
    dev_t device;
    char type[64];   /* "fuse.tensorfs" */
    char flags[512]; /* ",rw,nosuid,relatime,rw,user_id=0,": of the mount, then of the filesystem */
};

/* One line; `line` is taken apart. Returns whether it is a mount on that directory, an absolute
 * path; *ret stays untouched when not. */
bool mountinfo_parse(char *line, const char *mountpoint, struct mountinfo *ret);

/* The uppermost mount on the directory. False when there is none, or no /proc. */
bool mountinfo_find(const char *mountpoint, struct mountinfo *ret);

/* "ro" holds when the mount or its filesystem has it. */
bool mountinfo_has(const struct mountinfo *mount, const char *flag);

#endif
