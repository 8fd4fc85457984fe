/*
 * A list through an array of neighbours, one slot for each block; slot `blocks` is the list's head.
 */
#include "tools/bench/workload/request_lru.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct neighbours {
    uint64_t newer;
    uint64_t older;
    bool cached;
};

struct request_lru {
    struct neighbours *slots;
    uint64_t head; /* its older is the newest block, its newer the oldest */
    uint64_t used;
    uint64_t capacity;
};

int request_lru_new(uint64_t blocks, uint64_t capacity, struct request_lru **ret)
{
    struct request_lru *lru = calloc(1, sizeof(*lru));

    assert(capacity >= 1);
    if (!lru)
        return -ENOMEM;
    lru->slots = calloc(blocks + 1, sizeof(*lru->slots));
    if (!lru->slots) {
        free(lru);
        return -ENOMEM;
    }
    lru->head = blocks;
    lru->capacity = capacity;
    lru->slots[blocks] = (struct neighbours){.newer = blocks, .older = blocks};
    *ret = lru;
    return 0;
}

void request_lru_free(struct request_lru *lru)
{
    if (!lru)
        return;
    free(lru->slots);
    free(lru);
}

static void lru_unlink(struct request_lru *lru, uint64_t block)
{
    struct neighbours *slot = &lru->slots[block];

    lru->slots[slot->newer].older = slot->older;
    lru->slots[slot->older].newer = slot->newer;
    slot->cached = false;
    lru->used--;
}

static void lru_push(struct request_lru *lru, uint64_t block)
{
    struct neighbours *head = &lru->slots[lru->head];

    lru->slots[block] =
        (struct neighbours){.newer = lru->head, .older = head->older, .cached = true};
    lru->slots[head->older].newer = block;
    head->older = block;
    lru->used++;
}

bool request_lru_get(struct request_lru *lru, uint64_t block)
{
    bool hit;

    assert(block < lru->head);
    hit = lru->slots[block].cached;
    if (hit)
        lru_unlink(lru, block);
    else if (lru->used == lru->capacity)
        lru_unlink(lru, lru->slots[lru->head].newer);
    lru_push(lru, block);
    return hit;
}
