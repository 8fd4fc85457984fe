/*
 * The random operations of the model test.
 *
 * Names come from a small alphabet and paths are short, so that operations meet what earlier ones
 * left: about half of them succeed. The file sizes stand around the borders of pages, blocks and
 * chunks.
 */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { path_bytes = 64, direct_unit = 4096 };

struct answers {
    long result[model_sides];
    int error[model_sides];
};

/* Evaluate a call once a side (`side` is in its scope) and demand the same answer. */
#define ON_BOTH_SIDES(world, what, call)                                                           \
    do {                                                                                           \
        struct answers answers_;                                                                   \
        for (int side = 0; side < model_sides; side++) {                                           \
            errno = 0;                                                                             \
            answers_.result[side] = (long)(call);                                                  \
            answers_.error[side] = errno;                                                          \
        }                                                                                          \
        model_agree(world, what, answers_.result, answers_.error);                                 \
    } while (0)

/* The directories on the way are looked for a few times, so that most paths lead somewhere. */
static void random_path(struct model_world *world, char ret[path_bytes])
{
    uint64_t depth = 1 + model_dice_below(world, 3);
    size_t used = 0;

    for (uint64_t i = 0; i < depth; i++) {
        struct stat seen;
        bool last = i + 1 == depth;
        uint64_t tries = last ? 1 + model_dice_below(world, 3) : 4;

        if (i > 0)
            ret[used++] = '/';
        do {
            ret[used] = (char)('a' + (char)model_dice_below(world, 6));
            ret[used + 1] = '\0';
        } while (--tries > 0 && (fstatat(world->root[1], ret, &seen, 0) == -1 ||
                                 (!last && !S_ISDIR(seen.st_mode))));
        used++;
    }
}

static size_t random_size(struct model_world *world)
{
    static const size_t borders[] = {4096, 65536, 131072, 262144, 524288};

    switch (model_dice_below(world, 4)) {
    case 0:
        return model_dice_below(world, 200);
    case 1:
        return model_dice_below(world, 10000);
    case 2:
        return borders[model_dice_below(world, 5)] - 2 + model_dice_below(world, 5);
    default:
        return model_dice_below(world, 700000);
    }
}

static off_t random_offset(struct model_world *world)
{
    return (off_t)(random_size(world) + (model_dice_below(world, 4) ? 0 : random_size(world)));
}

/* Noise, text or zeros, the same in both buffers. */
static void random_content(struct model_world *world, size_t size)
{
    uint64_t kind = model_dice_below(world, 4);

    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = kind == 0 ? 0 : model_dice(world);
        size_t left = size - at < sizeof(word) ? size - at : sizeof(word);

        if (kind == 1)
            word = 0x2073706574732020ull | (word & 0x07); /* text that compresses */
        memcpy(world->buffer[0] + at, &word, left);
    }
    memcpy(world->buffer[1], world->buffer[0], size);
}

/* What lstat says of a path is the same on both sides, missing or not. */
static void compare_stat(struct model_world *world, const char *path)
{
    struct stat seen[model_sides];

    memset(seen, 0, sizeof(seen));
    ON_BOTH_SIDES(world, "stat afterwards",
                  fstatat(world->root[side], path, &seen[side], AT_SYMLINK_NOFOLLOW));
    if (seen[0].st_mode != seen[1].st_mode || seen[0].st_nlink != seen[1].st_nlink ||
        seen[0].st_uid != seen[1].st_uid || seen[0].st_gid != seen[1].st_gid ||
        (!S_ISDIR(seen[0].st_mode) && seen[0].st_size != seen[1].st_size))
        model_fail(world,
                   "stat of '%s': mode %o links %lu owner %u:%u size %ld, "
                   "wanted %o %lu %u:%u %ld",
                   path, seen[0].st_mode, seen[0].st_nlink, seen[0].st_uid, seen[0].st_gid,
                   seen[0].st_size, seen[1].st_mode, seen[1].st_nlink, seen[1].st_uid,
                   seen[1].st_gid, seen[1].st_size);
}

