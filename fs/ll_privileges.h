/* The setgid bit of files that strangers to their group change. */
#ifndef TFS_FS_LL_PRIVILEGES_H
#define TFS_FS_LL_PRIVILEGES_H

#include "fs/ll.h"

/* Drops it. Errors: those of tfs_getattr() and tfs_setattr(). */
TFS_MUST_CHECK int ll_drop_setgid(struct ll *ll, uint64_t inode);

/* The same for the request in progress, if its caller may not keep it. Errors: likewise. */
TFS_MUST_CHECK int ll_drop_setgid_of_stranger(struct ll *ll, uint64_t inode);

#endif
