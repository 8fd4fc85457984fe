/*
 * Who else has a mount: it lives on in the mount namespaces that were copied while it was there,
 * and with it its process.
 */
#ifndef TFS_BASE_MOUNTS_H
#define TFS_BASE_MOUNTS_H

#include "store/base/defs.h"

#include <sys/types.h>

struct tfs_mount_copy {
    pid_t pid;           /* of one that is in the namespace */
    char name[32];       /* its program, safe to print */
    char mount_name[32]; /* of the namespace: "mnt:[4026532000]"; empty: not to be told */
};

/* Whether the device, of a mount of tensorfs, is mounted in this process's mount namespace. */
bool tfs_mount_is_here(dev_t device);

/*
 * Find a process in another mount namespace than ours that has the device mounted. Reads the mounts
 * of every process that may be looked at.
 */
bool tfs_mount_find_copy(dev_t device, struct tfs_mount_copy *ret);

/* The program's name of a process, safe to print; "?" when there is none. */
void tfs_process_name(pid_t pid, char ret[32]);

#endif
