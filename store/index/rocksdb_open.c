/*
 * Opening and closing.
 *
 * The directory itself carries the lock (flock) that keeps a second mount out and a reader from a
 * store that is being written: RocksDB's own LOCK file does not stop readers, and a read-only open
 * may not create one.
 */
#include "store/base/error.h"
#include "store/base/log.h"
#include "store/index/index_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t open_space_min = 1 * TFS_MIB;

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

int index_open_fail(const struct tfs_index *index, int error, const char *format, ...)
{
    struct index_reason reason;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason.text, sizeof(reason.text), format, arguments);
    va_end(arguments);
    for (char *c = reason.text; *c; c++) {
        if (iscntrl((unsigned char)*c))
            *c = '?'; /* it may be out of a damaged file */
    }
    if (index->reason)
        *index->reason = reason;
    else if (error != -ENOENT)
        tfs_error("cannot open the index '%s': %s", index->path, reason.text);
    return tfs_fail(error, "index '%s': %s", index->path, reason.text);
}

static int directory_create(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return parent_sync(path);
    return errno == EEXIST ? 0 : tfs_fail(-errno, "index '%s': create", path);
}

static int directory_lock(struct tfs_index *index)
{
    int operation = (index->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB;

    index->directory_fd = open(index->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (index->directory_fd < 0 && errno == ENOENT)
        return index_open_fail(index, -ENOENT, "it is missing");
    if (index->directory_fd < 0)
        return tfs_fail(-errno, "index '%s': open", index->path);
    if (flock(index->directory_fd, operation) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return index_open_fail(index, -EBUSY, "in use by another process");
    return 0; /* no locks on this filesystem; RocksDB's LOCK file remains */
}

/* The caller sees only the code, and a person may have to act on the rest: RocksDB's own words. */
static int open_status_take(const struct tfs_index *index, char *message)
{
    int err = index_status_parse(message);
    char *name = strstr(message, ".ldb");

    if (name)
        memcpy(name, ".sst", 4); /* for a missing file it tries an older ending last */
    (void)index_open_fail(index, err, "%s%s", err == -EUCLEAN ? "damaged: " : "", message);
    return index_status_take(message, "open");
}

/* Free blocks that statvfs counts may be kept from us, or for us; only asking for some tells. */
static bool space_is_short(const struct tfs_index *index)
{
    int fd = openat(index->directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
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
static int space_check(const struct tfs_index *index)
{
    if (index->read_only || !space_is_short(index))
        return 0;
    return index_open_fail(index, -ENOSPC,
                           "less than %" PRIu64 " bytes are left on the disk, too little for it",
                           open_space_min);
}

/* RocksDB would take an index without this file for none, and its errors depend on the mode. */
static int current_check(const struct tfs_index *index)
{
    if (index->create || faccessat(index->directory_fd, "CURRENT", F_OK, 0) == 0 || errno != ENOENT)
        return 0;
    return index_open_fail(index, -ENOENT, "its file CURRENT is missing");
}

/* Returns: 1 when there is one, 0, or a negative errno. */
static int has_log(const struct tfs_index *index)
{
    int fd = openat(index->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
static int log_check(const struct tfs_index *index)
{
    int found;

    if (index->create || index->seal[0])
        return 0;
    found = has_log(index);
    if (found < 0)
        return tfs_fail(found, "index '%s': list", index->path);
    return found ? 0 : index_open_fail(index, -EUCLEAN, "damaged: its log, *.log, is missing");
}

static int database_open(struct tfs_index *index)
{
    struct index_settings settings;
    char *message = NULL;
    rocksdb_t *db;

    index_settings_init(&settings, index);
    if (index->read_only)
        db = rocksdb_open_for_read_only_column_families(
            settings.db, index->path, INDEX_FAMILY_COUNT, settings.names,
            (const rocksdb_options_t *const *)settings.families, index->families, 0, &message);
    else
        db = rocksdb_open_column_families(
            settings.db, index->path, INDEX_FAMILY_COUNT, settings.names,
            (const rocksdb_options_t *const *)settings.families, index->families, &message);
    index_settings_release(&settings);
    if (message)
        return open_status_take(index, message);
    index->db = db;
    return 0;
}

static void database_close(struct tfs_index *index)
{
    if (!index->db)
        return;
    for (int i = 0; i < INDEX_FAMILY_COUNT; i++)
        rocksdb_column_family_handle_destroy(index->families[i]);
    rocksdb_cancel_all_background_work(index->db, 1);
    rocksdb_close(index->db);
    index->db = NULL;
}

static void index_free(struct tfs_index *index)
{
    if (!index)
        return;
    database_close(index);
    if (index->write_options)
        rocksdb_writeoptions_destroy(index->write_options);
    if (index->read_options)
        rocksdb_readoptions_destroy(index->read_options);
    if (index->cache)
        rocksdb_cache_destroy(index->cache);
    if (index->directory_fd >= 0)
        (void)close(index->directory_fd); /* a directory, nothing to lose; gives its lock up */
    tfs_group_release(&index->commits);
    tfs_cond_release(&index->idle);
    tfs_mutex_release(&index->lock);
    tfs_mutex_release(&index->guard_lock);
    free(index->path);
    free(index);
}

static void index_free_p(struct tfs_index **index)
{
    index_free(*index);
}

static int index_new(const struct index_options *options, struct tfs_index **ret)
{
    struct tfs_index *index = calloc(1, sizeof(*index));

    if (!index)
        return -ENOMEM;
    index->directory_fd = -1;
    tfs_mutex_init(&index->guard_lock, TFS_RANK_INDEX);
    tfs_mutex_init(&index->lock, TFS_RANK_LEAF);
    tfs_cond_init(&index->idle);
    tfs_group_init(&index->commits);
    index->create = options->create;
    index->read_only = options->read_only;
    index->memory_size_max = options->memory_size_max;
    index->reason = options->reason;
    index->cache = rocksdb_cache_create_lru(index_cache_size(options->memory_size_max));
    index->read_options = rocksdb_readoptions_create();
    index->write_options = rocksdb_writeoptions_create();
    index->path = strdup(options->path);
    if (!index->path) {
        index_free(index);
        return -ENOMEM;
    }
    *ret = index;
    return 0;
}

static int sealed_open(struct tfs_index *index)
{
    int err = index_seal_check(index);

    if (err == 0)
        err = current_check(index);
    if (err == 0)
        err = log_check(index);
    if (err == 0 && !index->read_only)
        err = index_seal_break(index);
    if (err < 0)
        return err;
    err = database_open(index);
    if (err < 0 && !index->read_only)
        index_seal_mend(index);
    return err;
}

int index_open(const struct index_options *options, struct tfs_index **ret)
{
    tfs_cleanup(index_free_p) struct tfs_index *index = NULL;
    int err;

    if (options->create && options->read_only)
        return tfs_fail(-EINVAL, "index '%s': create and read only", options->path);
    err = index_new(options, &index);
    if (err < 0)
        return err;
    if (options->create) {
        err = directory_create(options->path);
        if (err < 0)
            return err;
    }
    err = directory_lock(index);
    if (err < 0)
        return err;
    err = space_check(index);
    if (err < 0)
        return err;
    err = sealed_open(index);
    if (err < 0)
        return err;
    index->reason = NULL;
    *ret = TAKE_PTR(index);
    return 0;
}

/*
 * All of the log becomes table files. Replay takes a damaged record for the end of what the power
 * cut, and must; so what lies in the log for months could lose its newest changes to one bad bit
 * without a word, while a table file's checksums speak up. The next open would write the same
 * files.
 */
static int log_empty(struct tfs_index *index)
{
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create(); /* which wait */
    int err = 0;

    for (int i = 0; i < INDEX_FAMILY_COUNT && err == 0; i++) {
        char *message = NULL;

        rocksdb_flush_cf(index->db, options, index->families[i], &message);
        err = index_status_take(message, "empty the log");
    }
    rocksdb_flushoptions_destroy(options);
    if (err < 0) /* the log is durable and has it all */
        tfs_warn("index '%s': its log is left to the next open: %s", index->path,
                 tfs_error_text(err));
    return err;
}

int index_close(struct tfs_index *index)
{
    int err;

    if (!index)
        return 0;
    err = index_sync(index);
    if (err == 0 && !index->read_only && log_empty(index) == 0) {
        database_close(index);
        index_seal_put(index);
    }
    index_free(index);
    return err;
}