static void compare_read(struct model_world *world, const int fd[model_sides], size_t size,
                         off_t offset)
{
    memset(world->buffer[0], 0, size);
    memset(world->buffer[1], 0, size);
    ON_BOTH_SIDES(world, "pread", pread(fd[side], world->buffer[side], size, offset));
    model_agree_bytes(world, "pread", size);
}

static struct model_handle *random_handle(struct model_world *world)
{
    world->drawn = (int)model_dice_below(world, model_handles);
    return &world->handles[world->drawn];
}

/* Appends would grow a file beyond the buffers that compare it. */
static void keep_small(struct model_world *world, const int fd[model_sides])
{
    struct stat seen;

    if (fstat(fd[1], &seen) == 0 && seen.st_size > model_file_bytes_max - (1 << 20))
        ON_BOTH_SIDES(world, "ftruncate", ftruncate(fd[side], 0));
}

static void step_open(struct model_world *world)
{
    static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
    static const int extras[] = {0,
                                 0,
                                 O_CREAT,
                                 O_CREAT,
                                 O_CREAT | O_EXCL,
                                 O_TRUNC,
                                 O_CREAT | O_TRUNC,
                                 O_APPEND,
                                 O_CREAT | O_APPEND,
                                 O_NOFOLLOW};
    int flags = modes[model_dice_below(world, 4)] | extras[model_dice_below(world, 10)];
    struct model_handle *handle = random_handle(world);
    char path[path_bytes];

    random_path(world, path);
    model_trace(world, "open %s flags 0%o", path, (unsigned)flags);
    if (handle->fd[0] != -1)
        ON_BOTH_SIDES(world, "close", close(handle->fd[side]));
    for (int side = 0; side < model_sides; side++)
        handle->fd[side] = -1;
    ON_BOTH_SIDES(world, "open",
                  (handle->fd[side] =
                       openat(world->root[side], path, flags | O_NONBLOCK | O_CLOEXEC, 0640)) == -1
                      ? -1
                      : 0);
    compare_stat(world, path);
}

static void step_close(struct model_world *world)
{
    struct model_handle *handle = random_handle(world);

    model_trace(world, "close");
    if (handle->fd[0] == -1)
        return;
    ON_BOTH_SIDES(world, "close", close(handle->fd[side]));
    handle->fd[0] = handle->fd[1] = -1;
}

static void step_write(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    size_t size = random_size(world);
    off_t offset = random_offset(world);
    bool at_position = model_dice_below(world, 3) == 0;

    random_content(world, size);
    model_trace(world, "write %zu bytes at %ld%s", size, at_position ? -1 : offset,
                at_position ? " (its position)" : "");
    keep_small(world, fd);
    if (at_position && fd[0] != -1 && lseek(fd[1], 0, SEEK_CUR) > model_file_bytes_max / 2)
        ON_BOTH_SIDES(world, "lseek", lseek(fd[side], 0, SEEK_SET));
    ON_BOTH_SIDES(world, "write",
                  at_position ? write(fd[side], world->buffer[side], size)
                              : pwrite(fd[side], world->buffer[side], size, offset));
}

static void step_read(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    size_t size = random_size(world);
    off_t offset = random_offset(world);

    model_trace(world, "read %zu bytes at %ld", size, offset);
    compare_read(world, fd, size, offset);
}

static void close_keeping_errno(int fd)
{
    int error = errno;

    if (fd != -1)
        (void)close(fd);
    errno = error;
}

static long truncate_named(int root, const char *path, off_t size)
{
    int fd = openat(root, path, O_WRONLY | O_NONBLOCK);
    long result = fd == -1 ? -1 : ftruncate(fd, size);

    close_keeping_errno(fd);
    return result;
}

