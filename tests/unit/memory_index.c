#include "memory_index.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH_BYTES_MAX = 8 * 1024 * 1024 };

/* Immutable, and counted: by tables, by scans, by values that somebody has. */
struct record {
    atomic_uint users;
    size_t key_size;
    size_t value_size;
    uint8_t bytes[]; /* the key, then the value */
};

struct table {
    struct record **records; /* by key */
    size_t count;
    size_t capacity;
};

struct tables {
    struct table all[INDEX_TABLE_COUNT];
};

/* What is behind a path. */
struct disk {
    struct disk *next;
    char *path;
    pthread_mutex_t lock; /* guards the rest */
    struct tables now;
    struct tables durable;
    struct index_batch **unsynced; /* in the order in which they were applied */
    size_t unsynced_count;
};

struct memory_db {
    struct index_db db;
    struct disk *disk;
};

struct memory_scan {
    struct index_scan scan;
    struct table found;
    size_t next;
};

static struct disk *disks;
static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;

static void *must(void *memory)
{
    assert_non_null(memory);
    return memory;
}

static struct record *record_ref(struct record *record)
{
    atomic_fetch_add(&record->users, 1);
    return record;
}

static void record_unref(struct record *record)
{
    if (atomic_fetch_sub(&record->users, 1) == 1)
        free(record);
}

static void table_clear(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        record_unref(table->records[i]);
    free(table->records);
    *table = (struct table){0};
}

/* The first record whose key is not before this one. */
static size_t table_find(const struct table *table, const void *key, size_t key_size, bool *ret)
{
    size_t low = 0;
    size_t high = table->count;

    *ret = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct record *record = table->records[middle];
        int order = index_key_compare(record->bytes, record->key_size, key, key_size);

        *ret = *ret || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void table_insert(struct table *table, size_t at, struct record *record)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 16;
        table->records =
            must(reallocarray(table->records, table->capacity, sizeof(*table->records)));
    }
    memmove(table->records + at + 1, table->records + at,
            (table->count - at) * sizeof(*table->records));
    table->records[at] = record;
    table->count++;
}

static void table_remove(struct table *table, size_t at)
{
    record_unref(table->records[at]);
    table->count--;
    memmove(table->records + at, table->records + at + 1,
            (table->count - at) * sizeof(*table->records));
}

static void tables_copy(const struct tables *from, struct tables *to)
{
    for (int i = 0; i < INDEX_TABLE_COUNT; i++) {
        table_clear(&to->all[i]);
        for (size_t at = 0; at < from->all[i].count; at++)
            table_insert(&to->all[i], at, record_ref(from->all[i].records[at]));
    }
}

static struct record *record_of(const struct index_entry *entry)
{
    struct record *record = must(malloc(sizeof(*record) + entry->key_size + entry->value_size));

    atomic_init(&record->users, 1);
    record->key_size = entry->key_size;
    record->value_size = entry->value_size;
    if (entry->key_size > 0)
        memcpy(record->bytes, entry->key, entry->key_size);
    if (entry->value_size > 0)
        memcpy(record->bytes + entry->key_size, entry->value, entry->value_size);
    return record;
}

static void tables_apply(struct tables *tables, const struct index_batch *batch)
{
    struct index_entry entry;
    size_t cursor = 0;

    while (index_batch_next(batch, &cursor, &entry)) {
        struct table *table = &tables->all[entry.table];
        bool found;
        size_t at = table_find(table, entry.key, entry.key_size, &found);

        if (entry.operation != INDEX_PUT && entry.operation != INDEX_DELETE)
            continue;
        if (found)
            table_remove(table, at);
        if (entry.operation == INDEX_PUT)
            table_insert(table, at, record_of(&entry));
    }
}

/* ---- disks ---- */

static struct disk *disk_find(const char *path)
{
    struct disk *disk;

    pthread_mutex_lock(&disks_lock);
    disk = disks;
    while (disk && strcmp(disk->path, path) != 0)
        disk = disk->next;
    pthread_mutex_unlock(&disks_lock);
    return disk;
}

static struct disk *disk_make(const char *path)
{
    struct disk *disk = must(calloc(1, sizeof(*disk)));

