/*
 * What the parts of write-back share: flush.c and flush_relieve.c.
 */
#ifndef TFS_FLUSH_INTERNAL_H
#define TFS_FLUSH_INTERNAL_H

#include "store/base/lock.h"
#include "store/base/workers.h"
#include "store/inode/dirty_list.h"
#include "store/writeback/flush.h"

struct flush_scratch;

struct tfs_flush {
    struct tfs_volume *volume; /* immutable */
    struct tfs_job prefault;
    struct flush_scratch *helpers; /* a stack of free ones, guarded by the list's lock */
    struct dirty_list *list;       /* volume->dirty; its lock guards all below */
    struct tfs_cond done;
    uint64_t vain_from_ns; /* since when there is nothing to send off, 0: there is */
    unsigned in_flight;    /* queued ones too */
    int failing;           /* the error while the disk fails, 0 after a success */
};

#endif
