/*
 * Compares two trees: names, attributes, targets, extended attributes and every byte.
 *
 * The trees are walked by paths from the root, one pending directory after the other.
 */
#include "tests/model/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { names_max = 4096, pending_max = 65536, xattr_bytes_max = 65536 };

struct name_list {
    char *names[names_max];
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *keep_string(struct model_world *world, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        model_fail(world, "no memory");
    return copy;
}

static void list_names(struct model_world *world, int fd, const char *path, struct name_list *ret)
{
    int folder = openat(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *listing = folder == -1 ? NULL : fdopendir(folder);

    if (!listing)
        model_fail(world, "opendir '%s': %s", path, strerror(errno));
    ret->count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (ret->count == names_max)
            model_fail(world, "more than %d names in '%s'", names_max, path);
        ret->names[ret->count++] = keep_string(world, entry->d_name);
    }
    (void)closedir(listing);
    qsort(ret->names, ret->count, sizeof(ret->names[0]), by_name);
}

static void compare_attributes(struct model_world *world, const char *path,
                               const struct stat seen[model_sides])
{
    const struct stat *got = &seen[0], *wanted = &seen[1];

    if (got->st_mode != wanted->st_mode)
        model_fail(world, "'%s' has mode %o, wanted %o", path, got->st_mode, wanted->st_mode);
    if (got->st_nlink != wanted->st_nlink)
        model_fail(world, "'%s' has %lu links, wanted %lu", path, got->st_nlink, wanted->st_nlink);
    if (got->st_uid != wanted->st_uid || got->st_gid != wanted->st_gid)
        model_fail(world, "'%s' belongs to %u:%u, wanted %u:%u", path, got->st_uid, got->st_gid,
                   wanted->st_uid, wanted->st_gid);
    if (!S_ISDIR(got->st_mode) && got->st_size != wanted->st_size)
        model_fail(world, "'%s' has %ld bytes, wanted %ld", path, got->st_size, wanted->st_size);
}

static void compare_content(struct model_world *world, const char *path, size_t size)
{
    for (int side = 0; side < model_sides; side++) {
        int fd = openat(world->root[side], path, O_RDONLY | O_NOFOLLOW);
        size_t done = 0;
        ssize_t count = 1;

        if (fd == -1)
            model_fail(world, "open '%s' on side %d: %s", path, side, strerror(errno));
        while (done < size && count > 0) {
            count = pread(fd, world->buffer[side] + done, size - done, (off_t)done);
            done += count > 0 ? (size_t)count : 0;
        }
        if (done != size)
            model_fail(world, "read '%s' on side %d: %zu of %zu bytes, %s", path, side, done, size,
                       count < 0 ? strerror(errno) : "then the end");
        (void)close(fd);
    }
    model_agree_bytes(world, path, size);
}

static void compare_targets(struct model_world *world, const char *path)
{
    char target[model_sides][PATH_MAX] = {"", ""};

    for (int side = 0; side < model_sides; side++) {
        if (readlinkat(world->root[side], path, target[side], PATH_MAX - 1) < 0)
            (void)snprintf(target[side], PATH_MAX, "(%s)", strerror(errno));
    }
    if (strcmp(target[0], target[1]) != 0)
        model_fail(world, "'%s' leads to '%s', wanted '%s'", path, target[0], target[1]);
}

/* Joins "name=value" of all user attributes, sorted; returns the length. */
static size_t join_xattrs(struct model_world *world, int fd, char *ret)
{
    static __thread char list[xattr_bytes_max];
    struct name_list names = {.count = 0};
    ssize_t length = flistxattr(fd, list, sizeof(list));
    size_t used = 0;

    if (length == -1)
        model_fail(world, "flistxattr: %s", strerror(errno));
    for (char *at = list; at < list + length; at += strlen(at) + 1) {
        if (strncmp(at, "user.", 5) == 0 && strncmp(at, "user.tensorfs.", 14) != 0)
            names.names[names.count++] = at;
    }
    qsort(names.names, names.count, sizeof(names.names[0]), by_name);
    for (size_t i = 0; i < names.count; i++) {
        ssize_t value;

        used += (size_t)snprintf(ret + used, xattr_bytes_max - used, "%s=", names.names[i]);
        value = fgetxattr(fd, names.names[i], ret + used, xattr_bytes_max - used);
        if (value == -1)
            model_fail(world, "fgetxattr '%s': %s", names.names[i], strerror(errno));
        used += (size_t)value;
    }
    return used;
}

static void compare_xattrs(struct model_world *world, const char *path)
{
    static __thread char joined[model_sides][xattr_bytes_max];
    size_t length[model_sides];

    for (int side = 0; side < model_sides; side++) {
        int fd = openat(world->root[side], path, O_RDONLY | O_NOFOLLOW);

        if (fd == -1)
            model_fail(world, "open '%s' on side %d: %s", path, side, strerror(errno));
        length[side] = join_xattrs(world, fd, joined[side]);
        (void)close(fd);
    }
    if (length[0] != length[1] || memcmp(joined[0], joined[1], length[0]) != 0)
        model_fail(world, "'%s' has other extended attributes", path);
}

static mode_t compare_node(struct model_world *world, const char *path)
{
    struct stat seen[model_sides];

    for (int side = 0; side < model_sides; side++) {
        if (fstatat(world->root[side], path, &seen[side], AT_SYMLINK_NOFOLLOW) == -1)
            model_fail(world, "stat '%s' on side %d: %s", path, side, strerror(errno));
    }
    compare_attributes(world, path, seen);
    if (S_ISREG(seen[0].st_mode))
        compare_content(world, path, (size_t)seen[0].st_size);
    if (S_ISLNK(seen[0].st_mode))
        compare_targets(world, path);
    if (S_ISREG(seen[0].st_mode) || S_ISDIR(seen[0].st_mode))
        compare_xattrs(world, path);
    return seen[0].st_mode;
}

struct pending {
    char *paths[pending_max];
    size_t count;
};

static void compare_directory(struct model_world *world, const char *path, struct pending *pending)
{
    static __thread struct name_list lists[model_sides];
    char below[PATH_MAX];

    for (int side = 0; side < model_sides; side++)
        list_names(world, world->root[side], path, &lists[side]);
    for (size_t i = 0; i < lists[0].count || i < lists[1].count; i++) {
        const char *got = i < lists[0].count ? lists[0].names[i] : "(nothing more)";
        const char *wanted = i < lists[1].count ? lists[1].names[i] : "(nothing more)";

        if (strcmp(got, wanted) != 0)
            model_fail(world, "in '%s' there is '%s', wanted '%s'", path, got, wanted);
        if (snprintf(below, sizeof(below), "%s/%s", path, got) >= (int)sizeof(below))
            model_fail(world, "the tree is too deep at '%s'", path);
        if (S_ISDIR(compare_node(world, below))) {
            if (pending->count == pending_max)
                model_fail(world, "more than %d directories", pending_max);
            pending->paths[pending->count++] = keep_string(world, below);
        }
    }
    for (int side = 0; side < model_sides; side++) {
        for (size_t i = 0; i < lists[side].count; i++)
            free(lists[side].names[i]);
    }
}

void model_compare_trees(struct model_world *world)
{
    struct pending *pending = calloc(1, sizeof(*pending));

    if (!pending)
        model_fail(world, "no memory");
    world->drawn = -1;
    model_trace(world, "compare the trees");
    (void)compare_node(world, ".");
    pending->paths[pending->count++] = keep_string(world, ".");
    while (pending->count > 0) {
        char *path = pending->paths[--pending->count];

        compare_directory(world, path, pending);
        free(path);
    }
    free(pending);
}

/* What one side calls a hole, from..to, is zeros on the other. */
static void check_hole(struct model_world *world, int reference, off_t from, off_t to)
{
    ssize_t count;

    if (to - from > model_file_bytes_max)
        to = from + model_file_bytes_max;
    count = pread(reference, world->buffer[1], (size_t)(to - from), from);
    for (ssize_t i = 0; i < count; i++) {
        if (world->buffer[1][i] != 0)
            model_fail(world, "byte %ld is data, but %ld to %ld was called a hole", from + i, from,
                       to);
    }
}

void model_compare_holes(struct model_world *world, const int fd[model_sides], off_t offset,
                         off_t size)
{
    off_t end = offset < size ? size : offset;
    off_t hole = lseek(fd[0], offset, SEEK_HOLE), data = lseek(fd[0], offset, SEEK_DATA);

    if ((hole == -1) != (offset >= size) || hole > end || (hole != -1 && hole < offset))
        model_fail(world, "SEEK_HOLE from %ld of %ld is %ld", offset, size, hole);
    if (data != -1 && (data < offset || data >= end))
        model_fail(world, "SEEK_DATA from %ld of %ld is %ld", offset, size, data);
    if (hole > offset && data != offset)
        model_fail(world, "byte %ld is neither data nor a hole", offset);
    check_hole(world, fd[1], offset, data == -1 ? end : data);
    if (hole == -1 || hole == end)
        return;
    data = lseek(fd[0], hole, SEEK_DATA);
    check_hole(world, fd[1], hole, data == -1 ? end : data);
}
