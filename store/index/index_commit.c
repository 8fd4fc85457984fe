/*
 * Commits and their durability.
 *
 * The engine applies a batch without a sync; a durable commit then takes part in a group sync, one
 * of the engine for all commits that returned by then. One rule serves commits and index_sync().
 *
 * 1. A commit is noted in the group after the engine applied it: a sync that starts later covers
 *    it.
 * 2. The first write or sync that fails for good is sticky: what the engine has on disk is unknown
 *    until the index is opened again. After it the engine is neither written to nor synced.
 */
#include "store/base/error.h"
#include "store/index/index_internal.h"

#include <errno.h>
#include <string.h>

/* Whether nothing more can be written after this error of an engine: see engine.h. */
static bool is_final(int err)
{
    return err != -EEXIST && err != -ESTALE && err != -ETIMEDOUT;
}

int index_guard_check(const struct index_entry *guard, const struct index_value *value)
{
    if (guard->operation == INDEX_GUARD_ABSENT)
        return value ? -EEXIST : 0;
    if (!value || value->size < guard->value_size)
        return -ESTALE;
    if (guard->value_size > 0 && memcmp(value->data, guard->value, guard->value_size) != 0)
        return -ESTALE;
    return 0;
}

static int guard_look(struct tfs_index *index, const struct index_entry *guard)
{
    struct index_value value;
    int err = index->engine->get(index->db, guard->table, guard->key, guard->key_size, &value);

    if (err == -ENOENT)
        return index_guard_check(guard, NULL);
    if (err < 0)
        return err;
    err = index_guard_check(guard, &value);
    index_value_release(&value);
    return err;
}

static int guards_check(struct tfs_index *index, const struct index_batch *batch)
{
    struct index_entry entry;
    size_t cursor = 0;
    int err;

    while (index_batch_next(batch, &cursor, &entry)) {
        if (entry.operation != INDEX_GUARD_ABSENT && entry.operation != INDEX_GUARD_PREFIX)
            continue;
        err = guard_look(index, &entry);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The engine has applied it, or not. What has changes is a commit. */
static void applied_locked(struct tfs_index *index, const struct index_batch *batch, int err)
    TFS_REQUIRES(&index->lock)
{
    if (err == 0 && index_batch_count(batch) > 0)
        (void)tfs_group_note(&index->commits); /* who needs the number reads it later */
    else if (err < 0 && is_final(err) && index->write_error == 0)
        index->write_error = err;
}

static int apply(struct tfs_index *index, const struct index_batch *batch)
{
    int err = index->engine->apply(index->db, batch);

    tfs_mutex_lock(&index->lock);
    applied_locked(index, batch, err);
    tfs_mutex_unlock(&index->lock);
    return err;
}

int index_health(struct tfs_index *index)
{
    int err;

    tfs_mutex_lock(&index->lock);
    err = index->write_error;
    tfs_mutex_unlock(&index->lock);
    return err;
}

static int commit_unguarded(struct tfs_index *index, const struct index_batch *batch)
{
    int err;

    tfs_mutex_lock(&index->guard_lock);
    tfs_mutex_lock(&index->lock);
    index->writers_inside++;
    tfs_mutex_unlock(&index->lock);
    tfs_mutex_unlock(&index->guard_lock);

    err = index->engine->apply(index->db, batch);

    tfs_mutex_lock(&index->lock);
    applied_locked(index, batch, err);
    index->writers_inside--;
    if (index->writers_inside == 0)
        tfs_cond_signal(&index->idle);
    tfs_mutex_unlock(&index->lock);
    return err;
}

static int commit_guarded_locked(struct tfs_index *index, const struct index_batch *batch)
    TFS_REQUIRES(&index->guard_lock)
{
    int err;

    /* No writer gets in any more; only those who are in already may still change what is guarded.
     */
    tfs_mutex_lock(&index->lock);
    while (index->writers_inside > 0)
        tfs_cond_wait(&index->idle, &index->lock);
    tfs_mutex_unlock(&index->lock);

    err = guards_check(index, batch);
    return err < 0 || index_batch_count(batch) == 0 ? err : apply(index, batch);
}

static int commit_batch(struct tfs_index *index, const struct index_batch *batch)
{
    bool guarded = index_batch_guard_count(batch) > 0;
    int err;

    if (index_batch_count(batch) == 0 && !guarded)
        return 0;
    if (index->db->checks_guards)
        return apply(index, batch);
    if (!guarded)
        return commit_unguarded(index, batch);
    tfs_mutex_lock(&index->guard_lock);
    err = commit_guarded_locked(index, batch);
    tfs_mutex_unlock(&index->guard_lock);
    return err;
}

static void tell_watch(const struct tfs_index *index, const struct index_batch *batch)
{
    const struct index_watch *watch = &index->watch;
    struct index_entry entry;
    size_t cursor = 0;

    while (watch->changed && index_batch_next(batch, &cursor, &entry)) {
        if (entry.table == watch->table &&
            (entry.operation == INDEX_PUT || entry.operation == INDEX_DELETE))
            watch->changed(watch->context, entry.key, entry.key_size);
    }
}

int index_commit(struct tfs_index *index, struct index_batch *batch, bool durable)
{
    int err = index_batch_error(batch);

    if (err < 0)
        return err;
    if (index->read_only)
        return -EROFS;
    if (index_batch_bytes(batch) > index->db->batch_bytes_max)
        return tfs_fail(-EOVERFLOW, "index: batch of %zu bytes, limit %zu",
                        index_batch_bytes(batch), index->db->batch_bytes_max);
    err = index_health(index);
    if (err == 0) {
        err = commit_batch(index, batch);
        tell_watch(index, batch);
    }
    return err < 0 || !durable ? err : index_sync(index);
}

static int engine_sync(void *context)
{
    struct tfs_index *index = context;
    int err = index_health(index);

    return err < 0 ? err : index->engine->sync(index->db);
}

static int sync_locked(struct tfs_index *index) TFS_REQUIRES(&index->lock)
{
    int err =
        tfs_group_sync(&index->commits, &index->lock, index->commits.noted, engine_sync, index);

    if (err < 0 && is_final(err) && index->write_error == 0)
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
