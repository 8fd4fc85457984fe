/*
 * Inodes that the kernel remembers cost memory here, and only the kernel can let go of them. When
 * they take more than their share it is asked to, for those that it has asked for longest ago.
 *
 * That is FUSE_NOTIFY_PRUNE: entries that nobody uses are dropped, and FORGET comes. Open files,
 * current directories, directories with entries in the cache and mountpoints stay as they are.
 * Kernels before 6.18 do not know it, and are not asked: of what they know, FUSE_NOTIFY_INVAL_ENTRY
 * takes entries away that are in use (a current directory loses its path, what is mounted below is
 * detached), and with FUSE_EXPIRE_ONLY it keeps all, to be asked for again.
 */
#include "fs/ll.h"

enum { INODES_AT_ONCE = 64 }; /* some 0.1 ms, for which answers may have to wait */

/* What fails is asked for again with later lookups. */
static void prune(struct ll *ll, uint64_t *inodes, size_t count)
{
    struct protocol_notify_prune prune = {.count = (uint32_t)count};
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof(header) + sizeof(prune) + count * sizeof(inodes[0])),
        .error = PROTOCOL_NOTIFY_PRUNE,
    };
    const struct iovec iov[] = {
        {&header, sizeof(header)}, {&prune, sizeof(prune)}, {inodes, count * sizeof(inodes[0])}};

    (void)protocol_writev(&ll->protocol, ll->fd, iov, TFS_ARRAY_COUNT(iov));
}

/* One batch, and then behind what others have to tell. */
static void run_relieve(struct notifier_task *task, bool may_tell)
{
    struct ll *ll = tfs_container_of(task, struct ll, relieve);
    uint64_t inodes[INODES_AT_ONCE];
    size_t count = may_tell ? tfs_inodes_to_forget(ll->volume, INODES_AT_ONCE, inodes) : 0;

    if (count > 0) {
        prune(ll, inodes, count);
        notifier_push(ll->notifier, &ll->relieve);
        return;
    }
    /* Release: the task is nobody's any more. */
    atomic_store_explicit(&ll->is_relieving, false, memory_order_release);
}

void ll_relieve(struct ll *ll)
{
    if (ll->protocol.kernel_minor < PROTOCOL_MINOR_PRUNE || !tfs_has_inodes_to_forget(ll->volume))
        return;
    if (atomic_exchange_explicit(&ll->is_relieving, true, memory_order_acquire))
        return;
    ll->relieve.run = run_relieve;
    notifier_push(ll->notifier, &ll->relieve);
}
