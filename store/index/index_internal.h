/*
 * What the files of the adapter share. Nothing outside of store/index/ includes it.
 */
#ifndef TFS_INDEX_INTERNAL_H
#define TFS_INDEX_INTERNAL_H

#include "store/base/group.h"
#include "store/base/lock.h"
#include "store/index/index.h"

#include <rocksdb/c.h>
#include <sys/types.h>

/* RocksDB insists on a column family of this name; it stays empty and comes after ours. */
#define INDEX_DEFAULT_FAMILY "default"
enum { INDEX_FAMILY_COUNT = INDEX_TABLE_COUNT + 1 };

enum { INDEX_SEAL_SIZE_MAX = 192 };

/* A batch is one record of the write-ahead log and lies in memory twice while it is applied. */
#define INDEX_BATCH_SIZE_MAX (256ull * TFS_MIB)

struct tfs_index {
    char *path;
    bool create; /* given at open */
    bool read_only;
    uint64_t memory_size_max;
    int directory_fd;               /* holds the lock that keeps other processes out */
    struct index_reason *reason;    /* while it is opened, and NULL when there is none */
    char seal[INDEX_SEAL_SIZE_MAX]; /* what SEAL said; empty: there was none */

    /* Immutable while it is open. */
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[INDEX_FAMILY_COUNT];
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_options;   /* point lookups */
    rocksdb_writeoptions_t *write_options; /* not synced: the group does that */

    /*
     * Held by a commit with guards from its check to its write, and passed through by one without,
     * which counts itself in writers_inside: so writes without guards run side by side, and none
     * gets between a check and its write.
     */
    struct tfs_mutex guard_lock; /* rank TFS_RANK_INDEX */

    struct tfs_mutex lock;    /* rank TFS_RANK_LEAF */
    struct tfs_cond idle;     /* writers_inside became 0 */
    unsigned writers_inside;  /* guarded by lock */
    int write_error;          /* guarded by lock; of the first write or sync that failed */
    struct tfs_group commits; /* guarded by lock */
};

/* rocksdb_options.c */

/* Whether all of the table's keys start with 8 bytes that scans ask for. */
bool index_table_has_prefix(enum index_table table);

/* What one open needs; RocksDB copies it, so it is released right after. */
struct index_settings {
    rocksdb_options_t *db;
    rocksdb_options_t *families[INDEX_FAMILY_COUNT];
    const char *names[INDEX_FAMILY_COUNT];
};

void index_settings_init(struct index_settings *settings, const struct tfs_index *index);
void index_settings_release(struct index_settings *settings);

/* The share of the budget that the block cache gets. */
size_t index_cache_size(uint64_t memory_size_max);

/* rocksdb_open.c */

/* Tell the one who opens the index why it cannot be; without such a one it is logged, but for
 * -ENOENT. Returns `error`. */
int index_open_fail(const struct tfs_index *index, int error, const char *format, ...)
    TFS_PRINTF(3, 4);

/*
 * Called before each call of RocksDB that compares many keys. It counts the comparisons in a
 * variable of the thread, which is a seventh of the instructions of a commit and a fifth of a
 * lookup's, unless the thread has said that nobody reads these counters. Any thread may come here
 * for its first time; saying it again costs nothing.
 */
static inline void index_stop_counting(void)
{
    rocksdb_set_perf_level(rocksdb_disable);
}

/* rocksdb_file.c: small files of the index that are ours to write */

/* Reads a file of one short line. Returns: its size, or a negative errno. */
ssize_t index_line_read(int directory, const char *name, char line[INDEX_SEAL_SIZE_MAX]);

/* The name in CURRENT. Errors: -EUCLEAN: it is no manifest's; -ENOENT and others of open. */
TFS_MUST_CHECK int index_current_read(int directory, char ret[INDEX_MANIFEST_NAME_MAX]);

/* Write a new file, durably but for its name. */
TFS_MUST_CHECK int index_file_write(int directory, const char *name, const void *bytes,
                                    size_t size);

/* Give the file `from` the name `to`, durably. */
TFS_MUST_CHECK int index_file_rename(int directory, const char *from, const char *to);

/* rocksdb_seal.c */

/* Whether the manifest is what it was when the index was closed. Errors: -EUCLEAN, told. */
int index_seal_check(struct tfs_index *index);

/* Take the seal away, durably, before the index is opened for writing. */
int index_seal_break(const struct tfs_index *index);

/* Put the seal back that was taken away for an open that failed, if it is still true. */
void index_seal_mend(const struct tfs_index *index);

/* Seal an index whose database is closed, with nothing left in its log. */
void index_seal_put(const struct tfs_index *index);

/* rocksdb_repair.c */

/* How many of a manifest's bytes are whole records, from its start. */
size_t index_manifest_whole_size(const uint8_t *bytes, size_t size);

/* rocksdb_status.c */

/*
 * Translate and free an error text of RocksDB.
 *
 * message: given, from RocksDB; NULL means success.
 * doing:   what failed, for the log: "commit".
 * Returns: 0, or a negative errno by the table in rocksdb_status.c.
 */
int index_status_take(char *message, const char *doing);

/* The same for what was read, with a line for a person when the index is damaged, since only
 * RocksDB's words tell the file. Many keys lie in one damaged block: what was said last is not
 * repeated. */
int index_read_status_take(char *message, const char *doing);

/* The translation alone, for its test. */
int index_status_parse(const char *message);

/* index_batch.c */

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
int index_batch_error(const struct index_batch *batch);
size_t index_batch_guard_count(const struct index_batch *batch);

/* The batch's own RocksDB batch, empty, kept with it so that its memory is used again. */
rocksdb_writebatch_t *index_batch_scratch(struct index_batch *batch);

#endif
