/*
 * What the files of the RocksDB engine share. Nothing outside of it includes this, but its tests.
 */
#ifndef TFS_ROCKSDB_INTERNAL_H
#define TFS_ROCKSDB_INTERNAL_H

#include "store/index/engine.h"

#include <rocksdb/c.h>
#include <stdatomic.h>
#include <sys/types.h>

/* RocksDB insists on a column family of this name; it stays empty and comes after ours. */
#define ROCKS_DEFAULT_FAMILY "default"
enum { ROCKS_FAMILY_COUNT = INDEX_TABLE_COUNT + 1 };

enum { ROCKS_LINE_SIZE_MAX = 192, ROCKS_MANIFEST_NAME_MAX = 65 };

/* An open database. Immutable, but for `changes`. */
struct rocks {
    struct index_db db;
    char *path;
    bool create;
    bool read_only;
    uint64_t memory_size_max;
    int directory_fd;               /* holds the lock that keeps other processes out */
    struct index_reason *reason;    /* while it is opened, and NULL when there is none */
    char seal[ROCKS_LINE_SIZE_MAX]; /* what SEAL said; empty: there was none */

    rocksdb_t *handle;
    rocksdb_column_family_handle_t *families[ROCKS_FAMILY_COUNT];
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_options;   /* point lookups */
    rocksdb_writeoptions_t *write_options; /* not synced: rocks_sync() does that */

    _Atomic(rocksdb_writebatch_t *) changes; /* empty, for the next batch; NULL: somebody has it */
};

static inline struct rocks *rocks_of(struct index_db *db)
{
    return tfs_container_of(db, struct rocks, db);
}

/* The functions of the table. */

int rocks_open(const struct index_options *options, struct index_db **ret);
void rocks_close(struct index_db *db, bool all_durable);
int rocks_get(struct index_db *db, enum index_table table, const void *key, size_t key_size,
              struct index_value *ret);
int rocks_get_many(struct index_db *db, enum index_table table, size_t count,
                   const void *const *keys, const size_t *key_sizes,
                   struct index_value *ret_values);
int rocks_scan_open(struct index_db *db, const struct index_range *range, struct index_scan **ret);
int rocks_scan_next(struct index_scan *scan, struct index_record *ret);
void rocks_scan_close(struct index_scan *scan);
int rocks_apply(struct index_db *db, const struct index_batch *batch);
int rocks_sync(struct index_db *db);
uint64_t rocks_memory_used(struct index_db *db);
void rocks_visit_properties(struct index_db *db,
                            void (*visit)(void *context, const char *name, const char *value),
                            void *context);

/* rocksdb_options.c */

/* Whether all of the table's keys start with 8 bytes that scans ask for. */
bool rocks_table_has_prefix(enum index_table table);

/* What one open needs; RocksDB copies it, so it is released right after. */
struct rocks_settings {
    rocksdb_options_t *db;
    rocksdb_options_t *families[ROCKS_FAMILY_COUNT];
    const char *names[ROCKS_FAMILY_COUNT];
};

void rocks_settings_init(struct rocks_settings *settings, const struct rocks *rocks);
void rocks_settings_release(struct rocks_settings *settings);

/* The share of the budget that the block cache gets. */
size_t rocks_cache_size(uint64_t memory_size_max);

/*
 * Called before each call of RocksDB that compares many keys. It counts the comparisons in a
 * variable of the thread, which is a seventh of the instructions of a commit and a fifth of a
 * lookup's, unless the thread has said that nobody reads these counters. Any thread may come here
 * for its first time; saying it again costs nothing.
 */
static inline void rocks_stop_counting(void)
{
    rocksdb_set_perf_level(rocksdb_disable);
}

/* rocksdb_file.c: small files of the index that are ours to write */

/* Reads a file of one short line. Returns: its size, or a negative errno. */
ssize_t rocks_line_read(int directory, const char *name, char line[ROCKS_LINE_SIZE_MAX]);

/* The name in CURRENT. Errors: -EUCLEAN: it is no manifest's; -ENOENT and others of open. */
TFS_MUST_CHECK int rocks_current_read(int directory, char ret[ROCKS_MANIFEST_NAME_MAX]);

/* Write a new file, durably but for its name. Errors: -EIO, -EUCLEAN, those of openat(2). */
TFS_MUST_CHECK int rocks_file_write(int directory, const char *name, const void *bytes,
                                    size_t size);

/* Give the file `from` the name `to`, durably. Errors: those of renameat(2) and fsync(2). */
TFS_MUST_CHECK int rocks_file_rename(int directory, const char *from, const char *to);

/* rocksdb_seal.c */

/* Whether the manifest is what it was when the index was closed. Errors: -EUCLEAN, told. */
int rocks_seal_check(struct rocks *rocks);

/* Take the seal away, durably, before the index is opened for writing. */
int rocks_seal_break(const struct rocks *rocks);

/* Put the seal back that was taken away for an open that failed, if it is still true. */
void rocks_seal_restore(const struct rocks *rocks);

/* Seal an index whose database is closed, with nothing left in its log. */
void rocks_seal_put(const struct rocks *rocks);

/* rocksdb_repair.c */

struct rocks_repaired {
    char manifest[ROCKS_MANIFEST_NAME_MAX]; /* empty: nothing was repaired */
    char missing[ROCKS_MANIFEST_NAME_MAX];  /* what CURRENT named before; empty: it was there */
    uint64_t cut_bytes;                     /* off the manifest */
};

/*
 * For an index that was not closed and cannot be opened: cut a damaged end off its manifest, which
 * is kept beside it as MANIFEST-<number>.damaged, or go back to the manifest before one that is
 * missing. What the index learnt last may be missing then, see rocksdb_repair.c: only for who asked
 * for a repair. The index is not open.
 *
 * Errors: -EBUSY (open), -ENOENT, -EUCLEAN (CURRENT), -EEXIST (one was kept already), -EIO,
 * -ENOSPC, -EROFS, -ENOMEM. Nothing has changed then.
 */
TFS_MUST_CHECK int rocks_repair(const char *path, struct rocks_repaired *ret);

/* Put back what rocks_repair() changed, when the index could not be opened all the same. Errors:
 * -EBUSY, -ENOENT, -EIO, -ENOSPC. */
TFS_MUST_CHECK int rocks_repair_undo(const char *path, const struct rocks_repaired *repaired);

/* What was done, for a person. */
void rocks_repaired_to_text(const struct rocks_repaired *repaired, struct index_repair *ret);

/* How many of a manifest's bytes are whole records, from its start. */
size_t rocks_manifest_whole_size(const uint8_t *bytes, size_t size);

/* rocksdb_status.c */

/*
 * Translate and free an error text of RocksDB.
 *
 * message: given, from RocksDB; NULL means success.
 * doing:   what failed, for the log: "commit".
 * Returns: 0, or a negative errno by the table in rocksdb_status.c.
 */
int rocks_status_take(char *message, const char *doing);

/* The same for what was read, with a line for a person when the index is damaged, since only
 * RocksDB's words tell the file. Many keys lie in one damaged block: what was said last is not
 * repeated. */
int rocks_read_status_take(char *message, const char *doing);

/* The translation alone, for its test. */
int rocks_status_parse(const char *message);

/* Tell the one who opens the index why it cannot be; without such a one it is logged, but for
 * -ENOENT. Returns `error`. */
int rocks_open_fail(const struct rocks *rocks, int error, const char *format, ...) TFS_PRINTF(3, 4);

#endif
