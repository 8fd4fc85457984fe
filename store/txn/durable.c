#include "store/txn/durable.h"

#include "store/index/index.h"
#include "store/txn/dead_list.h"
#include "store/volume.h"

int durable_sync(struct tfs_volume *volume)
{
    int err = index_sync(volume->index);

    dead_list_kick(volume->dead);
    return err;
}

int durable_check(struct tfs_volume *volume)
{
    return index_health(volume->index);
}
