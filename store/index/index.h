/*
 * The index: an ordered map of small records in a few tables, with atomic, ordered and optionally
 * durable batches. An engine is below it (engine.h), today RocksDB, and nothing above this header
 * knows which.
 *
 * Ordering: batches become durable in the order in which index_commit() returned; after a crash (of
 * the process or of the machine) the index holds a prefix of them that includes every batch for
 * which durability was asked and acknowledged.
 *
 * Keys are compared as unsigned bytes. Every key of the tables that belong to one inode starts with
 * that inode's number, 8 bytes big-endian, so that a distributed engine could place them together.
 *
 * Threads: every function may be called from any thread at any time, except index_close(). A scan
 * and a batch belong to one thread at a time.
 */
#ifndef TFS_INDEX_H
#define TFS_INDEX_H

#include "store/base/defs.h"

/* The values are on disk only as names (column families); their order here is free. */
enum index_table {
    INDEX_INODE,   /* inode number                   -> inode record */
    INDEX_DENTRY,  /* parent, hash of name, name     -> directory entry */
    INDEX_EXTENT,  /* inode number, chunk number     -> the chunk's extents */
    INDEX_XATTR,   /* inode number, name             -> value */
    INDEX_SEGMENT, /* segment number                 -> what of it is live */
    INDEX_SHARE,  /* segment, offset                -> count of users of a frame that has several */
    INDEX_ORPHAN, /* inode number                   -> empty: removed, but still to be purged */
    INDEX_SUPER,  /* name of a setting              -> value */
    INDEX_TABLE_COUNT
};

/* The name that it has on disk and in what people read. */
const char *index_table_name(enum index_table table);

/* Of what is put or looked for. A longer key that somebody else has put can be deleted. */
enum { INDEX_KEY_SIZE_MAX = 512 };
#define INDEX_VALUE_SIZE_MAX (1024u * 1024u)

struct tfs_index;
struct index_engine;
struct index_batch;
struct index_scan;

/*
 * For who keeps what he has read of a table: is told each key that a commit puts or deletes there,
 * behind the engine's work and before index_commit() returns, and also when that failed and nobody
 * knows what became of it. Called by the committing thread, with whatever that one holds; must not
 * call the index.
 */
struct index_watch {
    enum index_table table;
    void (*changed)(void *context, const uint8_t *key, size_t key_size);
    void *context;
};

struct index_options {
    const struct index_engine *engine; /* NULL: RocksDB */
    const char *path;                  /* directory; its parent exists */
    bool create;                       /* make it when it is not there; else -ENOENT */
    bool read_only;                    /* no write reaches the directory */
    uint64_t memory_size_max;    /* bytes, for memtables and block cache together; at least 8 MiB */
    struct index_reason *reason; /* of a failure; NULL: it is logged */
    struct index_watch watch;    /* of zeros: nobody is told */

    /* NULL: what is damaged is not opened. Else it is repaired if the engine knows a way, which may
     * lose what the index learnt last: for who asked for it. When it cannot be opened all the same
     * it is as it was. */
    struct index_repair *repair;
};

/* What a person should know of an open that failed, beside the error; empty when that is all. */
struct index_reason {
    char text[320];
};

/* What was done to open a damaged index, for a person; empty: nothing. */
struct index_repair {
    char text[400];
};

/* The folder of a store in which the files of an engine are (NULL: RocksDB's). NULL: it has none
 * there. */
const char *index_engine_folder(const struct index_engine *engine);

/*
 * An open that fails leaves the index as it was, but for the log that RocksDB keeps of itself.
 *
 * Errors: -ENOENT (not there, not created), -EBUSY (open already, here or in another process;
 *         readers share), -EUCLEAN (it is corrupt), -EIO, -ENOSPC (less than 1 MiB
 *         left to write to), -EACCES, -EROFS, -EINVAL (create and read_only).
 */
TFS_MUST_CHECK int index_open(const struct index_options *options, struct tfs_index **ret);

/*
 * Makes everything durable first. Accepts NULL. Returns the error of that, the index is closed all
 * the same.
 */
int index_close(struct tfs_index *index);

/* A value that stays valid, borrowed from the index, until index_value_release(). */
struct index_value {
    const uint8_t *data;
    size_t size;
    void *pin; /* the engine's; NULL when there is nothing to release */
    void (*unpin)(void *pin);
};

static inline void index_value_release(struct index_value *value)
{
    if (value->pin)
        value->unpin(value->pin);
    *value = (struct index_value){0};
}

/* Errors: -ENOENT, -EIO, -EUCLEAN. */
TFS_MUST_CHECK int index_get(struct tfs_index *index, enum index_table table, const void *key,
                             size_t key_size, struct index_value *ret);

