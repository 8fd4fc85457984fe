/*
 * What the parts of write-back share: flush.c and flush_relieve.c.
 */
#ifndef TFS_FLUSH_INTERNAL_H
#define TFS_FLUSH_INTERNAL_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/base/workers.h"
#include "store/flush.h"

struct flush_scratch;

struct tfs_flush {
    struct tfs_volume *volume; /* immutable */
    struct tfs_workers *workers;
    struct flush_scratch *helpers; /* a stack of free ones, guarded by lock */
    struct tfs_mutex lock;         /* rank TFS_RANK_FLUSH */
    struct tfs_cond done;
    struct tfs_job prefault;
    struct list dirty; /* guarded by lock; chunks that are neither queued nor in flight */
    struct list stuck; /* guarded by lock; the same of those that damage keeps from it */
    uint64_t
        vain_from_ns;   /* guarded by lock; since when there is nothing to send off, 0: there is */
    unsigned in_flight; /* guarded by lock; queued ones too */
    int failing;        /* guarded by lock; the error while the disk fails, 0 after a success */
};

#endif
