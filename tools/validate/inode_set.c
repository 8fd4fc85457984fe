/*
 * Open addressing with linear steps, at most half full.
 */
#include "tools/validate/inode_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

void inode_set_release(struct inode_set *set)
{
    free(set->slots);
    memset(set, 0, sizeof(*set));
}

/* The slot that the inode has, or would get. */
static struct inode_slot *slot_find(const struct inode_set *set, dev_t device, ino_t inode)
{
    uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 40) * 0x9E3779B97F4A7C15ull;
    size_t at = (size_t)(hash >> 32) & (set->capacity - 1);

    while (set->slots[at].is_used &&
           (set->slots[at].device != device || set->slots[at].inode != inode))
        at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

static int set_grow(struct inode_set *set)
{
    struct inode_set grown = {.capacity = set->capacity ? 2 * set->capacity : CAPACITY_MIN,
                              .count = set->count};

    grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; i < set->capacity; i++) {
        const struct inode_slot *old = &set->slots[i];

        if (old->is_used)
            *slot_find(&grown, old->device, old->inode) = *old;
    }
    free(set->slots);
    *set = grown;
    return 0;
}

int inode_set_add(struct inode_set *set, dev_t device, ino_t inode, void *value, void **ret_value)
{
    struct inode_slot *slot;

    if (2 * (set->count + 1) > set->capacity) {
        int err = set_grow(set);

        if (err < 0)
            return err;
    }
    slot = slot_find(set, device, inode);
    if (slot->is_used) {
        *ret_value = slot->value;
        return 1;
    }
    *slot = (struct inode_slot){device, inode, value, true};
    set->count++;
    return 0;
}
