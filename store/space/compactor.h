/*
 * The thread that compacts where the filesystem beneath cannot punch holes. It exists from the
 * first frame on that could not be given back.
 *
 * It is not the reclaim thread: a writer inside a file's gate may wait for that one's pass, and
 * compaction waits for gates.
 */
#ifndef TFS_COMPACTOR_H
#define TFS_COMPACTOR_H

#include "store/base/defs.h"

struct tfs_compactor;
struct tfs_volume;

TFS_MUST_CHECK int compactor_new(struct tfs_volume *volume, struct tfs_compactor **ret);

/* So many bytes are dead and stay on the disk. Threads: any; takes a lock of rank RECLAIM. */
void compactor_note(struct tfs_compactor *compactor, uint64_t bytes);

/* The disk is full: do not wait for more. */
void compactor_hurry(struct tfs_compactor *compactor);

/* Around a run, so that there is one at a time; enter waits for the other's end. Threads: any. */
void compactor_enter(struct tfs_compactor *compactor);
void compactor_leave(struct tfs_compactor *compactor);

/* Ends a run in progress and the thread. Accepts NULL, and to be called twice. */
void compactor_stop(struct tfs_compactor *compactor);
void compactor_free(struct tfs_compactor *compactor); /* accepts NULL */

#endif
