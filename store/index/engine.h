/*
 * An engine of the index: a table of functions. index.h's own code calls them, nobody else. RocksDB
 * is the first (rocksdb_engine.c); the unit tests have one in memory.
 *
 * Common to all engines, and above the table: batches as bytes (index_batch.c), guards for engines
 * that cannot check them, group sync, which errors stay (index_commit.c).
 *
 * An engine promises:
 *
 * 1. A batch is applied whole or not at all, in a crash too. Who reads after apply() has returned
 *    sees all of it; a get_many() that runs meanwhile sees all of it or nothing.
 * 2. After a crash, of the process or of the machine, there is a prefix of the batches in the order
 *    in which apply() returned. It holds every batch that had been applied when a sync() began
 *    which returned 0.
 * 3. Keys are compared as unsigned bytes, and a key is before those that begin with it. A scan
 *    returns its keys in this order, each once.
 * 4. A scan shows the index as of one moment, that of its opening. The engine may fetch it in
 *    stretches of any size.
 * 5. A value stays as it was when it was looked up until it is released, which is before close().
 *
 * Batches may come from many threads at a time. Without `checks_guards` index_commit() sees to it
 * that no other apply() runs between the check of a batch's guards, made with get(), and its own
 * apply(). With it, apply() checks the guards of the batch as part of the same atomic step: what an
 * engine needs that others write to as well.
 *
 * Such an engine also puts what fences it off into each batch: a mount that was declared dead gets
 * -ESHUTDOWN from apply() and sync(), for good, and changes nothing.
 *
 * Errors of apply() and sync():
 *   -EEXIST, -ESTALE  a guard; nothing was applied
 *   -ETIMEDOUT        the engine cannot be reached now, and the call may be made again. Whether a
 *                     batch was applied the engine finds out by itself, before it applies another
 *   all others        final: until it is opened again nothing more is applied or synced
 */
#ifndef TFS_INDEX_ENGINE_H
#define TFS_INDEX_ENGINE_H

#include "store/index/index.h"

/* What an engine has open. Its own struct begins with this. Immutable while it is open. */
struct index_db {
    size_t batch_bytes_max; /* as index_batch_bytes() counts: commits of more fail, -EOVERFLOW */
    bool checks_guards;     /* apply() does, atomically with the changes */
};

/* The same for a scan. */
struct index_scan {
    const struct index_engine *engine; /* set when scan_open() has returned */
};

struct index_engine {
    const char *name;

    /* Of the store's directory, the folder where its files are, made by the engine; NULL: it has
     * none. */
    const char *folder;

    /* Errors: as index_open(). What failed is told in options->reason if there is one. */
    int (*open)(const struct index_options *options, struct index_db **ret);

    /* all_durable: what was applied has been synced. No other call is in progress. */
    void (*close)(struct index_db *db, bool all_durable);

    /* As index_get() and index_get_many(). */
    int (*get)(struct index_db *db, enum index_table table, const void *key, size_t key_size,
               struct index_value *ret);
    int (*get_many)(struct index_db *db, enum index_table table, size_t count,
                    const void *const *keys, const size_t *key_sizes,
                    struct index_value *ret_values);

    /* As index_scan_open(): keys of a range are at most INDEX_KEY_SIZE_MAX. */
    int (*scan_open)(struct index_db *db, const struct index_range *range, struct index_scan **ret);
    int (*scan_next)(struct index_scan *scan, struct index_record *ret);
    void (*scan_close)(struct index_scan *scan);

    /* Apply the changes of a batch, in their order. It has one at least, or a guard for an engine
     * that checks them. Not called on an index that was opened read-only. */
    int (*apply)(struct index_db *db, const struct index_batch *batch);

    /* Make durable what was applied. One call at a time. */
    int (*sync)(struct index_db *db);

    /* As index_memory_used() and index_visit_properties(). */
    uint64_t (*memory_used)(struct index_db *db);
    void (*visit_properties)(struct index_db *db,
                             void (*visit)(void *context, const char *name, const char *value),
                             void *context);
};

/* The engine of index_options that name none. */
extern const struct index_engine index_rocksdb;

enum index_operation { INDEX_PUT, INDEX_DELETE, INDEX_GUARD_ABSENT, INDEX_GUARD_PREFIX };

/* One entry of a batch; key and value point into the batch. */
struct index_entry {
    enum index_operation operation;
    enum index_table table;
    const uint8_t *key;
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
};

/* Walks the entries in the order of adding. *cursor starts at 0. Returns: false at the end. */
bool index_batch_next(const struct index_batch *batch, size_t *cursor, struct index_entry *ret);

/* Bytes of keys and values, and a few for each entry. */
size_t index_batch_bytes(const struct index_batch *batch);

size_t index_batch_guard_count(const struct index_batch *batch);

/* The first error of adding to the batch, or 0. */
int index_batch_error(const struct index_batch *batch);

/* Whether a guard passes when its key has this value, NULL when it has none. Returns: 0, -EEXIST or
 * -ESTALE. */
TFS_MUST_CHECK int index_guard_check(const struct index_entry *guard,
                                     const struct index_value *value);

/* The order of two keys, as memcmp() tells it. */
int index_key_compare(const void *a, size_t a_size, const void *b, size_t b_size);

#endif