    disk->path = must(strdup(path));
    pthread_mutex_init(&disk->lock, NULL);
    pthread_mutex_lock(&disks_lock);
    disk->next = disks;
    disks = disk;
    pthread_mutex_unlock(&disks_lock);
    return disk;
}

static void unsynced_clear(struct disk *disk)
{
    for (size_t i = 0; i < disk->unsynced_count; i++)
        index_batch_free(disk->unsynced[i]);
    free(disk->unsynced);
    disk->unsynced = NULL;
    disk->unsynced_count = 0;
}

static void unsynced_add(struct disk *disk, const struct index_batch *batch)
{
    struct index_batch *copy = NULL;
    struct index_entry entry;
    size_t cursor = 0;

    assert_int_equal(index_batch_new(&copy), 0);
    while (index_batch_next(batch, &cursor, &entry)) {
        if (entry.operation == INDEX_PUT)
            index_batch_put(copy, entry.table, entry.key, entry.key_size, entry.value,
                            entry.value_size);
        else if (entry.operation == INDEX_DELETE)
            index_batch_delete(copy, entry.table, entry.key, entry.key_size);
    }
    disk->unsynced =
        must(reallocarray(disk->unsynced, disk->unsynced_count + 1, sizeof(struct index_batch *)));
    disk->unsynced[disk->unsynced_count++] = copy;
}

void memory_index_crash(const char *path, const char *to, size_t unsynced_kept)
{
    struct disk *from = must(disk_find(path));
    struct disk *after = disk_make(to);

    pthread_mutex_lock(&from->lock);
    tables_copy(&from->durable, &after->now);
    for (size_t i = 0; i < from->unsynced_count && i < unsynced_kept; i++)
        tables_apply(&after->now, from->unsynced[i]);
    tables_copy(&after->now, &after->durable);
    pthread_mutex_unlock(&from->lock);
}

void memory_index_forget_all(void)
{
    struct disk *disk;

    while ((disk = disks)) {
        disks = disk->next;
        unsynced_clear(disk);
        for (int i = 0; i < INDEX_TABLE_COUNT; i++) {
            table_clear(&disk->now.all[i]);
            table_clear(&disk->durable.all[i]);
        }
        pthread_mutex_destroy(&disk->lock);
        free(disk->path);
        free(disk);
    }
}

/* ---- the table of functions ---- */

static struct disk *disk_of(struct index_db *db)
{
    return tfs_container_of(db, struct memory_db, db)->disk;
}

static int memory_open(const struct index_options *options, struct index_db **ret)
{
    struct disk *disk = disk_find(options->path);
    struct memory_db *db;

    if (!disk && !options->create)
        return -ENOENT;
    db = must(calloc(1, sizeof(*db)));
    db->db.batch_bytes_max = BATCH_BYTES_MAX;
    db->db.checks_guards = true;
    db->disk = disk ? disk : disk_make(options->path);
    *ret = &db->db;
    return 0;
}

static void memory_close(struct index_db *db, bool all_durable)
{
    (void)all_durable;
    free(tfs_container_of(db, struct memory_db, db));
}

static void value_unpin(void *pin)
{
    record_unref(pin);
}

static bool value_find(const struct table *table, const void *key, size_t key_size,
                       struct index_value *ret)
{
    bool found;
    size_t at = table_find(table, key, key_size, &found);

    *ret = (struct index_value){0};
    if (!found)
        return false;
    ret->pin = record_ref(table->records[at]);
    ret->unpin = value_unpin;
    ret->data = table->records[at]->bytes + table->records[at]->key_size;
    ret->size = table->records[at]->value_size;
    return true;
}

static int memory_get(struct index_db *db, enum index_table table, const void *key, size_t key_size,
                      struct index_value *ret)
{
    struct disk *disk = disk_of(db);
    struct index_value value;
    bool found;

    pthread_mutex_lock(&disk->lock);
    found = value_find(&disk->now.all[table], key, key_size, &value);
    pthread_mutex_unlock(&disk->lock);
    if (!found)
        return -ENOENT;
    *ret = value;
    return 0;
}

