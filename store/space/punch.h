/*
 * Space of dead frames, back to the disk: by holes in their segments, or where none can be punched
 * by telling the compactor.
 *
 * Threads: any; takes a lock of rank RECLAIM, and blocks on disk.
 */
#ifndef TFS_PUNCH_H
#define TFS_PUNCH_H

struct tfs_volume;

/* Punches what is durably dead; the rest stays on the list. */
void punch_dead(struct tfs_volume *volume);

/* For who makes much dead at once: when much waits for a sync, sync and punch. */
void punch_relieve(struct tfs_volume *volume);

#endif
