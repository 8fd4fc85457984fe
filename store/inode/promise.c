/*
 * Promises under way are a list in the file's data, so that a cut finds them: a file that is cut
 * and grows again between asking and keeping must not have its old size back.
 *
 * Invariant: base_size and every promise are at most the size that the file has.
 */
#include "store/inode/promise.h"

#include "store/inode/data.h"

#include <assert.h>

void promise_note_locked(struct tfs_data *data, uint64_t size, struct promise *ret)
{
    assert(size <= data->size);
    ret->size = size;
    list_push_back(&data->promises, &ret->node);
}

void promise_keep_locked(struct tfs_data *data, struct promise *promise)
{
    data->base_size = tfs_max_u64(data->base_size, promise->size);
    promise_drop_locked(promise);
}

void promise_drop_locked(struct promise *promise)
{
    list_remove(&promise->node);
}

void promise_cut_locked(struct tfs_data *data, uint64_t size)
{
    struct list *node;

    data->base_size = tfs_min_u64(data->base_size, size);
    list_for_each (node, &data->promises) {
        struct promise *promise = list_entry(node, struct promise, node);

        promise->size = tfs_min_u64(promise->size, size);
    }
}

void promise_ask(struct tfs_inode *inode, bool full_size, struct promise *ret)
{
    struct tfs_data *data = inode->data;

    tfs_mutex_lock(&inode->lock);
    promise_note_locked(data, full_size ? data->size : data_written_size_locked(data), ret);
    tfs_mutex_unlock(&inode->lock);
}

void promise_keep(struct tfs_inode *inode, struct promise *promise)
{
    tfs_mutex_lock(&inode->lock);
    promise_keep_locked(inode->data, promise);
    tfs_mutex_unlock(&inode->lock);
}

void promise_drop(struct tfs_inode *inode, struct promise *promise)
{
    tfs_mutex_lock(&inode->lock);
    promise_drop_locked(promise);
    tfs_mutex_unlock(&inode->lock);
}
