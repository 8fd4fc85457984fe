#include "fs/upcalls.h"

#include "store/base/log.h"

#include <stdlib.h>

struct changed_inode {
    struct notifier_task task;
    struct ll *ll;
    struct tfs_inode_change change;
};

void upcalls_init(struct upcalls *upcalls)
{
    tfs_mutex_init(&upcalls->lock, TFS_RANK_FS_UPCALL);
    upcalls->ll = NULL;
}

void upcalls_release(struct upcalls *upcalls)
{
    tfs_mutex_release(&upcalls->lock);
}

void upcalls_attach(struct upcalls *upcalls, struct ll *ll)
{
    tfs_mutex_lock(&upcalls->lock);
    upcalls->ll = ll;
    tfs_mutex_unlock(&upcalls->lock);
}

void upcalls_detach(struct upcalls *upcalls)
{
    upcalls_attach(upcalls, NULL);
}

/* The kernel forgets the attributes with the pages, so that it asks for the size again. */
static void drop(struct ll *ll, const struct tfs_inode_change *change)
{
    uint64_t size = change->to == UINT64_MAX ? 0 : change->to - change->from;

    ll_drop_pages(ll, change->inode, change->from, size);
}

/* Somebody may be opening the file just now, and have seen the size before. */
static void drop_cut(struct ll *ll, const struct tfs_inode_change *change)
{
    struct open_inode *inode = open_inodes_find(&ll->inodes, change->inode);

    if (!inode) {
        drop(ll, change);
        return;
    }
    (void)open_inode_change_begin(&ll->inodes, inode);
    open_inode_cut_begin(inode);
    drop(ll, change);
    open_inode_change_end(&ll->inodes, inode, OPEN_CHANGE_CUT, 0);
    open_inode_put(&ll->inodes, inode);
}

static void run_changed(struct notifier_task *task, bool may_tell)
{
    struct changed_inode *changed = tfs_container_of(task, struct changed_inode, task);

    if (may_tell && changed->change.is_cut)
        drop_cut(changed->ll, &changed->change);
    else if (may_tell)
        drop(changed->ll, &changed->change);
    free(changed);
}

/* Each change has cost data and a line in the log: there are never many. */
static void inode_changed(void *context, const struct tfs_inode_change *change)
{
    struct upcalls *upcalls = context;
    struct changed_inode *changed = malloc(sizeof(*changed));

    if (!changed) {
        tfs_warn("inode %llu: no memory to have the kernel drop its pages; they may show what the "
                 "store does not have",
                 (unsigned long long)change->inode);
        return;
    }
    *changed = (struct changed_inode){.task.run = run_changed, .change = *change};
    tfs_mutex_lock(&upcalls->lock);
    changed->ll = upcalls->ll;
    if (upcalls->ll)
        notifier_push(upcalls->ll->notifier, &changed->task);
    else
        free(changed);
    tfs_mutex_unlock(&upcalls->lock);
}

struct tfs_upcalls upcalls_table(struct upcalls *upcalls)
{
    return (struct tfs_upcalls){.inode_changed = inode_changed, .context = upcalls};
}
