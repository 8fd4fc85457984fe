/*
 * Writes of the RocksDB engine: a batch goes to the log in the kernel and to the memtables, without
 * a sync. So nobody holds up RocksDB's write queue while the disk works.
 *
 * RocksDB asserts that nobody uses a file again after an error on it, which is why index_commit.c
 * calls neither of these again. A write that fails in the microsecond between its check and
 * RocksDB's own still ends the process, as a crash would.
 */
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/rocksdb_internal.h"

enum { CHANGES_KEPT_MAX = 1024 * 1024 };

/* RocksDB's own batch, empty: the one that was kept, so that its memory is used again, or another
 * when somebody has that. Ends the process when memory is out, like all of C++ here. */
static rocksdb_writebatch_t *changes_take(struct rocks *rocks)
{
    /* Acquire and release: what was done to it is seen by who has it next. */
    rocksdb_writebatch_t *changes =
        atomic_exchange_explicit(&rocks->changes, NULL, memory_order_acquire);

    return changes ? changes : rocksdb_writebatch_create();
}

/* One huge batch must not keep its memory for ever. */
static void changes_keep(struct rocks *rocks, rocksdb_writebatch_t *changes)
{
    size_t size;

    (void)rocksdb_writebatch_data(changes, &size);
    if (size <= CHANGES_KEPT_MAX) {
        rocksdb_writebatch_clear(changes);
        changes = atomic_exchange_explicit(&rocks->changes, changes, memory_order_acq_rel);
    }
    if (changes)
        rocksdb_writebatch_destroy(changes);
}

static void changes_fill(const struct rocks *rocks, const struct index_batch *batch,
                         rocksdb_writebatch_t *changes)
{
    struct index_entry entry;
    size_t cursor = 0;

    while (index_batch_next(batch, &cursor, &entry)) {
        rocksdb_column_family_handle_t *family = rocks->families[entry.table];
        const char *key = (const char *)entry.key;

        if (entry.operation == INDEX_PUT)
            rocksdb_writebatch_put_cf(changes, family, key, entry.key_size,
                                      (const char *)entry.value, entry.value_size);
        else if (entry.operation == INDEX_DELETE)
            rocksdb_writebatch_delete_cf(changes, family, key, entry.key_size);
    }
}

int rocks_apply(struct index_db *db, const struct index_batch *batch)
{
    struct rocks *rocks = rocks_of(db);
    rocksdb_writebatch_t *changes = changes_take(rocks);
    char *message = NULL;
    int err;

    changes_fill(rocks, batch, changes);
    rocks_stop_counting();
    rocksdb_write(rocks->handle, rocks->write_options, changes, &message);
    changes_keep(rocks, changes);
    err = rocks_status_take(message, "commit");
    if (err < 0)
        tfs_error("index '%s': a write failed, no more until it is opened again: %s", rocks->path,
                  tfs_error_text(err));
    return err;
}

int rocks_sync(struct index_db *db)
{
    const struct rocks *rocks = rocks_of(db);
    char *message = NULL;
    int err;

    rocksdb_flush_wal(rocks->handle, 1, &message);
    err = rocks_status_take(message, "sync");
    if (err < 0)
        tfs_error("index '%s': a sync failed, no more writes until it is opened again: %s",
                  rocks->path, tfs_error_text(err));
    return err;
}
