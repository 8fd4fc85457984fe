/*
 * The gate in front of data requests: at most so many threads are inside at a time, so that a storm
 * of page faults or a row of slow fsyncs leaves threads for lookups and stats.
 *
 * Who finds it full leaves the request in a queue, first in, first out, and goes away; who comes
 * out takes the next request of the queue in with it.
 */
#ifndef TFS_FS_GATE_H
#define TFS_FS_GATE_H

#include "fs/request.h"

struct gate {
    struct tfs_mutex lock;         /* rank TFS_RANK_FS_LOOP */
    struct list queue;             /* guarded by lock; struct request; only while slots_free is 0 */
    unsigned slots_free;           /* guarded by lock */
    unsigned queue_length;         /* guarded by lock */
    unsigned queue_length_highest; /* guarded by lock; statistics */
};

void gate_init(struct gate *gate, unsigned slot_count);
void gate_release(struct gate *gate);

/* Returns true when the caller is in and has to call gate_leave(). */
bool gate_try_enter(struct gate *gate);

/* Likewise; false when the request was queued and is no longer the caller's. */
bool gate_enter_or_queue(struct gate *gate, struct request *request);

/* Returns the next request, for which the caller stays inside, or NULL: the caller is out. */
struct request *gate_leave(struct gate *gate);

struct gate_status {
    unsigned slots_free;
    unsigned queue_length;
    unsigned queue_length_highest;
};
void gate_get_status(struct gate *gate, struct gate_status *ret);

#endif
