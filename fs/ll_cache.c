/*
 * What the kernel is told about its cache, on the notifier's thread, and what is answered after.
 * The rules are in open_inode.h.
 *
 * To have pages dropped is FUSE_NOTIFY_INVAL_INODE. To have a file grown is FUSE_NOTIFY_STORE of
 * its last byte, whose data lie in memory that cannot be read: the kernel raises the size first and
 * then fails to copy. That is wanted. A byte of ours could replace one that somebody has stored
 * through a mapping meanwhile.
 */
#include "fs/ll_cache.h"

#include <errno.h>
#include <stdlib.h>

/* ---- at the end of the direct writers ---- */

void ll_drop_left_pages(struct ll *ll, struct open_inode *inode, bool may_tell)
{
    if (!open_inode_must_drop(&ll->inodes, inode))
        return;
    if (may_tell)
        ll_drop_pages(ll, inode->number, 0, 0);
    open_inode_dropped(&ll->inodes, inode);
}

static void run_drop(struct notifier_task *task, bool may_tell)
{
    struct open_inode *inode = tfs_container_of(task, struct open_inode, drop);
    struct ll *ll = inode->drop_context;

    ll_drop_left_pages(ll, inode, may_tell);
    open_inode_put(&ll->inodes, inode);
}

void ll_inode_leave(struct ll *ll, struct open_inode *inode, const struct open_use *use,
                    bool is_written)
{
    if (!open_inode_leave(&ll->inodes, inode, use, is_written)) {
        open_inode_put(&ll->inodes, inode);
        return;
    }
    inode->drop.run = run_drop;
    inode->drop_context = ll;
    notifier_push(ll->notifier, &inode->drop);
}

/* ---- changes ---- */

uint64_t ll_change_begin(struct ll_change *change, uint64_t claim_offset, uint64_t claim_size)
{
    change->claim = (struct open_claim){.offset = claim_offset, .end = claim_offset + claim_size};
    change->is_claimed = claim_size > 0;
    if (change->is_claimed)
        open_inode_claim(change->inode, &change->claim);
    return open_inode_change_begin(&change->ll->inodes, change->inode);
}

static void change_finish(struct ll_change *change)
{
    if (change->is_claimed)
        open_inode_unclaim(change->inode, &change->claim);
    open_inode_change_end(&change->ll->inodes, change->inode, OPEN_CHANGE_WRITTEN, change->end);
    change->send(change);
}

static void run_change(struct notifier_task *task, bool may_tell)
{
    struct ll_change *change = tfs_container_of(task, struct ll_change, task);

    if (may_tell)
        ll_drop_pages(change->ll, change->inode->number, change->drop_offset, change->drop_size);
    change_finish(change);
    free(change);
}

void ll_change_end(struct ll_change *change)
{
    struct ll_change *late;

    if (!change->drops_pages || !open_inode_has_pages(change->inode)) {
        change_finish(change);
        return;
    }
    late = malloc(sizeof(*late));
    if (!late) { /* it was made, but nobody is told so */
        change->result = -ENOMEM;
        change_finish(change);
        return;
    }
    *late = (struct ll_change){
        .task.run = run_change,
        .ll = change->ll,
        .inode = change->inode,
        .is_claimed = change->is_claimed,
        .drop_offset = change->drop_offset,
        .drop_size = change->drop_size,
        .end = change->end,
        .result = change->result,
        .req = change->req,
        .unique = change->unique,
        .send = change->send,
    };
    if (change->is_claimed)
        open_inode_claim_move(change->inode, &change->claim, &late->claim);
    notifier_push(late->ll->notifier, &late->task);
}

/* ---- sizes ---- */

static void grow(struct ll *ll, uint64_t inode, uint64_t size)
{
    struct fuse_notify_store_out store = {.nodeid = inode, .offset = size - 1, .size = 1};
    struct fuse_out_header header = {
        .len = sizeof(header) + sizeof(store) + 1,
        .error = FUSE_NOTIFY_STORE,
    };
    const struct iovec iov[] = {
        {&header, sizeof(header)}, {&store, sizeof(store)}, {ll->unreadable, 1}};

    (void)protocol_writev(&ll->protocol, ll->fd, iov, TFS_ARRAY_COUNT(iov)); /* fails: see above */
}

struct late_size {
    struct notifier_task task;
    struct ll_attr_answer answer;
    struct open_inode *inode;
    struct open_size size;
};

static void run_size(struct notifier_task *task, bool may_tell)
{
    struct late_size *late = tfs_container_of(task, struct late_size, task);
    struct ll *ll = late->answer.ll;

    if (may_tell && open_inode_tell_begin(late->inode, &late->size)) {
        grow(ll, late->inode->number, late->size.size);
        open_inode_tell_end(late->inode, &late->size);
    }
    open_inode_put(&ll->inodes, late->inode);
    late->answer.send(&late->answer);
    free(late);
}

/* Given: the inode. */
static void answer_when_known(struct ll_attr_answer *answer, struct open_inode *inode,
                              const struct open_size *size)
{
    struct late_size *late = size->is_known ? NULL : malloc(sizeof(*late));

    if (!late) { /* no memory: the kernel learns the size by itself a moment later */
        open_inode_put(&answer->ll->inodes, inode);
        answer->send(answer);
        return;
    }
    *late =
        (struct late_size){.task.run = run_size, .answer = *answer, .inode = inode, .size = *size};
    notifier_push(answer->ll->notifier, &late->task);
}

static struct open_inode *find_written(struct ll *ll, const struct tfs_attr *attr)
{
    if (!S_ISREG(attr->mode) || !inode_hints_has_writer(ll->hints, attr->inode))
        return NULL;
    return open_inodes_find(&ll->inodes, attr->inode);
}

void ll_answer_attr(struct ll_attr_answer *answer)
{
    struct ll *ll = answer->ll;
    struct open_inode *inode = find_written(ll, &answer->attr);
    struct open_size size;

    if (!inode) {
        answer->send(answer);
        return;
    }
    size = open_inode_size_to_tell(&ll->inodes, inode);
    answer->attr.size = size.size;
    answer_when_known(answer, inode, &size);
}

void ll_limit_size(struct ll *ll, struct tfs_attr *attr)
{
    struct open_inode *inode = find_written(ll, attr);

    if (!inode)
        return;
    attr->size = open_inode_size_to_tell(&ll->inodes, inode).size;
    open_inode_put(&ll->inodes, inode);
}
