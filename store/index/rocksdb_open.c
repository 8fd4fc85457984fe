/*
 * Opening and closing.
 *
 * The directory itself carries the lock (flock) that keeps a second mount out and a reader from a
 * store that is being written: RocksDB's own LOCK file does not stop readers, and a read-only open
 * may not create one.
 */
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/rocksdb_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t open_space_min = 1 * TFS_MIB;

/* A batch is one record of the write-ahead log and lies in memory twice while it is applied. */
#define BATCH_BYTES_MAX (256ull * TFS_MIB)

/* The name of a new directory must be durable before anything in it is called so. */
static int parent_sync(const char *path)
{
    char copy[PATH_MAX];
    int fd;
    int err = 0;

    if (strlen(path) >= sizeof(copy))
        return tfs_fail(-ENAMETOOLONG, "index '%s'", path);
    memcpy(copy, path, strlen(path) + 1);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return tfs_fail(-errno, "index '%s': open its parent", path);
    if (fsync(fd) < 0)
        err = tfs_fail(-errno, "index '%s': sync its parent", path);
    (void)close(fd); /* a directory, nothing to lose */
    return err;
}

static int directory_create(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return parent_sync(path);
    return errno == EEXIST ? 0 : tfs_fail(-errno, "index '%s': create", path);
}

