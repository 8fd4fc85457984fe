/*
 * The index as index.h has it, on top of an engine: what takes no part in commits.
 */
#include "store/base/error.h"
#include "store/index/index_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct index_engine *engine_of(const struct index_engine *wanted)
{
    return wanted ? wanted : &index_rocksdb;
}

const char *index_engine_folder(const struct index_engine *engine)
{
    return engine_of(engine)->folder;
}

const char *index_table_name(enum index_table table)
{
    static const char *const names[INDEX_TABLE_COUNT] = {
        [INDEX_INODE] = "inode",   [INDEX_DENTRY] = "dentry",   [INDEX_EXTENT] = "extent",
        [INDEX_XATTR] = "xattr",   [INDEX_SEGMENT] = "segment", [INDEX_SHARE] = "share",
        [INDEX_ORPHAN] = "orphan", [INDEX_SUPER] = "super",
    };

    assert((unsigned)table < INDEX_TABLE_COUNT);
    return names[table];
}

int index_open(const struct index_options *options, struct tfs_index **ret)
{
    struct tfs_index *index;
    int err;

    if (options->create && options->read_only)
        return tfs_fail(-EINVAL, "index '%s': create and read only", options->path);
    index = calloc(1, sizeof(*index));
    if (!index)
        return -ENOMEM;
    index->engine = engine_of(options->engine);
    err = index->engine->open(options, &index->db);
    if (err < 0) {
        free(index);
        return err;
    }
    index->read_only = options->read_only;
    index->watch = options->watch;
    tfs_mutex_init(&index->guard_lock, TFS_RANK_INDEX);
    tfs_mutex_init(&index->lock, TFS_RANK_LEAF);
    tfs_cond_init(&index->idle);
    tfs_group_init(&index->commits);
    *ret = index;
    return 0;
}

int index_close(struct tfs_index *index)
{
    int err;

    if (!index)
        return 0;
    err = index_sync(index);
    index->engine->close(index->db, err == 0);
    tfs_group_release(&index->commits);
    tfs_cond_release(&index->idle);
    tfs_mutex_release(&index->lock);
    tfs_mutex_release(&index->guard_lock);
    free(index);
    return err;
}

int index_get(struct tfs_index *index, enum index_table table, const void *key, size_t key_size,
              struct index_value *ret)
{
    assert((unsigned)table < INDEX_TABLE_COUNT);
    return index->engine->get(index->db, table, key, key_size, ret);
}

int index_get_many(struct tfs_index *index, enum index_table table, size_t count,
                   const void *const *keys, const size_t *key_sizes, struct index_value *ret_values)
{
    assert((unsigned)table < INDEX_TABLE_COUNT);
    return index->engine->get_many(index->db, table, count, keys, key_sizes, ret_values);
}

int index_key_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common > 0 ? memcmp(a, b, common) : 0;

    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

int index_scan_open(struct tfs_index *index, const struct index_range *range,
                    struct index_scan **ret)
{
    int err;

    assert((unsigned)range->table < INDEX_TABLE_COUNT);
    if (range->prefix_size > INDEX_KEY_SIZE_MAX || range->start_size > INDEX_KEY_SIZE_MAX)
        return tfs_fail(-EINVAL, "index: scan of a prefix of %zu bytes from a key of %zu, limit %d",
                        range->prefix_size, range->start_size, INDEX_KEY_SIZE_MAX);
    err = index->engine->scan_open(index->db, range, ret);
    if (err < 0)
        return err;
    (*ret)->engine = index->engine;
    return 0;
}

int index_scan_next(struct index_scan *scan, struct index_record *ret)
{
    return scan->engine->scan_next(scan, ret);
}

void index_scan_close(struct index_scan *scan)
{
    if (scan)
        scan->engine->scan_close(scan);
}

uint64_t index_memory_used(struct tfs_index *index)
{
    return index->engine->memory_used(index->db);
}

void index_visit_properties(struct tfs_index *index,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context)
{
    index->engine->visit_properties(index->db, visit, context);
}