static void step_truncate(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    bool by_path = model_dice_below(world, 2) == 0;
    off_t size = random_offset(world);
    char path[path_bytes];

    random_path(world, path);
    if (by_path) {
        model_trace(world, "open %s and truncate it to %ld", path, size);
        for (int side = 0; side < model_sides; side++) {
            struct stat seen;

            if (fstatat(world->root[side], path, &seen, 0) == 0 && !S_ISREG(seen.st_mode))
                return;
        }
        ON_BOTH_SIDES(world, "truncate", truncate_named(world->root[side], path, size));
        compare_stat(world, path);
        return;
    }
    model_trace(world, "ftruncate to %ld", size);
    ON_BOTH_SIDES(world, "ftruncate", ftruncate(fd[side], size));
}

static void step_fallocate(struct model_world *world)
{
    static const int modes[] = {0,
                                FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE,
                                FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    const int *fd = random_handle(world)->fd;
    int mode = modes[model_dice_below(world, 6)];
    off_t offset = random_offset(world), size = (off_t)random_size(world);

    model_trace(world, "fallocate mode %d, %ld bytes at %ld", mode, size, offset);
    ON_BOTH_SIDES(world, "fallocate", fallocate(fd[side], mode, offset, size));
}

static void step_seek(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    off_t offset = random_offset(world), position;
    struct stat seen;

    model_trace(world, "look for data and holes from %ld on", offset);
    if (fd[1] == -1 || fstat(fd[1], &seen) == -1 || !S_ISREG(seen.st_mode))
        return;
    position = lseek(fd[0], 0, SEEK_CUR);
    model_compare_holes(world, fd, offset, seen.st_size);
    (void)lseek(fd[0], position, SEEK_SET); /* it was there */
}

/* A filesystem may copy less than it was asked for; programs go on then. */
static long copy_all(int from, int to, off_t source, off_t target, size_t size)
{
    size_t done = 0;
    ssize_t count = 1;

    while (done < size && count > 0) {
        count = copy_file_range(from, &source, to, &target, size - done, 0);
        done += count > 0 ? (size_t)count : 0;
    }
    return done > 0 ? (long)done : count;
}

static void step_copy(struct model_world *world)
{
    const int *from = random_handle(world)->fd, *to = random_handle(world)->fd;
    off_t source = random_offset(world), target = random_offset(world);
    size_t size = random_size(world);

    model_trace(world, "copy_file_range of %zu bytes from %ld to %ld", size, source, target);
    ON_BOTH_SIDES(world, "copy_file_range", copy_all(from[side], to[side], source, target, size));
}

static void step_sync(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    bool data_only = model_dice_below(world, 2) == 0;

    model_trace(world, data_only ? "fdatasync" : "fsync");
    ON_BOTH_SIDES(world, "fsync", data_only ? fdatasync(fd[side]) : fsync(fd[side]));
}

/* Reads or stores through a shared mapping of a whole file. */
static void step_map(struct model_world *world)
{
    char path[path_bytes];
    size_t at, length = random_size(world) + 1;
    bool store = model_dice_below(world, 2) == 0;
    struct stat seen;

    random_path(world, path);
    if (fstatat(world->root[1], path, &seen, 0) == -1 || !S_ISREG(seen.st_mode) ||
        seen.st_size == 0)
        return;
    at = model_dice_below(world, (uint64_t)seen.st_size);
    if (length > (size_t)seen.st_size - at)
        length = (size_t)seen.st_size - at;
    random_content(world, length);
    model_trace(world, "%s %zu bytes at %zu of %s mapped", store ? "store" : "load", length, at,
                path);
    for (int side = 0; side < model_sides; side++) {
        int fd = openat(world->root[side], path, O_RDWR);
        uint8_t *memory =
            mmap(NULL, (size_t)seen.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (fd == -1 || memory == MAP_FAILED)
            model_fail(world, "mmap on side %d: %s", side, strerror(errno));
        if (store)
            memcpy(memory + at, world->buffer[side], length);
        else
            memcpy(world->buffer[side], memory + at, length);
        (void)munmap(memory, (size_t)seen.st_size);
        (void)close(fd);
    }
    model_agree_bytes(world, "a mapping", length);
}

static long write_directly(int root, const char *path, const void *bytes, size_t size, off_t offset)
{
    int fd = openat(root, path, O_RDWR | O_CREAT | O_DIRECT | O_NOFOLLOW | O_NONBLOCK, 0600);
    long result = fd == -1 ? -1 : pwrite(fd, bytes, size, offset);

    close_keeping_errno(fd);
    return result;
}

/* O_DIRECT with the alignment that every filesystem accepts. */
static void step_direct(struct model_world *world)
{
    size_t size = (1 + model_dice_below(world, 40)) * direct_unit;
    off_t offset = (off_t)(model_dice_below(world, 100) * direct_unit);
    void *aligned[model_sides];
    char path[path_bytes];

    random_path(world, path);
    random_content(world, size);
    model_trace(world, "write %zu bytes at %ld of %s with O_DIRECT", size, offset, path);
    for (int side = 0; side < model_sides; side++) {
        if (posix_memalign(&aligned[side], direct_unit, size) != 0)
            model_fail(world, "no memory");
        memcpy(aligned[side], world->buffer[side], size);
    }
    ON_BOTH_SIDES(world, "write with O_DIRECT",
                  write_directly(world->root[side], path, aligned[side], size, offset));
    for (int side = 0; side < model_sides; side++)
        free(aligned[side]);
    compare_stat(world, path);
}

static void step_rename(struct model_world *world)
{
    static const unsigned kinds[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    unsigned flags = kinds[model_dice_below(world, 5)];
    char from[path_bytes], to[path_bytes];

    random_path(world, from);
    random_path(world, to);
    model_trace(world, "rename %s to %s flags %u", from, to, flags);
    ON_BOTH_SIDES(world, "rename",
                  renameat2(world->root[side], from, world->root[side], to, flags));
    compare_stat(world, from);
    compare_stat(world, to);
}

static void step_link(struct model_world *world)
{
    char from[path_bytes], to[path_bytes];

    random_path(world, from);
    random_path(world, to);
    model_trace(world, "link %s to %s", from, to);
    ON_BOTH_SIDES(world, "link", linkat(world->root[side], from, world->root[side], to, 0));
    compare_stat(world, from);
    compare_stat(world, to);
}

static void step_symlink(struct model_world *world)
{
    char target[path_bytes], path[path_bytes];

    random_path(world, target);
    random_path(world, path);
    model_trace(world, "symlink %s at %s", target, path);
    ON_BOTH_SIDES(world, "symlink", symlinkat(target, world->root[side], path));
    compare_stat(world, path);
}

static void step_unlink(struct model_world *world)
{
    char path[path_bytes];

    random_path(world, path);
    model_trace(world, "unlink %s", path);
    ON_BOTH_SIDES(world, "unlink", unlinkat(world->root[side], path, 0));
    compare_stat(world, path);
}

static void step_make(struct model_world *world)
{
    char path[path_bytes];
    uint64_t kind = model_dice_below(world, 8);

    random_path(world, path);
    model_trace(world, "make %s, kind %d", path, (int)kind);
    ON_BOTH_SIDES(world, "make",
                  kind == 0   ? mknodat(world->root[side], path, S_IFIFO | 0644, 0)
                  : kind == 1 ? mknodat(world->root[side], path, S_IFREG | 0604, 0)
                              : mkdirat(world->root[side], path, 0751));
    compare_stat(world, path);
}

static void step_rmdir(struct model_world *world)
{
    char path[path_bytes];

    random_path(world, path);
    model_trace(world, "rmdir %s", path);
    ON_BOTH_SIDES(world, "rmdir", unlinkat(world->root[side], path, AT_REMOVEDIR));
    compare_stat(world, path);
}

/* Keeps the trees from growing for ever: now and then a whole branch goes. */
static void step_remove_branch(struct model_world *world)
{
    char path[2] = {(char)('a' + (char)model_dice_below(world, 6)), '\0'};

    if (model_dice_below(world, 10) != 0)
        return;
    model_trace(world, "remove all in %s", path);
    for (int side = 0; side < model_sides; side++) {
        int fd = openat(world->root[side], path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

        if (fd == -1)
            continue;
        model_empty_directory(fd);
        (void)close(fd);
    }
    compare_stat(world, path);
}

static void step_chmod(struct model_world *world)
{
    mode_t mode = (mode_t)(model_dice_below(world, 010000) | 0600);
    char path[path_bytes];

    random_path(world, path);
    model_trace(world, "chmod %s to %o", path, mode);
    ON_BOTH_SIDES(world, "chmod", fchmodat(world->root[side], path, mode, 0));
    compare_stat(world, path);
}

static void step_chown(struct model_world *world)
{
    uid_t uid = (uid_t)model_dice_below(world, 4) - 1; /* -1: as it is */
    gid_t gid = (gid_t)model_dice_below(world, 4) - 1;
    char path[path_bytes];

    random_path(world, path);
    model_trace(world, "chown %s to %d:%d", path, (int)uid, (int)gid);
    ON_BOTH_SIDES(world, "chown", fchownat(world->root[side], path, uid, gid, AT_SYMLINK_NOFOLLOW));
    compare_stat(world, path);
}

static void step_times(struct model_world *world)
{
    struct timespec times[2];
    struct stat seen[model_sides];
    char path[path_bytes];

    random_path(world, path);
    for (int i = 0; i < 2; i++) {
        times[i].tv_sec = (time_t)model_dice_below(world, 4000000000);
        times[i].tv_nsec = (long)model_dice_below(world, 1000000000);
    }
    memset(seen, 0, sizeof(seen));
    model_trace(world, "utimensat %s", path);
    ON_BOTH_SIDES(world, "utimensat",
                  utimensat(world->root[side], path, times, AT_SYMLINK_NOFOLLOW));
    ON_BOTH_SIDES(world, "stat",
                  fstatat(world->root[side], path, &seen[side], AT_SYMLINK_NOFOLLOW));
    if (memcmp(&seen[0].st_mtim, &seen[1].st_mtim, sizeof(seen[0].st_mtim)) != 0)
        model_fail(world, "'%s' has another mtime", path);
}

static void step_xattr(struct model_world *world)
{
    const int *fd = random_handle(world)->fd;
    uint64_t kind = model_dice_below(world, 4);
    size_t size = model_dice_below(world, 60);
    char name[16], value[model_sides][64] = {"", ""};

    (void)snprintf(name, sizeof(name), "user.n%d", (int)model_dice_below(world, 4));
    random_content(world, size);
    model_trace(world, "xattr %s, kind %d, %zu bytes", name, (int)kind, size);
    if (kind == 0) {
        ON_BOTH_SIDES(world, "fremovexattr", fremovexattr(fd[side], name));
    } else if (kind == 1) {
        ON_BOTH_SIDES(world, "fgetxattr", fgetxattr(fd[side], name, value[side], sizeof(value[0])));
        if (memcmp(value[0], value[1], sizeof(value[0])) != 0)
            model_fail(world, "%s has another value", name);
    } else {
        ON_BOTH_SIDES(
            world, "fsetxattr",
            fsetxattr(fd[side], name, world->buffer[side], size, kind == 2 ? 0 : XATTR_CREATE));
    }
}

static const struct {
    void (*run)(struct model_world *world);
    unsigned weight;
} steps[] = {
    {step_open, 24},    {step_close, 4},         {step_write, 24}, {step_read, 20},
    {step_truncate, 6}, {step_fallocate, 6},     {step_seek, 6},   {step_copy, 5},
    {step_sync, 3},     {step_map, 6},           {step_direct, 3}, {step_rename, 10},
    {step_link, 5},     {step_symlink, 4},       {step_unlink, 8}, {step_make, 10},
    {step_rmdir, 4},    {step_chmod, 4},         {step_chown, 4},  {step_times, 3},
    {step_xattr, 4},    {step_remove_branch, 3},
};

void model_step(struct model_world *world)
{
    unsigned total = 0;
    uint64_t drawn;

    world->drawn = -1;
    model_trace(world, "nothing");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        total += steps[i].weight;
    drawn = model_dice_below(world, total);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (drawn < steps[i].weight) {
            steps[i].run(world);
            break;
        }
        drawn -= steps[i].weight;
    }
    world->step++;
}
