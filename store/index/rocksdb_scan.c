/*
 * Ordered walks. The upper bound given to RocksDB ends a walk, so no key is compared here.
 */
#include "store/index/rocksdb_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILTERED_PREFIX_SIZE = 8 };

struct rocks_scan {
    struct index_scan scan;
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *options;
    bool started;                         /* the iterator stands on what was returned last */
    char upper_bound[INDEX_KEY_SIZE_MAX]; /* borrowed by the iterator */
    size_t upper_bound_size;
};

/*
 * The smallest key above all that start with the prefix: the prefix with its last byte that is not
 * 0xff increased, cut after it.
 *
 * Returns: its size; 0 when there is no such key.
 */
static size_t prefix_successor(const void *prefix, size_t prefix_size, char *bound)
{
    size_t size = prefix_size;

    if (prefix_size == 0)
        return 0;
    memcpy(bound, prefix, prefix_size);
    while (size > 0 && (uint8_t)bound[size - 1] == UINT8_MAX)
        size--;
    if (size > 0)
        bound[size - 1] = (char)((uint8_t)bound[size - 1] + 1);
    return size;
}

static void options_set(struct rocks_scan *scan, const struct index_range *range)
{
    bool whole_table = range->prefix_size == 0;
    bool filtered =
        range->prefix_size >= FILTERED_PREFIX_SIZE && rocks_table_has_prefix(range->table);

    scan->upper_bound_size = prefix_successor(range->prefix, range->prefix_size, scan->upper_bound);
    if (scan->upper_bound_size > 0)
        rocksdb_readoptions_set_iterate_upper_bound(scan->options, scan->upper_bound,
                                                    scan->upper_bound_size);
    /* A prefix's bloom filter may only decide when every key wanted has it. */
    rocksdb_readoptions_set_total_order_seek(scan->options, !filtered);
    rocksdb_readoptions_set_prefix_same_as_start(scan->options, filtered);
    /* A walk over everything must not push out what lookups need. */
    rocksdb_readoptions_set_fill_cache(scan->options, !whole_table);
}

static void scan_seek(struct rocks_scan *scan, const struct index_range *range)
{
    const void *from = range->prefix;
    size_t from_size = range->prefix_size;

    if (range->start && index_key_compare(range->start, range->start_size, from, from_size) > 0) {
        from = range->start;
        from_size = range->start_size;
    }
    if (from_size == 0)
        rocksdb_iter_seek_to_first(scan->iterator);
    else
        rocksdb_iter_seek(scan->iterator, from, from_size);
}

static bool start_is_behind(const struct rocks_scan *scan, const struct index_range *range)
{
    return range->start && scan->upper_bound_size > 0 &&
           index_key_compare(range->start, range->start_size, scan->upper_bound,
                             scan->upper_bound_size) >= 0;
}

int rocks_scan_open(struct index_db *db, const struct index_range *range, struct index_scan **ret)
{
    struct rocks *rocks = rocks_of(db);
    struct rocks_scan *scan = calloc(1, sizeof(*scan));

    if (!scan)
        return -ENOMEM;
    rocks_stop_counting();
    scan->options = rocksdb_readoptions_create();
    options_set(scan, range);
    /*
     * With prefix_same_as_start RocksDB would take the prefix from a start that lies outside of the
     * range.
     */
    if (!start_is_behind(scan, range)) {
        scan->iterator =
            rocksdb_create_iterator_cf(rocks->handle, scan->options, rocks->families[range->table]);
        scan_seek(scan, range);
    }
    *ret = &scan->scan;
    return 0;
}

static struct rocks_scan *scan_of(struct index_scan *scan)
{
    return tfs_container_of(scan, struct rocks_scan, scan);
}

int rocks_scan_next(struct index_scan *base, struct index_record *ret)
{
    struct rocks_scan *scan = scan_of(base);
    char *message = NULL;

    if (!scan->iterator)
        return 0;
    if (scan->started && rocksdb_iter_valid(scan->iterator))
        rocksdb_iter_next(scan->iterator);
    scan->started = true;
    if (!rocksdb_iter_valid(scan->iterator)) {
        rocksdb_iter_get_error(scan->iterator, &message);
        return rocks_read_status_take(message, "scan");
    }
    ret->key = (const uint8_t *)rocksdb_iter_key(scan->iterator, &ret->key_size);
    ret->value = (const uint8_t *)rocksdb_iter_value(scan->iterator, &ret->value_size);
    return 1;
}

void rocks_scan_close(struct index_scan *base)
{
    struct rocks_scan *scan = scan_of(base);

    if (scan->iterator)
        rocksdb_iter_destroy(scan->iterator);
    rocksdb_readoptions_destroy(scan->options);
    free(scan);
}
