/*
 * A manifest is written beside its place and renamed onto it, so that neither a signal nor a full
 * disk leaves half of one, or takes the one that was there.
 */
#include "tools/validate/manifest_save.h"

#include "store/base/error.h"
#include "tools/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_name_compare(const void *a, const void *b)
{
    return strcmp((*(struct validate_file *const *)a)->name,
                  (*(struct validate_file *const *)b)->name);
}

static int file_write(FILE *stream, const struct validate_file *file)
{
    if (interrupt_is_pending())
        return -EINTR;
    if (!file->recorded.crcs)
        return tfs_fail(-EIO, "'%s' was not read", file->path);
    for (uint64_t p = 0; p < tfs_min_u64(file->problem_count, VALIDATE_PROBLEMS_KEPT); p++) {
        if (file->problems[p].kind == VALIDATE_UNREADABLE)
            return tfs_fail(-EIO, "'%s' cannot be read", file->path);
    }
    return manifest_write_file(stream, file->name, &file->recorded);
}

static int files_write(FILE *stream, const struct file_list *list)
{
    int err = manifest_write_begin(stream);

    for (size_t i = 0; err == 0 && i < list->count; i++) {
        if (i > 0 && strcmp(list->files[i]->name, list->files[i - 1]->name) == 0)
            return tfs_fail(-EEXIST, "two files named '%s'", list->files[i]->name);
        err = file_write(stream, list->files[i]);
    }
    return err < 0 ? err : manifest_write_end(stream, list->count);
}

/* Ownership: the descriptor is given. Only a file can and must be made durable. */
static int descriptor_write(int fd, const struct file_list *list, bool is_file)
{
    FILE *stream = fdopen(fd, "w");
    int err;

    if (!stream) {
        err = -errno;
        (void)close(fd); /* nothing was written */
        return err;
    }
    err = files_write(stream, list);
    if (err == 0 && is_file && fsync(fd) < 0)
        err = -errno;
    if (fclose(stream) != 0 && err == 0)
        err = -errno;
    return err;
}

/* `mode` is that of the file that was there, or 0: then it is the umask's. */
static int file_replace(const char *path, const struct file_list *list, mode_t mode)
{
    char fresh[PATH_MAX];
    int size = snprintf(fresh, sizeof(fresh), "%s.new-%ld", path, (long)getpid());
    int err;
    int fd;

    if (size < 0 || (size_t)size >= sizeof(fresh))
        return -ENAMETOOLONG;
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    if (mode != 0)
        (void)fchmod(fd, mode); /* a filesystem without modes keeps its own */
    err = descriptor_write(fd, list, true);
    if (err == 0 && rename(fresh, path) < 0)
        err = -errno;
    if (err < 0)
        (void)unlink(fresh); /* rather none than half of one */
    return err;
}

static int place_write(const char *path, const struct file_list *list)
{
    char place[PATH_MAX]; /* where links lead to, so that they stay */
    struct stat status;
    int fd;

    if (lstat(path, &status) < 0 && errno == ENOENT)
        return file_replace(path, list, 0);
    if (realpath(path, place) && stat(place, &status) == 0 && S_ISREG(status.st_mode))
        return file_replace(place, list, status.st_mode & 0777);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : descriptor_write(fd, list, false);
}

int manifest_save(const char *path, struct file_list *list)
{
    int err;

    if (list->count > 0)
        qsort(list->files, list->count, sizeof(struct validate_file *), file_name_compare);
    err = place_write(path, list);
    if (err < 0 && err != -EINTR)
        (void)fprintf(stderr, "validate: %s: %s\n", path, tfs_error_text(err));
    return err;
}
