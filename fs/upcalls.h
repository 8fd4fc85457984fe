/*
 * What the store tells of itself (struct tfs_upcalls), told on to the kernel: its copy of an inode
 * that has changed by itself is dropped, by the notifier's thread.
 *
 *   made ---- upcalls_attach ----> attached ---- upcalls_detach ----> made
 *
 * The volume is opened before the mount and closed after it. While no mount is attached the kernel
 * has nothing of the volume, and nobody is told.
 */
#ifndef TFS_FS_UPCALLS_H
#define TFS_FS_UPCALLS_H

#include "fs/ll.h"

struct upcalls {
    struct tfs_mutex lock; /* rank TFS_RANK_FS_UPCALL; held while the notifier is given a change */
    struct ll *ll;         /* guarded by lock; NULL: not attached */
};

void upcalls_init(struct upcalls *upcalls);
void upcalls_release(struct upcalls *upcalls); /* when the volume is closed */

/* For the options of tfs_volume_open(). */
struct tfs_upcalls upcalls_table(struct upcalls *upcalls);

/* Before the first request is served, and after the last one; the session is open. */
void upcalls_attach(struct upcalls *upcalls, struct ll *ll);
void upcalls_detach(struct upcalls *upcalls);

#endif
