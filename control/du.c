/*
 * du: what a tree holds, and what it takes. A file with several links counts once; a frame that
 * several files share counts in each of them, as it would if one of them were removed.
 */
#include "control/commands.h"
#include "control/json.h"
#include "control/place.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

struct number_set {
    uint64_t *slots; /* 0: free */
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

struct number_stack {
    uint64_t *numbers;
    size_t capacity;
    size_t count;
};

struct usage_sum {
    struct tfs_volume *volume;
    struct number_stack directories; /* still to be read */
    struct number_set seen;          /* files that have several links */
    uint64_t logical;
    uint64_t stored;
    uint64_t file_count;
    uint64_t directory_count;
    uint64_t other_count;
    int error;
};

/* ---- numbers ---- */

static int stack_push(struct number_stack *stack, uint64_t number)
{
    if (stack->count == stack->capacity) {
        size_t capacity = stack->capacity ? 2 * stack->capacity : 64;
        uint64_t *numbers = realloc(stack->numbers, capacity * sizeof(numbers[0]));

        if (!numbers)
            return -ENOMEM;
        stack->numbers = numbers;
        stack->capacity = capacity;
    }
    stack->numbers[stack->count++] = number;
    return 0;
}

/* The slot that holds the number, or the free one where it belongs. */
static uint64_t *set_slot(const struct number_set *set, uint64_t number)
{
    size_t at = (size_t)(number * 0x9e3779b97f4a7c15ull) & (set->capacity - 1);

    while (set->slots[at] && set->slots[at] != number)
        at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

static int set_grow(struct number_set *set)
{
    struct number_set larger = {.capacity = set->capacity ? 2 * set->capacity : 64};

    larger.slots = calloc(larger.capacity, sizeof(larger.slots[0]));
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i])
            *set_slot(&larger, set->slots[i]) = set->slots[i];
    }
    larger.count = set->count;
    free(set->slots);
    *set = larger;
    return 0;
}

/* Returns: 1 when it is new, 0 when it was there. */
static int set_add(struct number_set *set, uint64_t number)
{
    uint64_t *slot;
    int err = set->count * 2 >= set->capacity ? set_grow(set) : 0;

    if (err)
        return err;
    slot = set_slot(set, number);
    if (*slot)
        return 0;
    *slot = number;
    set->count++;
    return 1;
}

/* ---- the walk ---- */

static int add_file(struct usage_sum *sum, const struct tfs_attr *attr)
{
    if (attr->nlink > 1 && !S_ISDIR(attr->mode)) {
        int is_new = set_add(&sum->seen, attr->inode);

        if (is_new <= 0)
            return is_new;
    }
    sum->stored += attr->blocks * 512;
    if (S_ISREG(attr->mode)) {
        sum->file_count++;
        sum->logical += attr->size;
    } else if (S_ISDIR(attr->mode)) {
        sum->directory_count++;
        return stack_push(&sum->directories, attr->inode);
    } else {
        sum->other_count++;
    }
    return 0;
}

static bool visit(void *context, const struct tfs_directory_entry *entry)
{
    struct usage_sum *sum = context;

    if (!entry->attr) /* "." and ".." */
        return true;
    if (!sum->error) /* it is the first one that is told */
        sum->error = add_file(sum, entry->attr);
    tfs_forget(sum->volume, entry->inode, 1);
    return true;
}

static int walk(struct control_call *call, struct usage_sum *sum)
{
    int err = 0;

    while (!err && sum->directories.count > 0) {
        uint64_t directory = sum->directories.numbers[--sum->directories.count];
        struct control_progress progress = {.stage = "adding up",
                                            .done = sum->directory_count + sum->file_count};

        err = tfs_readdir(call->volume, directory, 0, true, visit, sum);
        if (err == -ESTALE)
            err = 0; /* removed meanwhile */
        if (!err)
            err = sum->error;
        if (!err)
            err = control_emit_progress(call, &progress);
    }
    return err;
}

int control_run_du(struct control_call *call)
{
    struct usage_sum sum = {.volume = call->volume};
    struct tfs_attr attr;
    int err = control_place_get(call, &attr);

    if (err)
        return err;
    err = add_file(&sum, &attr);
    if (!err)
        err = walk(call, &sum);
    control_place_put(call, &attr);
    free(sum.directories.numbers);
    free(sum.seen.slots);
    if (err)
        return err;
    control_add_number(call->result, "logical_bytes", sum.logical);
    control_add_number(call->result, "stored_bytes", sum.stored);
    control_add_number(call->result, "files", sum.file_count);
    control_add_number(call->result, "directories", sum.directory_count);
    control_add_number(call->result, "others", sum.other_count);
    return 0;
}