static int directory_lock(struct rocks *rocks)
{
    int operation = (rocks->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB;

    rocks->directory_fd = open(rocks->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (rocks->directory_fd < 0 && errno == ENOENT)
        return rocks_open_fail(rocks, -ENOENT, "it is missing");
    if (rocks->directory_fd < 0)
        return tfs_fail(-errno, "index '%s': open", rocks->path);
    if (flock(rocks->directory_fd, operation) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return rocks_open_fail(rocks, -EBUSY, "in use by another process");
    return 0; /* no locks on this filesystem; RocksDB's LOCK file remains */
}

/* The caller sees only the code, and a person may have to act on the rest: RocksDB's own words. */
static int open_status_take(const struct rocks *rocks, char *message)
{
    int err = rocks_status_parse(message);
    char *name = strstr(message, ".ldb");

    if (name)
        memcpy(name, ".sst", 4); /* for a missing file it tries an older ending last */
    (void)rocks_open_fail(rocks, err, "%s%s", err == -EUCLEAN ? "damaged: " : "", message);
    return rocks_status_take(message, "open");
}

/* Free blocks that statvfs counts may be kept from us, or for us; only asking for some tells. */
static bool space_is_short(const struct rocks *rocks)
{
    int fd = openat(rocks->directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int result = fd >= 0 ? fallocate(fd, 0, 0, (off_t)open_space_min) : -1;
    int err = result < 0 ? errno : 0;

    if (fd >= 0)
        (void)close(fd); /* and with it the file is gone */
    return err == ENOSPC || err == EDQUOT;
}

/*
 * Opening writes: the manifest, the options, RocksDB's log. The last of these may not fail (see
 * rocksdb_options.c), so an open on a disk that is full already is refused here.
 */
static int space_check(const struct rocks *rocks)
{
    if (rocks->read_only || !space_is_short(rocks))
        return 0;
    return rocks_open_fail(rocks, -ENOSPC,
                           "less than %" PRIu64 " bytes are left on the disk, too little for it",
                           open_space_min);
}

/* RocksDB would take an index without this file for none, and its errors depend on the mode. */
static int current_check(const struct rocks *rocks)
{
    if (rocks->create || faccessat(rocks->directory_fd, "CURRENT", F_OK, 0) == 0 || errno != ENOENT)
        return 0;
    return rocks_open_fail(rocks, -ENOENT, "its file CURRENT is missing");
}

/* Returns: 1 when there is one, 0, or a negative errno. */
static int has_log(const struct rocks *rocks)
{
    int fd = openat(rocks->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int found = 0;

    if (!directory) {
        found = -errno;
        if (fd >= 0)
            (void)close(fd); /* a directory, nothing to lose */
        return found;
    }
    while (!found && (entry = readdir(directory))) {
        const char *ending = strrchr(entry->d_name, '.');

        found = ending && strcmp(ending, ".log") == 0;
    }
    (void)closedir(directory);
    return found;
}

/*
 * RocksDB has a log from the moment it is opened for writing, and never removes the last one. An
 * index without a seal that has none has lost its newest changes, of which RocksDB would not say a
 * word.
 */
static int log_check(const struct rocks *rocks)
{
    int found;

    if (rocks->create || rocks->seal[0])
        return 0;
    found = has_log(rocks);
    if (found < 0)
        return tfs_fail(found, "index '%s': list", rocks->path);
    return found ? 0 : rocks_open_fail(rocks, -EUCLEAN, "damaged: its log, *.log, is missing");
}

static int database_open(struct rocks *rocks)
{
    struct rocks_settings settings;
    char *message = NULL;
    rocksdb_t *db;

    rocks_settings_init(&settings, rocks);
    if (rocks->read_only)
        db = rocksdb_open_for_read_only_column_families(
            settings.db, rocks->path, ROCKS_FAMILY_COUNT, settings.names,
            (const rocksdb_options_t *const *)settings.families, rocks->families, 0, &message);
    else
        db = rocksdb_open_column_families(
            settings.db, rocks->path, ROCKS_FAMILY_COUNT, settings.names,
            (const rocksdb_options_t *const *)settings.families, rocks->families, &message);
    rocks_settings_release(&settings);
    if (message)
        return open_status_take(rocks, message);
    rocks->handle = db;
    return 0;
}

static void database_close(struct rocks *rocks)
{
    if (!rocks->handle)
        return;
    for (int i = 0; i < ROCKS_FAMILY_COUNT; i++)
        rocksdb_column_family_handle_destroy(rocks->families[i]);
    rocksdb_cancel_all_background_work(rocks->handle, 1);
    rocksdb_close(rocks->handle);
    rocks->handle = NULL;
}

static void rocks_free(struct rocks *rocks)
{
    rocksdb_writebatch_t *changes;

    if (!rocks)
        return;
    database_close(rocks);
    changes = atomic_exchange_explicit(&rocks->changes, NULL, memory_order_acquire);
    if (changes)
        rocksdb_writebatch_destroy(changes);
    if (rocks->write_options)
        rocksdb_writeoptions_destroy(rocks->write_options);
    if (rocks->read_options)
        rocksdb_readoptions_destroy(rocks->read_options);
    if (rocks->cache)
        rocksdb_cache_destroy(rocks->cache);
    if (rocks->directory_fd >= 0)
        (void)close(rocks->directory_fd); /* a directory, nothing to lose; gives its lock up */
    free(rocks->path);
    free(rocks);
}

static void rocks_free_p(struct rocks **rocks)
{
    rocks_free(*rocks);
}

static int rocks_new(const struct index_options *options, struct rocks **ret)
{
    struct rocks *rocks = calloc(1, sizeof(*rocks));

    if (!rocks)
        return -ENOMEM;
    rocks->db.batch_bytes_max = BATCH_BYTES_MAX;
    rocks->directory_fd = -1;
    rocks->create = options->create;
    rocks->read_only = options->read_only;
    rocks->memory_size_max = options->memory_size_max;
    rocks->reason = options->reason;
    rocks->cache = rocksdb_cache_create_lru(rocks_cache_size(options->memory_size_max));
    rocks->read_options = rocksdb_readoptions_create();
    rocks->write_options = rocksdb_writeoptions_create();
    atomic_init(&rocks->changes, NULL);
    rocks->path = strdup(options->path);
    if (!rocks->path) {
        rocks_free(rocks);
        return -ENOMEM;
    }
    *ret = rocks;
    return 0;
}

static int sealed_open(struct rocks *rocks)
{
    int err = rocks_seal_check(rocks);

    if (err == 0)
        err = current_check(rocks);
    if (err == 0)
        err = log_check(rocks);
    if (err == 0 && !rocks->read_only)
        err = rocks_seal_break(rocks);
    if (err < 0)
        return err;
    err = database_open(rocks);
    if (err < 0 && !rocks->read_only)
        rocks_seal_restore(rocks);
    return err;
}

static int open_once(const struct index_options *options, struct index_db **ret)
{
    tfs_cleanup(rocks_free_p) struct rocks *rocks = NULL;
    int err = rocks_new(options, &rocks);

    if (err < 0)
        return err;
    if (options->create) {
        err = directory_create(options->path);
        if (err < 0)
            return err;
    }
    err = directory_lock(rocks);
    if (err < 0)
        return err;
    err = space_check(rocks);
    if (err < 0)
        return err;
    err = sealed_open(rocks);
    if (err < 0)
        return err;
    rocks->reason = NULL;
    *ret = &TAKE_PTR(rocks)->db;
    return 0;
}

static int repair_and_open(const struct index_options *options, int why, struct index_db **ret)
{
    struct rocks_repaired repaired;
    int err = rocks_repair(options->path, &repaired);

    if (err < 0 || !repaired.manifest[0])
        return why;
    err = open_once(options, ret);
    if (err == 0)
        rocks_repaired_to_text(&repaired, options->repair);
    else if (rocks_repair_undo(options->path, &repaired) < 0)
        tfs_warn("index '%s': it is left as it was repaired, in vain", options->path);
    return err;
}

int rocks_open(const struct index_options *options, struct index_db **ret)
{
    int err = open_once(options, ret);

    if ((err == -EUCLEAN || err == -EIO) && options->repair)
        return repair_and_open(options, err, ret);
    return err;
}

/*
 * All of the log becomes table files. Replay takes a damaged record for the end of what the power
 * cut, and must; so what lies in the log for months could lose its newest changes to one bad bit
 * without a word, while a table file's checksums speak up. The next open would write the same
 * files.
 */
static int log_empty(struct rocks *rocks)
{
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create(); /* which wait */
    int err = 0;

    for (int i = 0; i < ROCKS_FAMILY_COUNT && err == 0; i++) {
        char *message = NULL;

        rocksdb_flush_cf(rocks->handle, options, rocks->families[i], &message);
        err = rocks_status_take(message, "empty the log");
    }
    rocksdb_flushoptions_destroy(options);
    if (err < 0) /* the log is durable and has it all */
        tfs_warn("index '%s': its log is left to the next open: %s", rocks->path,
                 tfs_error_text(err));
    return err;
}

void rocks_close(struct index_db *db, bool all_durable)
{
    struct rocks *rocks = rocks_of(db);

    if (all_durable && !rocks->read_only && log_empty(rocks) == 0) {
        database_close(rocks);
        rocks_seal_put(rocks);
    }
    rocks_free(rocks);
}
