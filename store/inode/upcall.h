/*
 * Telling the one who has opened the volume what has changed by itself: struct tfs_upcalls.
 */
#ifndef TFS_UPCALL_H
#define TFS_UPCALL_H

#include "store/store.h"

/* Without any lock, behind the change; a gate may be entered or closed. Never waits. */
void upcall_inode_changed(const struct tfs_volume *volume, const struct tfs_inode_change *change);

#endif
