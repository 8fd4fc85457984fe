#include "fs/default_store.h"

#include "store/base/error.h"
#include "store/base/log.h"
#include "store/base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char name_note[] = "mountpoint";

/* ---- names ---- */

static int append(char path[PATH_MAX], size_t *used, const char *text)
{
    size_t size = strlen(text);

    if (*used + size >= PATH_MAX)
        return tfs_fail(-ENAMETOOLONG, "path of more than %d bytes", PATH_MAX - 1);
    memcpy(path + *used, text, size + 1);
    *used += size;
    return 0;
}

int default_store_name(const char *mountpoint, char ret[PATH_MAX])
{
    char name[PATH_MAX] = "";
    size_t used = 0;
    int err = 0;

    while (*mountpoint == '/')
        mountpoint++;
    if (!*mountpoint)
        err = append(name, &used, "-");
    for (; *mountpoint && !err; mountpoint++) {
        const char letter[2] = {*mountpoint, '\0'};

        err = append(name, &used,
                     *letter == '/'    ? "-"
                     : *letter == '-'  ? "\\x2d"
                     : *letter == '\\' ? "\\x5c"
                                       : letter);
    }
    if (!err)
        memcpy(ret, name, used + 1);
    return err;
}

static int old_name(const char *mountpoint, char ret[PATH_MAX])
{
    size_t used = 0;
    int err;

    while (*mountpoint == '/')
        mountpoint++;
    err = append(ret, &used, *mountpoint ? mountpoint : "root");
    for (char *letter = ret; !err && *letter; letter++) {
        if (*letter == '/')
            *letter = '-';
    }
    return err;
}

static const char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home && *home == '/')
        return home;
    user = getpwuid(getuid());
    return user && user->pw_dir && *user->pw_dir == '/' ? user->pw_dir : NULL;
}

static int path_of(const char *name, char ret[PATH_MAX])
{
    const char *data = getenv("XDG_DATA_HOME");
    bool has_data = data && *data == '/'; /* the XDG specification: a relative one is ignored */
    const char *folder = has_data ? data : home_directory();
    char path[PATH_MAX];
    size_t used = 0;
    int err;

    if (!folder)
        return tfs_fail(-ENOENT, "neither HOME nor a home directory in the user database");
    err = append(path, &used, folder);
    if (!err)
        err = append(path, &used, has_data ? "/tensorfs/" : "/.local/share/tensorfs/");
    if (!err)
        err = append(path, &used, name);
    if (!err)
        memcpy(ret, path, used + 1);
    return err;
}

/* ---- whose it is ---- */

/* The note of the store, or "" where there is none. Its bytes may be anything. */
static void read_note(const char *store, char ret[PATH_MAX])
{
    int directory = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = directory < 0 ? -1 : tfs_regular_open(directory, name_note, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, ret, PATH_MAX - 1);

    ret[size > 0 ? size : 0] = '\0';
    if (fd >= 0)
        (void)close(fd); /* read-only, nothing to lose */
    if (directory >= 0)
        (void)close(directory);
}

