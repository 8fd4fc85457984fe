/*
 * Ranges of numbers. The index keeps, for each kind, the first number that no range has. A range of
 * segment numbers is made durable before it is used, because the segments' files are outside of the
 * index; inodes are in it, behind the range they come from.
 *
 * That number is not believed blindly, for a new file of a number in use would take another one's
 * place. When it is lost, or lower than what is in use, the first range goes on behind the highest
 * number in use; and no range is taken that anything in the index has a number of.
 */
#include "store/tables/numbers.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/index/index.h"
#include "store/tables/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 3 };
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
    int table_count;
    enum index_table tables[TABLES_MAX]; /* whose keys begin with such a number; the first has a row
                                            for each in use */
};

static const struct number_kind kinds[NUMBERS_KIND_COUNT] = {
    [NUMBERS_INODE] = {"next_inode",
                       FIRST_INODE,
                       INODE_RANGE,
                       false,
                       3,
                       {INDEX_INODE, INDEX_EXTENT, INDEX_XATTR}},
    [NUMBERS_SEGMENT] =
        {"next_segment", FIRST_SEGMENT, SEGMENT_RANGE, true, 2, {INDEX_SEGMENT, INDEX_SHARE}},
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

/* Shorter keys belong to nothing. */
static uint64_t number_of(const struct index_record *record)
{
    return record->key_size < sizeof(uint64_t) ? 0 : tfs_get_be64(record->key);
}

/* What to go past: numbers below `end`, up to the first gap of this size. */
struct passing {
    uint64_t gap;
    uint64_t end;
};

/* Moves *next behind the numbers that the table has. Returns: 1 when it moved. */
static int pass_numbers(struct tfs_index *index, enum index_table table,
                        const struct passing *passing, uint64_t *next)
{
    uint8_t start[sizeof(uint64_t)];
    struct index_range range = {.table = table, .start = start, .start_size = sizeof(start)};
    struct index_record record;
    struct index_scan *scan;
    int moved = 0;
    int more;
    int err;

    tfs_put_be64(start, *next);
    err = index_scan_open(index, &range, &scan);
    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        uint64_t number = number_of(&record);

        if (number < *next)
            continue; /* one more row of a number that was passed */
        if (number >= passing->end || number - *next >= passing->gap)
            break;
        *next = number + 1;
        moved = 1;
    }
    index_scan_close(scan);
    return more < 0 ? more : moved;
}

/* Moves *next behind everything in use, far numbers excepted. */
static int pass_highest(struct tfs_index *index, const struct number_kind *kind, uint64_t *next)
{
    const struct passing all = {.gap = UINT64_MAX, .end = META_NUMBER_FAR};
    uint64_t stored = *next;
    int moved = stored < all.end ? pass_numbers(index, kind->tables[0], &all, next) : 0;

    if (moved > 0)
        tfs_warn("'%s' of the index is lost or too low, %llu: numbers go on from %llu", kind->key,
                 (unsigned long long)stored, (unsigned long long)*next);
    return moved < 0 ? moved : 0;
}

/* Moves *next to the next range that is free in all tables. */
static int pass_used(struct tfs_index *index, const struct number_kind *kind, uint64_t *next)
{
    const struct passing used = {.gap = kind->range, .end = INT64_MAX};
    int moved = 1;

    while (moved > 0) {
        moved = 0;
        for (int i = 0; i < kind->table_count && moved >= 0; i++) {
            int err = pass_numbers(index, kind->tables[i], &used, next);

            moved = err < 0 ? err : moved | err;
        }
    }
    return moved;
}

static int refill_locked(struct tfs_numbers *numbers, const struct number_kind *kind,
                         struct number_range *range) TFS_REQUIRES(&range->refill)
{
    struct index_batch *batch;
    uint8_t raw[sizeof(uint64_t)];
    uint64_t next;
    int err = read_next(numbers->index, kind, &next);

    if (!err && range->end == 0)
        err = pass_highest(numbers->index, kind, &next);
    if (!err)
        err = pass_used(numbers->index, kind, &next);
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
