/*
 * One walk serves removing, summing and advising. It stays within one filesystem, so that a mount
 * below a scratch directory is never emptied by mistake.
 */
#include "tools/bench/system/directory.h"

#include "tools/common/console.h"
#include "tools/common/units.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int directory_make_scratch(const char *parent, char *ret_path, size_t size)
{
    if (snprintf(ret_path, size, "%s/tensorfs-bench.XXXXXX", parent) >= (int)size)
        return console_fail(-ENAMETOOLONG, "'%s'", parent);
    if (!mkdtemp(ret_path))
        return console_fail(-errno, "making a directory in '%s'", parent);
    return 0;
}

typedef int walk_function(const FTSENT *entry, void *argument);

/* Calls `visit` for each entry below path and for path itself, directories after their entries. */
static int walk(const char *path, walk_function *visit, void *argument)
{
    char *copy = strdup(path);
    char *roots[] = {copy, NULL};
    FTS *tree = copy ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
    FTSENT *entry;
    int err = 0;

    if (!tree) {
        free(copy);
        return console_fail(-ENOMEM, "'%s'", path);
    }
    while (err == 0 && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_D)
            continue;
        if (entry->fts_info == FTS_NS && entry->fts_errno == ENOENT)
            continue; /* gone already */
        if (entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR)
            err = console_fail(-entry->fts_errno, "'%s'", entry->fts_path);
        else
            err = visit(entry, argument);
    }
    (void)fts_close(tree); /* frees, nothing to report */
    free(copy);
    return err;
}

static int visit_remove(const FTSENT *entry, void *keep_root)
{
    if (keep_root && entry->fts_level == FTS_ROOTLEVEL)
        return 0;
    if (remove(entry->fts_accpath) < 0 && errno != ENOENT)
        return console_fail(-errno, "removing '%s'", entry->fts_path);
    return 0;
}

int directory_remove(const char *path)
{
    return walk(path, visit_remove, NULL);
}

int directory_empty(const char *path)
{
    static char keep;

    return walk(path, visit_remove, &keep);
}

static int visit_sum(const FTSENT *entry, void *argument)
{
    uint64_t *sum = argument;

    if (entry->fts_info == FTS_F)
        *sum += (uint64_t)entry->fts_statp->st_blocks * 512;
    return 0;
}

int directory_stored_bytes(const char *path, uint64_t *ret)
{
    uint64_t sum = 0;
    int err = walk(path, visit_sum, &sum);

    if (err < 0)
        return err;
    *ret = sum;
    return 0;
}

static int visit_drop(const FTSENT *entry, void *unused)
{
    int fd;

    (void)unused;
    if (entry->fts_info != FTS_F)
        return 0;
    fd = open(entry->fts_accpath, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return console_fail(-errno, "'%s'", entry->fts_path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* advice; the note says what was tried */
    (void)close(fd);                                    /* read-only, nothing to lose */
    return 0;
}

int directory_drop_cached(const char *path)
{
    return walk(path, visit_drop, NULL);
}

int directory_demand_space(const char *path, uint64_t bytes)
{
    uint64_t needed = bytes + bytes / 20 + 16 * TFS_MIB;
    struct statvfs status;
    uint64_t available;

    if (statvfs(path, &status) < 0)
        return console_fail(-errno, "'%s'", path);
    if (tfs_mul_overflows(status.f_bavail, status.f_frsize, &available))
        return 0; /* more than 2^64 bytes are enough */
    if (available >= needed)
        return 0;
    return console_fail(-ENOSPC, "'%s' has %s free, this needs %s", path,
                        units_bytes(available).text, units_bytes(needed).text);
}
