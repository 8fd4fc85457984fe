#include "fs/gate.h"

#include <assert.h>

void gate_init(struct gate *gate, unsigned slot_count)
{
    assert(slot_count > 0);
    tfs_mutex_init(&gate->lock, TFS_RANK_FS_LOOP);
    list_init(&gate->queue);
    gate->slots_free = slot_count;
    gate->queue_length = 0;
    gate->queue_length_highest = 0;
}

void gate_release(struct gate *gate)
{
    assert(list_is_empty(&gate->queue));
    tfs_mutex_release(&gate->lock);
}

bool gate_try_enter(struct gate *gate)
{
    bool is_in;

    tfs_mutex_lock(&gate->lock);
    is_in = gate->slots_free > 0;
    if (is_in)
        gate->slots_free--;
    tfs_mutex_unlock(&gate->lock);
    return is_in;
}

bool gate_enter_or_queue(struct gate *gate, struct request *request)
{
    bool is_in;

    tfs_mutex_lock(&gate->lock);
    is_in = gate->slots_free > 0;
    if (is_in) {
        gate->slots_free--;
    } else {
        list_push_back(&gate->queue, &request->node);
        gate->queue_length++;
        if (gate->queue_length > gate->queue_length_highest)
            gate->queue_length_highest = gate->queue_length;
    }
    tfs_mutex_unlock(&gate->lock);
    return is_in;
}

struct request *gate_leave(struct gate *gate)
{
    struct list *node;

    tfs_mutex_lock(&gate->lock);
    node = list_pop_front(&gate->queue);
    if (node)
        gate->queue_length--;
    else
        gate->slots_free++;
    tfs_mutex_unlock(&gate->lock);
    return node ? list_entry(node, struct request, node) : NULL;
}

void gate_get_status(struct gate *gate, struct gate_status *ret)
{
    tfs_mutex_lock(&gate->lock);
    *ret = (struct gate_status){
        .slots_free = gate->slots_free,
        .queue_length = gate->queue_length,
        .queue_length_highest = gate->queue_length_highest,
    };
    tfs_mutex_unlock(&gate->lock);
}
