#include "store/txn/txn.h"

#include "store/index/index.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

void txn_committed(struct tfs_volume *volume, struct refcounts_change *change)
{
    uint64_t number = index_commit_number(volume->index);

    refcounts_apply(change, number);
    for (size_t i = 0; i < change->dead_count; i++)
        dead_list_add_frame(volume->dead, &change->dead[i], number);
}

int txn_commit(struct tfs_volume *volume, struct index_batch *batch,
               struct refcounts_change *change)
{
    int err = refcounts_finish(change, batch);

    if (!err)
        err = index_commit(volume->index, batch, false);
    if (!err)
        txn_committed(volume, change);
    return err;
}
