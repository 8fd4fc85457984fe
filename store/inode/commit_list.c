#include "store/inode/commit_list.h"

#include "store/inode/inode.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

struct tfs_commit_list {
    struct tfs_mutex lock; /* rank TFS_RANK_COMMIT; guards all below */
    struct list inodes;    /* oldest first */
    uint64_t count;
};

int commit_list_new(struct tfs_commit_list **ret)
{
    struct tfs_commit_list *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    list_init(&list->inodes);
    tfs_mutex_init(&list->lock, TFS_RANK_COMMIT);
    *ret = list;
    return 0;
}

void commit_list_free(struct tfs_commit_list *list)
{
    if (!list)
        return;
    tfs_mutex_release(&list->lock);
    free(list);
}

void commit_list_note(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_commit_list *list = volume->commit_list;

    tfs_mutex_lock(&list->lock);
    if (!inode->pending) {
        inode->pending = true;
        list_push_back(&list->inodes, &inode->pending_node);
        list->count++;
        inode_pin(volume, inode);
    }
    tfs_mutex_unlock(&list->lock);
}

bool commit_list_remove_locked(struct tfs_volume *volume, struct tfs_inode *inode)
{
    struct tfs_commit_list *list = volume->commit_list;
    bool removed;

    tfs_mutex_lock(&list->lock);
    removed = inode->pending;
    if (removed) {
        inode->pending = false;
        list_remove(&inode->pending_node);
        list->count--;
    }
    tfs_mutex_unlock(&list->lock);
    return removed;
}

bool commit_list_has(struct tfs_volume *volume, const struct tfs_inode *inode)
{
    struct tfs_commit_list *list = volume->commit_list;
    bool pending;

    tfs_mutex_lock(&list->lock);
    pending = inode->pending;
    tfs_mutex_unlock(&list->lock);
    return pending;
}

uint64_t commit_list_count(struct tfs_commit_list *list)
{
    uint64_t count;

    tfs_mutex_lock(&list->lock);
    count = list->count;
    tfs_mutex_unlock(&list->lock);
    return count;
}

struct tfs_inode **commit_list_pin_all(struct tfs_volume *volume, size_t *ret_count)
{
    struct tfs_commit_list *list = volume->commit_list;
    struct tfs_inode **inodes;
    struct list *node;
    size_t count = 0;

    tfs_mutex_lock(&list->lock);
    inodes = calloc(list->count + 1, sizeof(struct tfs_inode *));
    if (inodes) {
        list_for_each (node, &list->inodes) {
            struct tfs_inode *inode = list_entry(node, struct tfs_inode, pending_node);

            inode_pin(volume, inode);
            inodes[count++] = inode;
        }
    }
    tfs_mutex_unlock(&list->lock);
    *ret_count = count;
    return inodes;
}
