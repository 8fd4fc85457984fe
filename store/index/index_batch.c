/*
 * A batch is a list of entries in one growing buffer, in the order of adding. It knows nothing of
 * an open index; that is why it is kept as bytes, and turned at commit into what the engine takes.
 */
#include "store/base/error.h"
#include "store/index/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct index_batch {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    size_t change_count;
    size_t guard_count;
    int error; /* the first one of adding */
};

/*
 * Precedes the key and the value in the buffer; read and written with memcpy, nothing is aligned
 * there.
 */
struct entry_header {
    uint8_t operation;
    uint8_t table;
    uint32_t key_size;
    uint32_t value_size;
};

/* No engine has to take more; some take less. */
#define BATCH_BYTES_MAX (256ull * TFS_MIB)

enum { BATCH_CAPACITY_MIN = 1024, BATCH_CAPACITY_KEPT_MAX = 1024 * 1024 };

int index_batch_new(struct index_batch **ret)
{
    struct index_batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return -ENOMEM;
    *ret = batch;
    return 0;
}

void index_batch_free(struct index_batch *batch)
{
    if (!batch)
        return;
    free(batch->bytes);
    free(batch);
}

void index_batch_clear(struct index_batch *batch)
{
    batch->size = 0;
    batch->change_count = 0;
    batch->guard_count = 0;
    batch->error = 0;
    if (batch->capacity <= BATCH_CAPACITY_KEPT_MAX)
        return;

    /* One huge batch must not keep its memory for ever. */
    free(TAKE_PTR(batch->bytes));
    batch->capacity = 0;
}

size_t index_batch_count(const struct index_batch *batch)
{
    return batch->change_count;
}

size_t index_batch_bytes(const struct index_batch *batch)
{
    return batch->size;
}

size_t index_batch_guard_count(const struct index_batch *batch)
{
    return batch->guard_count;
}

int index_batch_error(const struct index_batch *batch)
{
    return batch->error;
}

static int batch_grow(struct index_batch *batch, size_t needed)
{
    size_t capacity = batch->capacity ? batch->capacity : BATCH_CAPACITY_MIN;
    uint8_t *bytes;

    if (needed <= batch->capacity)
        return 0;
    while (capacity < needed)
        capacity *= 2;
    bytes = realloc(batch->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    batch->bytes = bytes;
    batch->capacity = capacity;
    return 0;
}

static int entry_check(const struct index_batch *batch, const struct index_entry *entry)
{
    if (entry->key_size > INDEX_KEY_SIZE_MAX && entry->operation != INDEX_DELETE)
        return tfs_fail(-EOVERFLOW, "index: key of %zu bytes, limit %d", entry->key_size,
                        INDEX_KEY_SIZE_MAX);
    if (entry->value_size > INDEX_VALUE_SIZE_MAX)
        return tfs_fail(-EOVERFLOW, "index: value of %zu bytes, limit %u", entry->value_size,
                        INDEX_VALUE_SIZE_MAX);
    if (batch->size + sizeof(struct entry_header) + entry->key_size + entry->value_size >
        BATCH_BYTES_MAX)
        return tfs_fail(-EOVERFLOW, "index: batch of more than %llu bytes", BATCH_BYTES_MAX);
    return 0;
}

static void append_bytes(struct index_batch *batch, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(batch->bytes + batch->size, bytes, size);
    batch->size += size;
}

static int batch_append(struct index_batch *batch, const struct index_entry *entry)
{
    struct entry_header header = {
        .operation = (uint8_t)entry->operation,
        .table = (uint8_t)entry->table,
        .key_size = (uint32_t)entry->key_size,
        .value_size = (uint32_t)entry->value_size,
    };
    int err = entry_check(batch, entry);

    if (err < 0)
        return err;
    err = batch_grow(batch, batch->size + sizeof(header) + entry->key_size + entry->value_size);
    if (err < 0)
        return err;
    append_bytes(batch, &header, sizeof(header));
    append_bytes(batch, entry->key, entry->key_size);
    append_bytes(batch, entry->value, entry->value_size);
    return 0;
}

static void batch_add(struct index_batch *batch, const struct index_entry *entry)
{
    assert((unsigned)entry->table < INDEX_TABLE_COUNT);

    if (batch->error < 0)
        return;
    batch->error = batch_append(batch, entry);
    if (batch->error < 0)
        return;
    if (entry->operation == INDEX_PUT || entry->operation == INDEX_DELETE)
        batch->change_count++;
    else
        batch->guard_count++;
}

void index_batch_put(struct index_batch *batch, enum index_table table, const void *key,
                     size_t key_size, const void *value, size_t value_size)
{
    batch_add(batch, &(struct index_entry){INDEX_PUT, table, key, key_size, value, value_size});
}

void index_batch_delete(struct index_batch *batch, enum index_table table, const void *key,
                        size_t key_size)
{
    batch_add(batch, &(struct index_entry){INDEX_DELETE, table, key, key_size, NULL, 0});
}

void index_batch_guard_absent(struct index_batch *batch, enum index_table table, const void *key,
                              size_t key_size)
{
    batch_add(batch, &(struct index_entry){INDEX_GUARD_ABSENT, table, key, key_size, NULL, 0});
}

void index_batch_guard_prefix(struct index_batch *batch, enum index_table table, const void *key,
                              size_t key_size, const void *prefix, size_t prefix_size)
{
    batch_add(batch,
              &(struct index_entry){INDEX_GUARD_PREFIX, table, key, key_size, prefix, prefix_size});
}

bool index_batch_next(const struct index_batch *batch, size_t *cursor, struct index_entry *ret)
{
    struct entry_header header;
    const uint8_t *at;

    if (*cursor >= batch->size)
        return false;
    at = batch->bytes + *cursor;
    memcpy(&header, at, sizeof(header));
    at += sizeof(header);
    *ret = (struct index_entry){
        .operation = (enum index_operation)header.operation,
        .table = (enum index_table)header.table,
        .key = at,
        .key_size = header.key_size,
        .value = at + header.key_size,
        .value_size = header.value_size,
    };
    *cursor += sizeof(header) + header.key_size + header.value_size;
    return true;
}
