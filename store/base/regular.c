/*
 * Opening nothing but regular files.
 */
#include "store/base/regular.h"

#include "store/base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int tfs_regular_open(int directory, const char *name, int flags)
{
    struct stat status;
    int fd;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(status.st_mode))
        return tfs_fail(-EUCLEAN, "'%s' is no regular file", name);
    fd = openat(directory, name, flags | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ELOOP ? -EUCLEAN : -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    (void)close(fd); /* nothing was written */
    return tfs_fail(-EUCLEAN, "'%s' is no regular file", name);
}

/* Filesystems that do not tell with the name are asked. */
static bool is_other(int directory, const struct dirent *entry)
{
    struct stat status;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type != DT_REG && entry->d_type != DT_DIR;
    return fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

int tfs_regular_find_other(int directory, const char *name, char ret[TFS_REGULAR_NAME_SIZE])
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int found = 0;

    if (!list) {
        found = errno == ENOTDIR || errno == ELOOP ? -EUCLEAN : -errno;
        if (fd >= 0)
            (void)close(fd); /* a directory, nothing to lose */
        return found;
    }
    while (!found && (entry = readdir(list))) {
        found = is_other(fd, entry);
        if (found)
            (void)snprintf(ret, TFS_REGULAR_NAME_SIZE, "%s", entry->d_name); /* it fits */
    }
    (void)closedir(list);
    return found;
}
