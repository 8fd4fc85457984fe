/*
 * Point lookups. Values stay in RocksDB's memory, pinned, until they are released.
 */
#include "store/base/error.h"
#include "store/index/rocksdb_internal.h"

#include <errno.h>

/* Keys looked up by one call of RocksDB; bounds what rocks_get_many() needs of the stack. */
enum { GET_MANY_GROUP = 64 };

static void slice_unpin(void *pin)
{
    rocksdb_pinnableslice_destroy(pin);
}

static void value_set(struct index_value *value, rocksdb_pinnableslice_t *slice)
{
    value->data = (const uint8_t *)rocksdb_pinnableslice_value(slice, &value->size);
    value->pin = slice;
    value->unpin = slice_unpin;
}

int rocks_get(struct index_db *db, enum index_table table, const void *key, size_t key_size,
              struct index_value *ret)
{
    struct rocks *rocks = rocks_of(db);
    char *message = NULL;
    rocksdb_pinnableslice_t *slice;

    rocks_stop_counting();
    slice = rocksdb_get_pinned_cf(rocks->handle, rocks->read_options, rocks->families[table], key,
                                  key_size, &message);
    if (message)
        return rocks_read_status_take(message, "get");
    if (!slice)
        return -ENOENT;
    value_set(ret, slice);
    return 0;
}

/*
 * Take over all results of one call; the first error wins, and the values beside it are set all the
 * same.
 */
static int group_take(size_t count, rocksdb_pinnableslice_t **slices, char **messages,
                      struct index_value *values)
{
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        int err = rocks_read_status_take(messages[i], "get many");

        values[i] = (struct index_value){0};
        if (slices[i])
            value_set(&values[i], slices[i]);
        if (err < 0 && first == 0)
            first = err;
    }
    return first;
}

static int group_get(struct rocks *rocks, enum index_table table, size_t count,
                     const void *const *keys, const size_t *key_sizes, struct index_value *values)
{
    rocksdb_pinnableslice_t *slices[GET_MANY_GROUP] = {0};
    char *messages[GET_MANY_GROUP] = {0};

    rocks_stop_counting();
    rocksdb_batched_multi_get_cf(rocks->handle, rocks->read_options, rocks->families[table], count,
                                 (const char *const *)keys, key_sizes, slices, messages, false);
    return group_take(count, slices, messages, values);
}

int rocks_get_many(struct index_db *db, enum index_table table, size_t count,
                   const void *const *keys, const size_t *key_sizes, struct index_value *ret_values)
{
    struct rocks *rocks = rocks_of(db);
    size_t done = 0;

    while (done < count) {
        size_t group = (size_t)tfs_min_u64(count - done, GET_MANY_GROUP);
        int err = group_get(rocks, table, group, keys + done, key_sizes + done, ret_values + done);

        done += group;
        if (err == 0)
            continue;
        for (size_t i = 0; i < done; i++)
            index_value_release(&ret_values[i]);
        return err;
    }
    return 0;
}

uint64_t rocks_memory_used(struct index_db *db)
{
    const struct rocks *rocks = rocks_of(db);
    rocksdb_memory_consumers_t *consumers;
    rocksdb_memory_usage_t *usage;
    char *message = NULL;
    uint64_t used = 0;

    consumers = rocksdb_memory_consumers_create();
    rocksdb_memory_consumers_add_db(consumers, rocks->handle);
    rocksdb_memory_consumers_add_cache(consumers, rocks->cache);
    usage = rocksdb_approximate_memory_usage_create(consumers, &message);
    if (rocks_status_take(message, "memory used") == 0) {
        used = rocksdb_approximate_memory_usage_get_mem_table_total(usage) +
               rocksdb_approximate_memory_usage_get_mem_table_readers_total(usage) +
               rocksdb_approximate_memory_usage_get_cache_total(usage);
        rocksdb_approximate_memory_usage_destroy(usage);
    }
    rocksdb_memory_consumers_destroy(consumers);
    return used;
}

void rocks_visit_properties(struct index_db *db,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context)
{
    const struct rocks *rocks = rocks_of(db);
    static const char *const names[] = {
        "rocksdb.stats",
        "rocksdb.levelstats",
        "rocksdb.estimate-num-keys",
        "rocksdb.estimate-live-data-size",
        "rocksdb.total-sst-files-size",
        "rocksdb.cur-size-all-mem-tables",
        "rocksdb.estimate-table-readers-mem",
        "rocksdb.block-cache-usage",
        "rocksdb.block-cache-capacity",
        "rocksdb.background-errors",
        "rocksdb.num-running-compactions",
        "rocksdb.estimate-pending-compaction-bytes",
        "rocksdb.is-write-stopped",
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(names); i++) {
        char *value = rocksdb_property_value(rocks->handle, names[i]);

        if (value)
            visit(context, names[i], value);
        rocksdb_free(value);
    }
}
