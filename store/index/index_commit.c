/*
 * Commits and their durability.
 *
 * A commit writes its batch to the log in the kernel and to the memtables, without a sync; a
 * durable one then takes part in a group sync, one fdatasync of the log for all commits that
 * returned by then. So nobody holds up RocksDB's write queue while the disk works, and one rule
 * serves commits and index_sync().
 *
 * 1. A commit is noted in the group after RocksDB applied it: a sync that starts later covers it.
 * 2. The first failed write or sync is sticky: what RocksDB has on disk is unknown until the index
 *    is opened again.
 * 3. After a failed write the log is not synced either: RocksDB asserts that nobody uses a file
 *    again after an error on it. A write that fails in the microsecond between the check here and
 *    RocksDB's own still ends the process, as a crash would.
 */
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/index_internal.h"

#include <errno.h>
#include <string.h>

static int guard_check(struct tfs_index *index, const struct index_entry *guard)
{
    struct index_value value;
    bool matches;
    int err = index_get(index, guard->table, guard->key, guard->key_size, &value);

    if (err < 0 && err != -ENOENT)
        return err;
    if (guard->operation == INDEX_GUARD_ABSENT) {
        if (err == -ENOENT)
            return 0;
        index_value_release(&value);
        return -EEXIST;
    }
    if (err == -ENOENT)
        return -ESTALE;
    matches = value.size >= guard->value_size &&
              (guard->value_size == 0 || memcmp(value.data, guard->value, guard->value_size) == 0);
    index_value_release(&value);
    return matches ? 0 : -ESTALE;
}

static int guards_check(struct tfs_index *index, const struct index_batch *batch)
{
    struct index_entry entry;
    size_t cursor = 0;
    int err;

    while (index_batch_next(batch, &cursor, &entry)) {
        if (entry.operation != INDEX_GUARD_ABSENT && entry.operation != INDEX_GUARD_PREFIX)
            continue;
        err = guard_check(index, &entry);
        if (err < 0)
            return err;
    }
    return 0;
}

static rocksdb_writebatch_t *batch_translate(struct tfs_index *index, struct index_batch *batch)
{
    rocksdb_writebatch_t *changes = index_batch_scratch(batch);
    struct index_entry entry;
    size_t cursor = 0;

    while (index_batch_next(batch, &cursor, &entry)) {
        rocksdb_column_family_handle_t *family = index->families[entry.table];
        const char *key = (const char *)entry.key;

        if (entry.operation == INDEX_PUT)
            rocksdb_writebatch_put_cf(changes, family, key, entry.key_size,
                                      (const char *)entry.value, entry.value_size);
        else if (entry.operation == INDEX_DELETE)
            rocksdb_writebatch_delete_cf(changes, family, key, entry.key_size);
    }
    return changes;
}

static int write_changes(struct tfs_index *index, rocksdb_writebatch_t *changes)
{
    char *message = NULL;
    int err;

    index_stop_counting();
    rocksdb_write(index->db, index->write_options, changes, &message);
    err = index_status_take(message, "commit");
    if (err < 0)
        tfs_error("index '%s': a write failed, no more until it is opened again: %s", index->path,
                  tfs_error_text(err));
    return err;
}

static void write_done_locked(struct tfs_index *index, int err) TFS_REQUIRES(&index->lock)
{
    if (err == 0)
        (void)tfs_group_note(&index->commits); /* who needs the number reads it later */
    else if (index->write_error == 0)
        index->write_error = err;
}

int index_health(struct tfs_index *index)
{
    int err;

    tfs_mutex_lock(&index->lock);
    err = index->write_error;
    tfs_mutex_unlock(&index->lock);
    return err;
}

static int commit_unguarded(struct tfs_index *index, rocksdb_writebatch_t *changes)
{
    int err;

    tfs_mutex_lock(&index->guard_lock);
    tfs_mutex_lock(&index->lock);
    index->writers_inside++;
    tfs_mutex_unlock(&index->lock);
    tfs_mutex_unlock(&index->guard_lock);

    err = write_changes(index, changes);

    tfs_mutex_lock(&index->lock);
    write_done_locked(index, err);
    index->writers_inside--;
    if (index->writers_inside == 0)
        tfs_cond_signal(&index->idle);
    tfs_mutex_unlock(&index->lock);
    return err;
}

static int commit_guarded_locked(struct tfs_index *index, const struct index_batch *batch,
                                 rocksdb_writebatch_t *changes) TFS_REQUIRES(&index->guard_lock)
{
    int err;

    /* No writer gets in any more; only those who are in already may still change what is guarded.
     */
    tfs_mutex_lock(&index->lock);
    while (index->writers_inside > 0)
        tfs_cond_wait(&index->idle, &index->lock);
    tfs_mutex_unlock(&index->lock);

    err = guards_check(index, batch);
    if (err < 0 || index_batch_count(batch) == 0)
        return err;
    err = write_changes(index, changes);

    tfs_mutex_lock(&index->lock);
    write_done_locked(index, err);
    tfs_mutex_unlock(&index->lock);
    return err;
}

static int commit_apply(struct tfs_index *index, struct index_batch *batch)
{
    rocksdb_writebatch_t *changes;
    int err = index_health(index);

    if (err < 0)
        return err;
    changes = batch_translate(index, batch);
    if (index_batch_guard_count(batch) > 0) {
        tfs_mutex_lock(&index->guard_lock);
        err = commit_guarded_locked(index, batch, changes);
        tfs_mutex_unlock(&index->guard_lock);
        return err;
    }
    return index_batch_count(batch) > 0 ? commit_unguarded(index, changes) : 0;
}

int index_commit(struct tfs_index *index, struct index_batch *batch, bool durable)
{
    int err = index_batch_error(batch);

    if (err < 0)
        return err;
    if (index->read_only)
        return -EROFS;
    err = commit_apply(index, batch);
    if (err < 0 || !durable)
        return err;
    return index_sync(index);
}

static int log_flush(void *context)
{
    struct tfs_index *index = context;
    char *message = NULL;
    int err = index_health(index);

    if (err < 0)
        return err;
    rocksdb_flush_wal(index->db, 1, &message);
    err = index_status_take(message, "sync");
    if (err < 0)
        tfs_error("index '%s': a sync failed, no more writes until it is opened again: %s",
                  index->path, tfs_error_text(err));
    return err;
}

static int sync_locked(struct tfs_index *index) TFS_REQUIRES(&index->lock)
{
    int err = tfs_group_sync(&index->commits, &index->lock, index->commits.noted, log_flush, index);

    if (err < 0 && index->write_error == 0)
        index->write_error = err;
    return err;
}

void index_sync_counts(struct tfs_index *index, uint64_t *ret_asked, uint64_t *ret_made)
{
    tfs_mutex_lock(&index->lock);
    *ret_asked = index->commits.asked_count;
    *ret_made = index->commits.flush_count;
    tfs_mutex_unlock(&index->lock);
}

int index_sync(struct tfs_index *index)
{
    int err;

    tfs_mutex_lock(&index->lock);
    err = sync_locked(index);
    tfs_mutex_unlock(&index->lock);
    return err;
}

uint64_t index_commit_number(struct tfs_index *index)
{
    uint64_t number;

    tfs_mutex_lock(&index->lock);
    number = index->commits.noted;
    tfs_mutex_unlock(&index->lock);
    return number;
}

uint64_t index_durable_number(struct tfs_index *index)
{
    uint64_t number;

    tfs_mutex_lock(&index->lock);
    number = index->commits.durable;
    tfs_mutex_unlock(&index->lock);
    return number;
}
