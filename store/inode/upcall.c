#include "store/inode/upcall.h"

#include "store/volume.h"

#include <assert.h>

void upcall_inode_changed(const struct tfs_volume *volume, const struct tfs_inode_change *change)
{
    const struct tfs_upcalls *upcalls = &volume->options.upcalls;

    assert(change->from < change->to);
    assert(tfs_mutex_none_held());
    if (upcalls->inode_changed)
        upcalls->inode_changed(upcalls->context, change);
}
