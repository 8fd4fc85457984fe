/*
 * FORMAT and the lock. A store is made in this order: directory, FORMAT.new, parts, FORMAT. As long
 * as there is only FORMAT.new, making it goes on where it stopped; a directory with neither is no
 * store and is not touched.
 *
 * The lock is flock(2) on the directory itself, so that it needs no file and works on a read-only
 * medium.
 */
#include "store/tables/format.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/base/regular.h"
#include "store/base/text.h"
#include "store/base/uuid.h"
#include "store/tables/holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { FORMAT_LINE_SIZE_MAX = 256, LOCK_POLL_MS = 20 };

static const char name_format[] = "FORMAT";
static const char name_new[] = "FORMAT.new";
static const char name_next[] =
    "FORMAT.next"; /* FORMAT with other flags, before it takes its place */

enum part { PART_INDEX, PART_SEGMENTS, PART_COUNT };

struct tfs_format_lock {
    int directory;
    bool has_made_directory;
    bool has_made_store;
    bool is_announced;
    struct format_line line;
    struct tfs_mutex features_lock;  /* rank TFS_RANK_LEAF; one change of FORMAT at a time */
    atomic_uint features;            /* those that FORMAT names durably */
    const char *folders[PART_COUNT]; /* of the store, by their engines; NULL: none there */
    char *path;
    struct format_paths paths;
};

int format_message(struct tfs_message *message, int error, const char *text, ...)
{
    va_list arguments;

    if (!message)
        return error;
    va_start(arguments, text);
    (void)vsnprintf(message->text, sizeof(message->text), text,
                    arguments); /* a longer one is cut */
    va_end(arguments);
    return error;
}

