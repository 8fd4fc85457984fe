#include "store/space/give_back.h"

#include "store/file/committer.h"
#include "store/space/compactor.h"
#include "store/space/reclaim.h"
#include "store/volume.h"

bool give_back_space(struct tfs_volume *volume, struct tfs_inode *writer)
{
    uint64_t before = tfs_counter_get(&volume->stats.reclaimed_bytes);
    bool held = commit_removed(volume, writer);

    reclaim_hurry(volume->reclaim);
    compactor_hurry(volume->compactor); /* not waited for: it waits for gates */
    return held || tfs_counter_get(&volume->stats.reclaimed_bytes) != before;
}
