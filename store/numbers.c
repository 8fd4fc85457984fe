/*
 * Ranges of numbers. The index keeps, for each kind, the first number that no range has. A range of
 * segment numbers is made durable before it is used, because the segments' files are outside of the
 * index; inodes are in it, behind the range they come from.
 */
#include "store/numbers.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/index/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INODE_RANGE = 4096, SEGMENT_RANGE = 64, FIRST_INODE = 16, FIRST_SEGMENT = 1 };

struct number_range {
    struct tfs_mutex refill; /* rank TFS_RANK_NUMBERS; guards the range, and is held while a new one
                                is written */
    uint64_t next;
    uint64_t end;
};

struct tfs_numbers {
    struct tfs_index *index;
    struct number_range ranges[NUMBERS_KIND_COUNT];
};

struct number_kind {
    const char *key;
    uint64_t first;
    uint64_t range;
    bool durable;
};

static const struct number_kind kinds[NUMBERS_KIND_COUNT] = {
    [NUMBERS_INODE] = {"next_inode", FIRST_INODE, INODE_RANGE, false},
    [NUMBERS_SEGMENT] = {"next_segment", FIRST_SEGMENT, SEGMENT_RANGE, true},
};

int numbers_new(struct tfs_index *index, struct tfs_numbers **ret)
{
    struct tfs_numbers *numbers = calloc(1, sizeof(*numbers));

    if (!numbers)
        return -ENOMEM;
    numbers->index = index;
    for (int kind = 0; kind < NUMBERS_KIND_COUNT; kind++)
        tfs_mutex_init(&numbers->ranges[kind].refill, TFS_RANK_NUMBERS);
    *ret = numbers;
    return 0;
}

void numbers_free(struct tfs_numbers *numbers)
{
    if (!numbers)
        return;
    for (int kind = 0; kind < NUMBERS_KIND_COUNT; kind++)
        tfs_mutex_release(&numbers->ranges[kind].refill);
    free(numbers);
}

static int read_next(struct tfs_index *index, const struct number_kind *kind, uint64_t *ret)
{
    struct index_value value;
    int err = index_get(index, INDEX_SUPER, kind->key, strlen(kind->key), &value);

    if (err == -ENOENT) {
        *ret = kind->first;
        return 0;
    }
    if (err)
        return err;
    if (value.size == sizeof(uint64_t) && tfs_get_le64(value.data) >= kind->first)
        *ret = tfs_get_le64(value.data);
    else
        err = tfs_fail(-EUCLEAN, "'%s' has no number", kind->key);
    index_value_release(&value);
    return err;
}

static int refill_locked(struct tfs_numbers *numbers, const struct number_kind *kind,
                         struct number_range *range) TFS_REQUIRES(&range->refill)
{
    struct index_batch *batch;
    uint8_t raw[sizeof(uint64_t)];
    uint64_t next;
    int err = read_next(numbers->index, kind, &next);

    if (err)
        return err;
    if (next > INT64_MAX - kind->range)
        return tfs_fail(-EOVERFLOW, "no more numbers for '%s'", kind->key);
    err = index_batch_new(&batch);
    if (err)
        return err;
    tfs_put_le64(raw, next + kind->range);
    index_batch_put(batch, INDEX_SUPER, kind->key, strlen(kind->key), raw, sizeof(raw));
    err = index_commit(numbers->index, batch, kind->durable);
    index_batch_free(batch);
    if (!err) {
        range->next = next;
        range->end = next + kind->range;
    }
    return err;
}

int numbers_take(struct tfs_numbers *numbers, enum numbers_kind kind, uint64_t *ret)
{
    struct number_range *range = &numbers->ranges[kind];
    int err = 0;

    tfs_mutex_lock(&range->refill);
    if (range->next == range->end)
        err = refill_locked(numbers, &kinds[kind], range);
    if (!err)
        *ret = range->next++;
    tfs_mutex_unlock(&range->refill);
    return err;
}
