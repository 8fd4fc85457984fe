#include "store/inode/dirty_list.h"

#include "store/inode/chunk.h"

void dirty_list_init(struct dirty_list *list)
{
    tfs_mutex_init(&list->lock, TFS_RANK_FLUSH);
    list_init(&list->chunks);
    list_init(&list->stuck);
}

void dirty_list_release(struct dirty_list *list)
{
    tfs_mutex_release(&list->lock);
}

void dirty_list_add(struct dirty_list *list, struct tfs_chunk *chunk, bool stuck)
{
    tfs_mutex_lock(&list->lock);
    list_push_back(stuck ? &list->stuck : &list->chunks, &chunk->pressure_node);
    tfs_mutex_unlock(&list->lock);
}

void dirty_list_remove(struct dirty_list *list, struct tfs_chunk *chunk)
{
    tfs_mutex_lock(&list->lock);
    list_remove(&chunk->pressure_node);
    tfs_mutex_unlock(&list->lock);
}

struct tfs_chunk *dirty_list_take_oldest_locked(struct dirty_list *list, bool stuck)
{
    struct list *node = list_pop_front(stuck ? &list->stuck : &list->chunks);

    return node ? list_entry(node, struct tfs_chunk, pressure_node) : NULL;
}