static int memory_get_many(struct index_db *db, enum index_table table, size_t count,
                           const void *const *keys, const size_t *key_sizes,
                           struct index_value *ret_values)
{
    struct disk *disk = disk_of(db);

    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < count; i++)
        (void)value_find(&disk->now.all[table], keys[i], key_sizes[i], &ret_values[i]);
    pthread_mutex_unlock(&disk->lock);
    return 0;
}

static bool is_in_range(const struct record *record, const struct index_range *range)
{
    return record->key_size >= range->prefix_size &&
           (range->prefix_size == 0 ||
            memcmp(record->bytes, range->prefix, range->prefix_size) == 0);
}

static int memory_scan_open(struct index_db *db, const struct index_range *range,
                            struct index_scan **ret)
{
    struct disk *disk = disk_of(db);
    const struct table *table = &disk->now.all[range->table];
    struct memory_scan *scan = must(calloc(1, sizeof(*scan)));
    const void *from = range->prefix;
    size_t from_size = range->prefix_size;
    bool found;

    if (range->start && index_key_compare(range->start, range->start_size, from, from_size) > 0) {
        from = range->start;
        from_size = range->start_size;
    }
    pthread_mutex_lock(&disk->lock);
    for (size_t i = table_find(table, from, from_size, &found);
         i < table->count && is_in_range(table->records[i], range); i++)
        table_insert(&scan->found, scan->found.count, record_ref(table->records[i]));
    pthread_mutex_unlock(&disk->lock);
    *ret = &scan->scan;
    return 0;
}

static int memory_scan_next(struct index_scan *base, struct index_record *ret)
{
    struct memory_scan *scan = tfs_container_of(base, struct memory_scan, scan);
    const struct record *record;

    if (scan->next == scan->found.count)
        return 0;
    record = scan->found.records[scan->next++];
    ret->key = record->bytes;
    ret->key_size = record->key_size;
    ret->value = record->bytes + record->key_size;
    ret->value_size = record->value_size;
    return 1;
}

static void memory_scan_close(struct index_scan *base)
{
    struct memory_scan *scan = tfs_container_of(base, struct memory_scan, scan);

    table_clear(&scan->found);
    free(scan);
}

static int guards_check(struct disk *disk, const struct index_batch *batch)
{
    struct index_entry entry;
    size_t cursor = 0;
    int err = 0;

    while (!err && index_batch_next(batch, &cursor, &entry)) {
        struct index_value value;
        bool found;

        if (entry.operation != INDEX_GUARD_ABSENT && entry.operation != INDEX_GUARD_PREFIX)
            continue;
        found = value_find(&disk->now.all[entry.table], entry.key, entry.key_size, &value);
        err = index_guard_check(&entry, found ? &value : NULL);
        index_value_release(&value);
    }
    return err;
}

static int memory_apply(struct index_db *db, const struct index_batch *batch)
{
    struct disk *disk = disk_of(db);
    int err;

    pthread_mutex_lock(&disk->lock);
    err = guards_check(disk, batch);
    if (!err) {
        tables_apply(&disk->now, batch);
        unsynced_add(disk, batch);
    }
    pthread_mutex_unlock(&disk->lock);
    return err;
}

static int memory_sync(struct index_db *db)
{
    struct disk *disk = disk_of(db);

    pthread_mutex_lock(&disk->lock);
    for (size_t i = 0; i < disk->unsynced_count; i++)
        tables_apply(&disk->durable, disk->unsynced[i]);
    unsynced_clear(disk);
    pthread_mutex_unlock(&disk->lock);
    return 0;
}

static uint64_t memory_memory_used(struct index_db *db)
{
    (void)db;
    return 0; /* nobody bounds it */
}

static void memory_visit_properties(struct index_db *db,
                                    void (*visit)(void *context, const char *name,
                                                  const char *value),
                                    void *context)
{
    (void)db;
    visit(context, "memory", "an engine of the tests");
}

const struct index_engine index_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .get = memory_get,
    .get_many = memory_get_many,
    .scan_open = memory_scan_open,
    .scan_next = memory_scan_next,
    .scan_close = memory_scan_close,
    .apply = memory_apply,
    .sync = memory_sync,
    .memory_used = memory_memory_used,
    .visit_properties = memory_visit_properties,
};
