#include "fs/mountpoint.h"

#include "fs/default_store.h"
#include "fs/mountinfo.h"
#include "store/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

TFS_PRINTF(3, 4)
static int refuse(struct tfs_message *message, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message->text, sizeof(message->text), format, arguments); /* cut if too long */
    va_end(arguments);
    return error;
}

/* ---- the mountpoint ---- */

/* A mount that the kernel answers from its cache looks alive to stat(2) when its process is long
 * gone; statfs(2) is always asked of the process. */
static bool is_dead(const char *path)
{
    struct statvfs status;

    return statvfs(path, &status) < 0 && errno == ENOTCONN;
}

/* The directory that a dead mount is on: of those above a path that is dead, the last that is. */
static int refuse_dead(const char *path, struct tfs_message *message)
{
    char dead[PATH_MAX];
    char above[PATH_MAX];
    bool is_inside = false;

    (void)snprintf(dead, sizeof(dead), "%s", path);
    for (;;) {
        (void)snprintf(above, sizeof(above), "%s", dead);
        (void)dirname(above);
        if (strcmp(above, dead) == 0 || !is_dead(above))
            break;
        memcpy(dead, above, sizeof(dead));
        is_inside = true;
    }
    return refuse(message, -EBUSY,
                  "mountpoint '%s' is %sa mount whose process is gone; run: fusermount3 -u %s",
                  path, is_inside ? "inside of " : "", dead);
}

int mountpoint_find(struct options *options, struct tfs_message *message)
{
    char absolute[PATH_MAX];
    struct mountinfo mount;
    const char *path = options->mountpoint;

    if (is_dead(path))
        return refuse_dead(path, message);
    if (!realpath(path, absolute)) {
        int err = -errno;

        return refuse(message, err, "mountpoint '%s': %s", path, tfs_error_text(err));
    }
    if (!mountinfo_find(absolute, &mount) || strcmp(mount.type, "fuse.tensorfs") != 0)
        return refuse(message, -EINVAL, "'%s' is no mount of tensorfs, so there is none to change",
                      path);
    memcpy(options->mountpoint, absolute, sizeof(absolute));
    return 0;
}

int mountpoint_check(struct options *options, struct tfs_message *message)
{
    char absolute[PATH_MAX];
    struct mountinfo mount;
    struct stat status;
    const char *path = options->mountpoint;
    bool is_mount;

    if (is_dead(path))
        return refuse_dead(path, message);
    if (!realpath(path, absolute)) {
        int err = -errno;

        if (err == -ENOENT)
            return refuse(message, err, "mountpoint '%s' does not exist", path);
        return refuse(message, err, "mountpoint '%s': %s", path, tfs_error_text(err));
    }
    if (stat(absolute, &status) < 0 || !S_ISDIR(status.st_mode))
        return refuse(message, -ENOTDIR, "mountpoint '%s' is not a directory", path);
    is_mount = mountinfo_find(absolute, &mount);
    if (is_mount && strcmp(mount.type, "fuse.tensorfs") == 0)
        return refuse(message, -EBUSY, "mountpoint '%s' is a tensorfs mount already", path);
    /* An automount point is there to be mounted on: systemd.automount(5). */
    if (is_mount && strcmp(mount.type, "autofs") != 0)
        return refuse(message, -EBUSY, "mountpoint '%s' is in use by a mount of type %s", path,
                      mount.type);
    if (access("/dev/fuse", F_OK) < 0)
        return refuse(message, -ENODEV, "there is no /dev/fuse; try: modprobe fuse");
    memcpy(options->mountpoint, absolute, sizeof(absolute));
    return 0;
}

/* ---- the store ---- */

/* head, middle and tail behind one another. *ret may be one of them. */
static int path_concat(const char *head, const char *middle, const char *tail, char ret[PATH_MAX])
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s%s%s", head, middle, tail);

    if (length < 0 || length >= PATH_MAX)
        return tfs_fail(-ENAMETOOLONG, "path of %d bytes", length);
    memcpy(ret, path, (size_t)length + 1);
    return 0;
}

static bool path_is_inside(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    if (length == 1)
        return true; /* the root holds everything */
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* realpath(3) of the longest part that exists, and the rest as it is: the store may be new. */
static int path_make_absolute(const char *path, char ret[PATH_MAX])
{
    char full[PATH_MAX] = "";
    char head[PATH_MAX];
    char resolved[PATH_MAX];
    size_t cut;
    int err = 0;

    if (*path == '/')
        err = path_concat(path, "", "", full);
    else if (!getcwd(resolved, sizeof(resolved)))
        err = -errno;
    else
        err = path_concat(resolved, "/", path, full);
    if (err < 0)
        return err;

    cut = strlen(full);
    for (;;) {
        memcpy(head, full, cut);
        head[cut] = '\0';
        if (realpath(cut ? head : "/", resolved))
            break;
        if (errno != ENOENT || cut == 0)
            return path_concat(full, "", "", ret); /* opening it will say what is wrong */
        while (cut > 0 && full[cut - 1] != '/')
            cut--;
        while (cut > 0 && full[cut - 1] == '/')
            cut--;
    }
    while (full[cut] == '/' && full[cut + 1] == '/')
        cut++;
    return path_concat(resolved[1] || !full[cut] ? resolved : "", full + cut, "", ret);
}

int mountpoint_resolve_store(struct options *options, struct tfs_message *message)
{
    char given[PATH_MAX];
    int err = 0;

    options->store_is_default = !options->store[0];
    if (options->store_is_default)
        err = default_store_find(options->mountpoint, given, message);
    else
        memcpy(given, options->store, sizeof(given));
    if (err == 0)
        err = path_make_absolute(given, options->store);
    if (err < 0 && message->text[0])
        return err;
    if (err < 0)
        return refuse(message, err, "no place for the store of '%s': %s", options->mountpoint,
                      tfs_error_text(err));
    if (path_is_inside(options->store, options->mountpoint))
        return refuse(message, -EINVAL, "store '%s' lies inside of the mountpoint '%s'",
                      options->store, options->mountpoint);
    if (path_is_inside(options->mountpoint, options->store))
        return refuse(message, -EINVAL, "mountpoint '%s' lies inside of the store '%s'",
                      options->mountpoint, options->store);
    options->volume.path = options->store;
    return 0;
}

/* The name of a directory that was made just now: what will be synced in it must not go with it. */
static int sync_name(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int above = directory < 0 ? -1 : openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = 0;

    if (above >= 0 && fsync(above) < 0)
        err = -errno;
    if (above >= 0)
        (void)close(above); /* nothing was written */
    if (directory >= 0)
        (void)close(directory); /* likewise */
    return err;
}

int mountpoint_make_parents(const char *store, struct tfs_message *message)
{
    char path[PATH_MAX];
    int err = path_concat(store, "", "", path);

    if (err < 0)
        return refuse(message, err, "store '%s': %s", store, tfs_error_text(err));
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) == 0)
            err = sync_name(path);
        else if (errno != EEXIST)
            err = -errno;
        if (err < 0)
            return refuse(message, err, "cannot make the directory '%s' for the store: %s", path,
                          tfs_error_text(err));
        *slash = '/';
    }
    return 0;
}
