#include "store/inode/stuck_mark.h"

#include "store/inode/data.h"

void stuck_mark_slot(struct tfs_chunk *chunk, uint32_t slot_index, uint32_t unit, bool front,
                     bool back)
{
    struct chunk_slot *slot = &chunk->slots[slot_index];

    tfs_mutex_lock(&chunk->inode->lock);
    slot->stuck = true;
    slot->keep_from = front ? (uint32_t)tfs_align_up(slot->from, unit) : slot->from;
    slot->keep_to = back ? (uint32_t)tfs_align_down(slot->to, unit) : slot->to;
    if (slot->keep_from >= slot->keep_to)
        slot->keep_from = slot->keep_to = slot->to;
    tfs_mutex_unlock(&chunk->inode->lock);
}

void stuck_mark_chunk(struct tfs_chunk *chunk)
{
    tfs_mutex_lock(&chunk->inode->lock);
    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        struct chunk_slot *slot = &chunk->slots[i];

        slot->stuck = slot->buffer != NULL;
        slot->keep_from = slot->keep_to = slot->to;
    }
    tfs_mutex_unlock(&chunk->inode->lock);
}

bool stuck_is_chunk_locked(const struct tfs_chunk *chunk)
{
    for (int i = 0; i < CHUNK_SLOTS_MAX; i++) {
        if (chunk->slots[i].stuck)
            return true;
    }
    return false;
}

bool stuck_is_any(struct tfs_inode *inode)
{
    bool stuck = false;
    struct list *node;

    tfs_mutex_lock(&inode->lock);
    list_for_each (node, &inode->data->unflushed)
        stuck = stuck || stuck_is_chunk_locked(list_entry(node, struct tfs_chunk, unflushed_node));
    tfs_mutex_unlock(&inode->lock);
    return stuck;
}
