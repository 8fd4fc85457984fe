/*
 * Small files of the index, written so that a crash leaves the old one or the new one.
 */
#include "store/base/regular.h"
#include "store/index/rocksdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t rocks_line_read(int directory, const char *name, char line[ROCKS_LINE_SIZE_MAX])
{
    int fd = tfs_regular_open(directory, name, O_RDONLY);
    ssize_t size;

    if (fd < 0)
        return fd;
    size = read(fd, line, ROCKS_LINE_SIZE_MAX - 1);
    size = size < 0 ? -errno : size;
    line[size < 0 ? 0 : size] = '\0';
    (void)close(fd); /* read-only, nothing to lose */
    return size;
}

int rocks_current_read(int directory, char ret[ROCKS_MANIFEST_NAME_MAX])
{
    char line[ROCKS_LINE_SIZE_MAX];
    ssize_t size = rocks_line_read(directory, "CURRENT", line);

    if (size < 0)
        return (int)size;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "MANIFEST-", 9) != 0 || strchr(line, '/') ||
        strlen(line) >= ROCKS_MANIFEST_NAME_MAX)
        return -EUCLEAN;
    memcpy(ret, line, strlen(line) + 1);
    return 0;
}

int rocks_file_write(int directory, const char *name, const void *bytes, size_t size)
{
    int fd = tfs_regular_open(directory, name, O_WRONLY | O_CREAT | O_TRUNC);
    int err = 0;

    if (fd < 0)
        return fd;
    if (write(fd, bytes, size) != (ssize_t)size || fsync(fd) < 0)
        err = -EIO;
    if (close(fd) < 0 && !err)
        err = -errno;
    return err;
}

int rocks_file_rename(int directory, const char *from, const char *to)
{
    if (renameat(directory, from, directory, to) < 0 || fsync(directory) < 0)
        return -errno;
    return 0;
}