int format_message_open(struct tfs_message *message, int error, const char *path,
                        const char *index_reason)
{
    if (index_reason[0])
        return format_message(message, error, "cannot open the index of the store '%s': %s", path,
                              index_reason);
    return format_message(message, error, "cannot open the store '%s': %s", path,
                          tfs_error_text(error));
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Parses digits and nothing else, and moves behind them. */
static bool parse_number(const char **at, int base, uint32_t *ret)
{
    const char *begin = *at;
    uint64_t value = 0;
    int digit;

    while ((digit = digit_of(**at)) >= 0 && digit < base && value <= UINT32_MAX) {
        value = value * (uint64_t)base + (uint64_t)digit;
        (*at)++;
    }
    *ret = (uint32_t)value;
    return *at > begin && value <= UINT32_MAX;
}

/* Parses 32 hexadecimal digits with dashes anywhere between bytes, and moves behind them. */
static bool parse_uuid(const char **at, uint8_t *ret)
{
    for (int i = 0; i < 16; i++) {
        int high;
        int low;

        while (i > 0 && **at == '-')
            (*at)++;
        high = digit_of(**at);
        low = high < 0 ? -1 : digit_of((*at)[1]);
        if (low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
        *at += 2;
    }
    return true;
}

static bool parse_space(const char **at)
{
    return *(*at)++ == ' ';
}

int format_parse(const char *line, struct format_line *ret)
{
    static const char magic[] = "tensorfs ";
    struct format_line parsed = {0};
    const char *at = line + strlen(magic);

    if (strncmp(line, magic, strlen(magic)) != 0 || !parse_number(&at, 10, &parsed.version) ||
        (*at != ' ' && *at != '\n'))
        return -EMEDIUMTYPE;
    if (parsed.version != TFS_FORMAT_VERSION) {
        ret->version = parsed.version;
        return -EPROTONOSUPPORT;
    }
    if (!parse_space(&at) || !parse_uuid(&at, parsed.uuid) || !parse_space(&at) ||
        !parse_number(&at, 16, &parsed.incompatible) || !parse_space(&at) ||
        !parse_number(&at, 16, &parsed.compatible) || strcmp(at, "\n") != 0)
        return -EMEDIUMTYPE;
    *ret = parsed;
    return parsed.incompatible & ~(uint32_t)FORMAT_FEATURES ? -EPROTONOSUPPORT : 0;
}

static void line_text(const struct format_line *line, char ret[FORMAT_LINE_SIZE_MAX])
{
    char uuid[TFS_UUID_TEXT_SIZE];

    tfs_uuid_text(line->uuid, uuid);
    (void)snprintf(ret, FORMAT_LINE_SIZE_MAX, "tensorfs %d %s %x %x\n", TFS_FORMAT_VERSION, uuid,
                   line->incompatible, line->compatible); /* it fits */
}

/* Reads a file of one line. Returns its size, or a negative errno. */
static ssize_t read_line(int directory, const char *name, char *line)
{
    int fd = tfs_regular_open(directory, name, O_RDONLY);
    ssize_t size;

    if (fd < 0)
        return fd;
    size = read(fd, line, FORMAT_LINE_SIZE_MAX - 1);
    if (size < 0)
        size = -errno;
    else
        line[size] = '\0';
    if (size > 0 && strlen(line) != (size_t)size)
        line[0] = '\0'; /* a zero among the text: this is no line of ours */
    (void)close(fd);    /* read-only, nothing to lose */
    return size;
}

static int write_line(int directory, const char *name, const char *line)
{
    int fd = tfs_regular_open(directory, name, O_WRONLY | O_CREAT | O_TRUNC);
    size_t size = strlen(line);
    int err = 0;

    if (fd < 0)
        return fd;
    if (write(fd, line, size) != (ssize_t)size || fsync(fd) < 0)
        err = errno ? -errno : -EIO;
    if (close(fd) < 0 && !err)
        err = -errno;
    if (!err && fsync(directory) < 0)
        err = -errno;
    return err;
}

static int open_directory(struct tfs_format_lock *lock, const struct tfs_volume_options *options,
                          struct tfs_message *message)
{
    if (options->create && !options->read_only) {
        lock->has_made_directory = mkdir(options->path, 0700) == 0;
        if (!lock->has_made_directory && errno != EEXIST)
            return format_message(message, -errno, "cannot make the store '%s': %s", options->path,
                                  strerror(errno));
    }
    lock->directory = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock->directory < 0)
        return format_message(message, -errno, "cannot open the store '%s': %s", options->path,
                              strerror(errno));
    return 0;
}

static int refuse_in_use(const struct tfs_volume_options *options, struct tfs_message *message,
                         int fd)
{
    char holder[HOLDER_TEXT_SIZE];

    holder_describe(fd, options->lock_explain, holder);
    return format_message(message, -EBUSY, "the store '%.240s' is in use by %s", options->path,
                          holder);
}

/* Another mount may be on its way out: its last writes come after umount(8) has returned. */
static int take_lock(const struct tfs_volume_options *options, struct tfs_message *message, int fd)
{
    uint64_t deadline = tfs_clock_ns() + options->lock_wait_ms * TFS_NS_PER_MS;
    struct timespec pause = {.tv_nsec = LOCK_POLL_MS * (long)TFS_NS_PER_MS};

    while (flock(fd, (options->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return format_message(message, -errno, "cannot lock the store '%s': %s", options->path,
                                  strerror(errno));
        if (tfs_clock_ns() > deadline)
            return refuse_in_use(options, message, fd);
        (void)nanosleep(&pause, NULL); /* no kernel interface waits for a lock with a limit */
    }
    return 0;
}

static bool directory_is_empty(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    bool empty = stream != NULL;

    while (stream && empty && (entry = readdir(stream)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, "lost+found") == 0 || strcmp(entry->d_name, name_new) == 0;
    if (stream)
        (void)closedir(stream);
    return empty;
}

/* Version 4 of RFC 9562: random but for two fields. */
static int make_uuid(uint8_t *ret)
{
    if (getrandom(ret, 16, 0) != 16)
        return -EIO;
    ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x40);
    ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
    return 0;
}

/*
 * What will be in the store is for its owner alone, and who may write into its directory could put
 * another store in its place. Where modes mean nothing (vfat) that is how the user wants it, unless
 * others may write.
 */
static int make_private(int directory)
{
    struct stat status;

    if (fstat(directory, &status) < 0)
        return -errno;
    if (!(status.st_mode & (S_IRWXG | S_IRWXO)) || fchmod(directory, status.st_mode & S_IRWXU) == 0)
        return 0;
    return status.st_mode & (S_IWGRP | S_IWOTH) ? -errno : 0;
}

/* The index's engine makes its folder itself. */
static int make_segments(const struct tfs_format_lock *lock)
{
    const char *folder = lock->folders[PART_SEGMENTS];

    if (folder && mkdirat(lock->directory, folder, 0700) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static int begin_creation(struct tfs_format_lock *lock, const struct tfs_volume_options *options,
                          struct tfs_message *message)
{
    char line[FORMAT_LINE_SIZE_MAX];
    int err;

    if (!options->create || options->read_only || !directory_is_empty(lock->directory))
        return format_message(message, -EMEDIUMTYPE,
                              "'%s' is not a tensorfs store: it has no FORMAT file", options->path);
    lock->has_made_store = true;
    err = make_private(lock->directory);
    if (!err)
        err = make_uuid(lock->line.uuid);
    line_text(&lock->line, line);
    if (!err)
        err = write_line(lock->directory, name_new, line);
    if (!err)
        err = make_segments(lock);
    if (err)
        return format_message(message, err, "cannot make the store '%s': %s", options->path,
                              tfs_error_text(err));
    return 0;
}

static int check_line(struct tfs_format_lock *lock, const struct tfs_volume_options *options,
                      const char *line, struct tfs_message *message)
{
    struct format_line parsed;
    int err = format_parse(line, &parsed);

    if (err == -EPROTONOSUPPORT)
        return format_message(
            message, err, "the store '%s' has format version %u%s; this tensorfs reads version %d",
            options->path, parsed.version,
            parsed.version == TFS_FORMAT_VERSION ? " with features that are unknown here" : "",
            TFS_FORMAT_VERSION);
    if (err)
        return format_message(message, err,
                              "'%s' is not a tensorfs store: its FORMAT file is something else",
                              options->path);
    lock->line = parsed;
    atomic_store_explicit(&lock->features, parsed.incompatible, memory_order_relaxed);
    return 0;
}

static int read_format(struct tfs_format_lock *lock, const struct tfs_volume_options *options,
                       struct tfs_message *message, bool *ret_creating)
{
    char line[FORMAT_LINE_SIZE_MAX] = "";
    ssize_t size = read_line(lock->directory, name_format, line);
    int err = 0;

    *ret_creating = false;
    if (size == -ENOENT) {
        *ret_creating = true;
        size = read_line(lock->directory, name_new, line);
        if (size == -ENOENT || size == 0)
            return begin_creation(lock, options, message);
        if (size > 0 && (!options->create || options->read_only))
            return format_message(message, -EMEDIUMTYPE,
                                  "the store '%s' was never finished; mount it read-write once",
                                  options->path);
    }
    if (size > 0 && *ret_creating)
        err = make_segments(lock);
    size = err ? err : size;
    if (size == -EUCLEAN)
        return format_message(message, -EMEDIUMTYPE, "'%s/FORMAT%s' is no file, or a link",
                              options->path, *ret_creating ? ".new" : "");
    if (size < 0)
        return format_message(message, (int)size, "cannot read '%s/FORMAT': %s", options->path,
                              tfs_error_text((int)size));
    return check_line(lock, options, line, message);
}

/* A part of the store that its engine keeps there. Returns: NULL when memory ran out. */
static char *part_path(const char *path, const char *folder)
{
    char *text;

    if (!folder)
        return strdup(path);
    return asprintf(&text, "%s/%s", path, folder) < 0 ? NULL : text;
}

static int make_paths(struct tfs_format_lock *lock, const char *path,
                      const struct format_folders *folders)
{
    lock->folders[PART_INDEX] = folders->index;
    lock->folders[PART_SEGMENTS] = folders->segments;
    lock->path = strdup(path);
    lock->paths.index = part_path(path, folders->index);
    lock->paths.segments = part_path(path, folders->segments);
    return lock->path && lock->paths.index && lock->paths.segments ? 0 : -ENOMEM;
}

/* A part that is a directory has nothing in it but files, and is no link itself. A new store has
 * no index yet; for one that lacks it there are better words later. */
static int check_part(const struct tfs_format_lock *lock, const char *path, enum part part,
                      struct tfs_message *message)
{
    const char *folder = lock->folders[part];
    char other[TFS_REGULAR_NAME_SIZE];
    int found = tfs_regular_find_other(lock->directory, folder, other);

    if (found == -EUCLEAN)
        return format_message(message, -ENOTDIR,
                              "the store '%s' is not whole: its '%s' is no directory, or a link",
                              path, folder);
    if (found < 0 && !(found == -ENOENT && part == PART_INDEX))
        return format_message(message, found, "the store '%s' is not whole: its '%s': %s", path,
                              folder, tfs_error_text(found));
    if (found > 0) {
        tfs_make_one_line(other);
        return format_message(message, -EUCLEAN,
                              "the store '%s' is refused: '%s/%s' is a link or another thing that "
                              "is no file",
                              path, folder, other);
    }
    return 0;
}

/*
 * Before anything else of the store is touched: a link in it would have another file than the
 * store's read, cut or overwritten. What is opened here and for segments is opened in a way that
 * follows no link whenever that is put there; RocksDB opens its files by their paths, and whoever
 * may write to the store while it does is the owner.
 */
static int check_parts(const struct tfs_format_lock *lock, const char *path,
                       struct tfs_message *message)
{
    int err = 0;

    for (int part = PART_COUNT - 1; part >= 0 && !err; part--)
        err = lock->folders[part] ? check_part(lock, path, (enum part)part, message) : 0;
    return err;
}

int format_open(const struct tfs_volume_options *options, const struct format_folders *folders,
                struct tfs_message *message, struct tfs_format_lock **ret, bool *ret_creating)
{
    struct tfs_format_lock *lock = calloc(1, sizeof(*lock));
    int err;

    if (!lock)
        return -ENOMEM;
    lock->directory = -1;
    tfs_mutex_init(&lock->features_lock, TFS_RANK_LEAF);
    err = make_paths(lock, options->path, folders);
    if (!err)
        err = open_directory(lock, options, message);
    if (!err)
        err = take_lock(options, message, lock->directory);
    if (!err)
        err = read_format(lock, options, message, ret_creating);
    if (!err)
        err = check_parts(lock, options->path, message);
    if (err == -EBUSY)
        lock->has_made_directory = false; /* another mount was quicker, and is making its store */
    if (err) {
        format_discard(lock);
        return err;
    }
    *ret = lock;
    return 0;
}

/* The store's own name, which this or somebody a moment ago has made. Where the folder above may
 * not be opened, or is on another filesystem, there is another way, or nothing to do. */
static int sync_name(int directory)
{
    struct stat status;
    struct stat above;
    int fd = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = 0;

    if (fd < 0)
        return syncfs(directory) < 0 ? -errno : 0;
    if (fstat(directory, &status) < 0 || fstat(fd, &above) < 0 ||
        (status.st_dev == above.st_dev && fsync(fd) < 0))
        err = -errno;
    (void)close(fd); /* nothing was written */
    return err;
}

int format_finish(struct tfs_format_lock *lock)
{
    if (renameat(lock->directory, name_new, lock->directory, name_format) < 0 ||
        fsync(lock->directory) < 0)
        return -errno;
    return sync_name(lock->directory);
}

static int add_feature_locked(struct tfs_format_lock *lock, enum format_feature feature)
    TFS_REQUIRES(&lock->features_lock)
{
    struct format_line next = lock->line;
    char text[FORMAT_LINE_SIZE_MAX];
    int err;

    if (next.incompatible & feature)
        return 0;
    next.incompatible |= feature;
    line_text(&next, text);
    err = write_line(lock->directory, name_next, text);
    if (!err && (renameat(lock->directory, name_next, lock->directory, name_format) < 0 ||
                 fsync(lock->directory) < 0))
        err = -errno;
    if (err)
        return tfs_fail(err, "cannot note a feature in FORMAT: %s", tfs_error_text(err));
    lock->line = next;
    /* Release: who sees it may write what needs it. */
    atomic_store_explicit(&lock->features, next.incompatible, memory_order_release);
    return 0;
}

int format_use_feature(struct tfs_format_lock *lock, enum format_feature feature)
{
    int err;

    if (atomic_load_explicit(&lock->features, memory_order_acquire) & feature)
        return 0;
    tfs_mutex_lock(&lock->features_lock);
    err = add_feature_locked(lock, feature);
    tfs_mutex_unlock(&lock->features_lock);
    return err;
}

const struct format_paths *format_get_paths(const struct tfs_format_lock *lock)
{
    return &lock->paths;
}

const uint8_t *format_uuid(const struct tfs_format_lock *lock)
{
    return lock->line.uuid;
}

/* Removes the files of a directory, and the directory if nothing else is in it. */
static void remove_part(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!stream) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((entry = readdir(stream)))
        (void)unlinkat(fd, entry->d_name, 0); /* directories refuse */
    (void)closedir(stream);
    (void)unlinkat(parent, name, AT_REMOVEDIR); /* what is left is an unfinished store */
}

/* FORMAT goes first: a crash in between leaves a store that was never finished. */
static void remove_store(const struct tfs_format_lock *lock)
{
    (void)renameat(lock->directory, name_format, lock->directory, name_new);
    for (int part = 0; part < PART_COUNT; part++) {
        if (lock->folders[part])
            remove_part(lock->directory, lock->folders[part]);
    }
    (void)unlinkat(lock->directory, name_new, 0);
}

void format_discard(struct tfs_format_lock *lock)
{
    if (lock && lock->has_made_store)
        remove_store(lock);
    if (lock && lock->has_made_directory && lock->path)
        (void)rmdir(lock->path); /* who has put something into it keeps it */
    format_close(lock);
}

void format_announce(struct tfs_format_lock *lock, const char *mountpoint, dev_t device)
{
    lock->is_announced = true;
    holder_write(lock->directory, mountpoint, device);
}

bool format_has_made_store(const struct tfs_format_lock *lock)
{
    return lock->has_made_store;
}

void format_close(struct tfs_format_lock *lock)
{
    if (!lock)
        return;
    if (lock->is_announced)
        holder_remove(lock->directory);
    if (lock->directory >= 0)
        (void)close(lock->directory); /* gives the lock up */
    tfs_mutex_release(&lock->features_lock);
    free(lock->path);
    free(lock->paths.index);
    free(lock->paths.segments);
    free(lock);
}
