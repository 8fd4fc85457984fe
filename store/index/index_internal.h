/*
 * The open index, above its engine. Nothing outside of store/index/ includes it.
 */
#ifndef TFS_INDEX_INTERNAL_H
#define TFS_INDEX_INTERNAL_H

#include "store/base/group.h"
#include "store/base/lock.h"
#include "store/index/engine.h"

struct tfs_index {
    const struct index_engine *engine; /* immutable, as are the next three */
    struct index_db *db;
    bool read_only;
    struct index_watch watch;

    /*
     * Where the engine checks no guards: held by a commit with guards from its check to its write,
     * and passed through by one without, which counts itself in writers_inside: so writes without
     * guards run side by side, and none gets between a check and its write.
     */
    struct tfs_mutex guard_lock; /* rank TFS_RANK_INDEX */

    struct tfs_mutex lock;    /* rank TFS_RANK_LEAF */
    struct tfs_cond idle;     /* writers_inside became 0 */
    unsigned writers_inside;  /* guarded by lock */
    int write_error;          /* guarded by lock; of the first write or sync that failed for good */
    struct tfs_group commits; /* guarded by lock */
};

#endif