/*
 * Several keys of one table at once, cheaper than as many gets. ret_values[i].data is NULL for a
 * missing key. The caller releases every value.
 *
 * Errors: -EIO, -EUCLEAN; no value is to be released then.
 */
TFS_MUST_CHECK int index_get_many(struct tfs_index *index, enum index_table table, size_t count,
                                  const void *const *keys, const size_t *key_sizes,
                                  struct index_value *ret_values);

/*
 * Walk the keys that start with `prefix` (NULL and 0: all of the table) in order, from the first
 * that is >= `start` (NULL: from the beginning). The scan sees the index as it was when it was
 * opened.
 */
struct index_range {
    enum index_table table;
    const void *prefix;
    size_t prefix_size;
    const void *start;
    size_t start_size;
};

/* Errors: -EINVAL (longer than a key can be), -EIO, -ENOMEM. */
TFS_MUST_CHECK int index_scan_open(struct tfs_index *index, const struct index_range *range,
                                   struct index_scan **ret);

struct index_record {
    const uint8_t *key; /* borrowed until the next call with this scan */
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
};

/* Returns: 1 and a record, 0 at the end. Errors: -EIO, -EUCLEAN. */
TFS_MUST_CHECK int index_scan_next(struct index_scan *scan, struct index_record *ret);
void index_scan_close(struct index_scan *scan);

/*
 * A batch collects changes and guards; index_commit() applies all of it or nothing. Adding to a
 * batch copies the bytes; it fails only at commit, when memory ran out or a limit was passed
 * meanwhile (-ENOMEM, -EOVERFLOW).
 *
 * Errors of index_batch_new(): -ENOMEM.
 */
TFS_MUST_CHECK int index_batch_new(struct index_batch **ret);
void index_batch_free(struct index_batch *batch);
void index_batch_clear(struct index_batch *batch);
size_t index_batch_count(const struct index_batch *batch); /* of changes, guards not counted */

void index_batch_put(struct index_batch *batch, enum index_table table, const void *key,
                     size_t key_size, const void *value, size_t value_size);
void index_batch_delete(struct index_batch *batch, enum index_table table, const void *key,
                        size_t key_size);

/*
 * Guards: the commit fails with -EEXIST when the key is there, or with -ESTALE when its value does
 * not start with these bytes.
 */
void index_batch_guard_absent(struct index_batch *batch, enum index_table table, const void *key,
                              size_t key_size);
void index_batch_guard_prefix(struct index_batch *batch, enum index_table table, const void *key,
                              size_t key_size, const void *prefix, size_t prefix_size);

/*
 * Apply the batch. Guards of concurrent commits are checked atomically with their changes.
 *
 * durable: return only after this and every earlier batch survives a power cut. Concurrent durable
 *          commits and syncs share one write to the disk.
 * Errors:  -EEXIST, -ESTALE (guards), -ENOSPC, -EIO, -EROFS, -ENOMEM, -EOVERFLOW (more than the
 *          engine takes in one batch), -ETIMEDOUT (it is out of reach: again later). Nothing was
 *          applied then, with one exception: when the sync of a durable batch fails, the batch is
 *          visible, and whether it survives a power cut is open. But for -ETIMEDOUT the error of a
 *          write or a sync stays for all later commits until the index is closed; reads go on.
 */
TFS_MUST_CHECK int index_commit(struct tfs_index *index, struct index_batch *batch, bool durable);

/* Everything committed before this call becomes durable; free of I/O when it already is. Errors:
 * -EIO, -ENOSPC, which stay as those of a commit do; -ETIMEDOUT, again later. */
TFS_MUST_CHECK int index_sync(struct tfs_index *index);

/*
 * A number that grows with every commit; what has a number <= index_durable_number() survives a
 * power cut.
 */
uint64_t index_commit_number(struct tfs_index *index);
uint64_t index_durable_number(struct tfs_index *index);

/* Bytes that the engine holds in memory now (memtables, block cache, pinned). */
uint64_t index_memory_used(struct tfs_index *index);

/* 0, or the error of the write or sync that was the first to fail for good: nothing more can be
 * committed then. */
TFS_MUST_CHECK int index_health(struct tfs_index *index);

/* How often durability was asked for, and how often the disk was made to sync for it. */
void index_sync_counts(struct tfs_index *index, uint64_t *ret_asked, uint64_t *ret_made);

/* Calls `visit` with what the engine tells of itself: names and texts that are its own business,
 * for people. */
void index_visit_properties(struct tfs_index *index,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context);

#endif
