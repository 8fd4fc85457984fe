/*
 * Calls that make, open, move and remove names.
 */
#include "tests/fault/preload/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_noted(int directory, const char *path, int flags, mode_t mode)
{
    bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    bool changes = flags & (O_CREAT | O_TRUNC);
    struct layer_path target;
    struct stat before;
    bool existed;
    int fd;

    layer_resolve(directory, path, &target);
    if (!target.inside)
        return (int)syscall(SYS_openat, directory, path, flags, mode);
    if (plan_fails(fault_open, layer_part(target.name)) ||
        (changes && plan_fails(fault_change, layer_part(target.name))))
        return -1;
    if (changes && !unnamed)
        layer_begin();
    else
        layer_lock();
    existed = syscall(SYS_newfstatat, directory, path, &before, 0) == 0;
    fd = (int)syscall(SYS_openat, directory, path, flags, mode);
    if (fd >= 0 && !unnamed) {
        layer_note_open_locked(fd, target.name, !existed);
        if (existed && (flags & O_TRUNC) && before.st_size > 0)
            layer_record_locked((struct fault_record){.kind = fault_record_truncate, .fd = fd},
                                NULL);
    }
    layer_end();
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    bool has_mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

    return has_mode ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_noted(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_noted(directory, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return open_noted(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static void record_name_locked(enum fault_record_kind kind, const char *name)
{
    layer_record_locked(
        (struct fault_record){.kind = kind, .fd = -1, .payload_size = strlen(name) + 1}, name);
}

static void record_names_locked(enum fault_record_kind kind, const char *from, const char *to)
{
    size_t from_size = strlen(from) + 1, to_size = strlen(to) + 1;
    char both[2 * PATH_MAX];

    memcpy(both, from, from_size);
    memcpy(both + from_size, to, to_size);
    layer_record_locked(
        (struct fault_record){.kind = kind, .fd = -1, .payload_size = from_size + to_size}, both);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    struct layer_path source, target;
    int result;

    layer_resolve(from_directory, from, &source);
    layer_resolve(to_directory, to, &target);
    if (!source.inside || !target.inside)
        return (int)syscall(SYS_renameat, from_directory, from, to_directory, to);
    if (plan_fails(fault_name, layer_part(target.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_renameat, from_directory, from, to_directory, to);
    if (result == 0)
        record_names_locked(fault_record_rename, source.name, target.name);
    layer_end();
    return result;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int link(const char *from, const char *to)
{
    struct layer_path source, target;
    int result;

    layer_resolve(AT_FDCWD, from, &source);
    layer_resolve(AT_FDCWD, to, &target);
    if (!source.inside || !target.inside)
        return (int)syscall(SYS_link, from, to);
    if (plan_fails(fault_name, layer_part(target.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_link, from, to);
    if (result == 0)
        record_names_locked(fault_record_link, source.name, target.name);
    layer_end();
    return result;
}

int unlinkat(int directory, const char *path, int flags)
{
    struct layer_path target;
    int result;

    layer_resolve(directory, path, &target);
    if (!target.inside)
        return (int)syscall(SYS_unlinkat, directory, path, flags);
    if (plan_fails(fault_name, layer_part(target.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_unlinkat, directory, path, flags);
    if (result == 0)
        record_name_locked(flags & AT_REMOVEDIR ? fault_record_rmdir : fault_record_unlink,
                           target.name);
    layer_end();
    return result;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    struct layer_path target;
    int result;

    layer_resolve(directory, path, &target);
    if (!target.inside)
        return (int)syscall(SYS_mkdirat, directory, path, mode);
    if (plan_fails(fault_name, layer_part(target.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_mkdirat, directory, path, mode);
    if (result == 0)
        record_name_locked(fault_record_mkdir, target.name);
    layer_end();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* The same by the names that programs with large files link to. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));
int creat64(const char *path, mode_t mode) __attribute__((alias("creat")));
