/*
 * Reclaim: the space of dead frames, of removed files and of what a crash left behind comes back in
 * the background.
 *
 * A frame's space is given back only when the commit that took it out of the index is durable:
 * until then a power cut could bring the old row back.
 *
 * Threads: any; takes a lock of rank RECLAIM.
 */
#ifndef TFS_RECLAIM_H
#define TFS_RECLAIM_H

#include "store/base/defs.h"

struct tfs_reclaim;
struct tfs_volume;

TFS_MUST_CHECK int reclaim_new(struct tfs_volume *volume, struct tfs_reclaim **ret);

/* Begin: the thread, and the purge of files that were removed but not purged at the last unmount.
 */
TFS_MUST_CHECK int reclaim_start(struct tfs_reclaim *reclaim);

/*
 * Segments from `end` on are this mount's: what becomes free there is told by
 * dead_list_add_frame(). Of those below, the ones in [first, end), if any, are to be swept: see
 * sweep.h. Remembered until it is done, also over further crashes.
 */
void reclaim_set_sweep(struct tfs_reclaim *reclaim, uint64_t first, uint64_t end);

/* Sweep all segments before this mount's. What a full pass finds is given back with the next one.
 */
void reclaim_sweep_all(struct tfs_reclaim *reclaim);

/* Nothing is left to be swept: the next crash needs to look only at what is appended from now on.
 */
bool reclaim_is_swept(struct tfs_reclaim *reclaim);

/* Finish what can be finished and end the thread; what is left is found again at the next mount. */
void reclaim_stop(struct tfs_reclaim *reclaim);
void reclaim_free(struct tfs_reclaim *reclaim); /* accepts NULL */

/* The disk is full: make what was removed durable, and wait until its space is given back. May
 * block. */
void reclaim_hurry(struct tfs_reclaim *reclaim);

#endif