static bool is_directory(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A search for directories of which the old name is the same. */
struct search {
    const char *mountpoint; /* this one does not count */
    const char *name;
    char path[PATH_MAX]; /* of the directory that was found last */
};

/* `used` bytes of the path, and `at` of the name, are settled. Each '-' of it was one or a '/'; a
 * name has 255 letters at most, so it ends. */
static bool find_other(struct search *search, size_t used, const char *at)
{
    size_t before = used;

    search->path[used++] = '/';
    for (const char *end = at;; end++) {
        if (used + 2 >= PATH_MAX)
            return false;
        search->path[used] = '\0';
        if ((*end == '-' || !*end) && end > at && is_directory(search->path)) {
            if (!*end && strcmp(search->path, search->mountpoint) != 0)
                return true;
            if (*end && find_other(search, used, end + 1))
                return true;
        }
        if (!*end)
            break;
        search->path[used++] = *end;
    }
    search->path[before] = '\0';
    return false;
}

/* A store without a note is of an older version, which gave all these directories the same. */
static int check_unambiguous(const char *mountpoint, const char *name, const char *store,
                             struct tfs_message *message)
{
    struct search search = {.mountpoint = mountpoint, .name = name};

    if (strlen(name) > NAME_MAX || !find_other(&search, 0, name))
        return 0;
    (void)snprintf(message->text, sizeof(message->text),
                   "the store '%.150s' may be that of '%.80s', or that of '%.80s'; say once whose "
                   "it is: tensorfs STORE MOUNTPOINT",
                   store, mountpoint, search.path);
    return tfs_fail(-ENOTUNIQ, "store '%s'", store);
}

/* Returns: 0 and *ret_is_ours. */
static int find_owner(const char *mountpoint, const char *name, const char *store,
                      struct tfs_message *message, bool *ret_is_ours)
{
    char note[PATH_MAX];

    read_note(store, note);
    *ret_is_ours = !note[0] || strcmp(note, mountpoint) == 0;
    return note[0] ? 0 : check_unambiguous(mountpoint, name, store, message);
}

static int refuse_others(const char *mountpoint, const char *store, struct tfs_message *message)
{
    (void)snprintf(message->text, sizeof(message->text),
                   "the store '%.200s' is that of another mountpoint; name one for '%.120s': "
                   "tensorfs STORE MOUNTPOINT",
                   store, mountpoint);
    return tfs_fail(-EEXIST, "store '%s'", store);
}

/* What an older version has made is taken as long as nothing has the new name. */
static int find_old(const char *mountpoint, const char *name, char store[PATH_MAX],
                    struct tfs_message *message)
{
    char old[PATH_MAX];
    bool is_ours;
    int err = path_of(name, old);

    if (err || is_directory(store) || !is_directory(old))
        return err;
    err = find_owner(mountpoint, name, old, message, &is_ours);
    if (!err && is_ours)
        memcpy(store, old, sizeof(old));
    return err;
}

int default_store_find(const char *mountpoint, char ret[PATH_MAX], struct tfs_message *message)
{
    const char *given = getenv("TENSORFS_STORE");
    char name[PATH_MAX];
    char old[PATH_MAX];
    char store[PATH_MAX];
    size_t used = 0;
    bool is_ours = true;
    int err;

    if (given && *given)
        return append(ret, &used, given);
    err = default_store_name(mountpoint, name);
    if (!err)
        err = old_name(mountpoint, old);
    if (!err)
        err = path_of(name, store);
    if (err)
        return err;
    if (strcmp(name, old) != 0)
        err = find_old(mountpoint, old, store, message);
    else if (is_directory(store))
        err = find_owner(mountpoint, name, store, message, &is_ours);
    if (!err && !is_ours)
        err = refuse_others(mountpoint, store, message);
    if (!err)
        memcpy(ret, store, sizeof(store));
    return err;
}

/* ---- the note ---- */

static bool is_named_after(const char *store, const char *mountpoint)
{
    const char *slash = strrchr(store, '/');
    char name[PATH_MAX];
    char old[PATH_MAX];

    return slash && default_store_name(mountpoint, name) == 0 && old_name(mountpoint, old) == 0 &&
           (strcmp(slash + 1, name) == 0 || strcmp(slash + 1, old) == 0);
}

static int write_note(int directory, const char *mountpoint)
{
    int fd = tfs_regular_open(directory, name_note, O_WRONLY | O_CREAT | O_EXCL);
    size_t size = strlen(mountpoint);
    int err = 0;

    if (fd < 0)
        return fd == -EEXIST ? 0 : fd;
    if (write(fd, mountpoint, size) != (ssize_t)size || fsync(fd) < 0)
        err = errno ? -errno : -EIO;
    if (close(fd) < 0 && !err)
        err = -errno;
    if (!err && fsync(directory) < 0)
        err = -errno;
    if (err)
        (void)unlinkat(directory, name_note, 0);
    return err;
}

void default_store_claim(const char *store, const char *mountpoint)
{
    int directory;
    int err;

    if (!is_named_after(store, mountpoint))
        return;
    directory = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = directory < 0 ? -errno : write_note(directory, mountpoint);
    if (err)
        tfs_warn("no note in the store '%s' that it is that of '%s': %s", store, mountpoint,
                 tfs_error_text(err));
    if (directory >= 0)
        (void)close(directory); /* read-only, nothing to lose */
}
