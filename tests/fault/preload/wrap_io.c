/*
 * Calls on open files. sync_file_range(2) is not here: it promises nothing.
 */
#include "tests/fault/preload/layer.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { unit = 4096, iov_count_max = 64 };

/* Half of a transfer, but whole units, since O_DIRECT takes nothing else; a single one is whole. */
static size_t half_of(size_t size)
{
    if (size >= 2 * unit)
        return size / 2 / unit * unit;
    return size == unit || size < 2 ? size : size / 2;
}

static uint64_t position_of(int fd)
{
    return (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

static void record_write_locked(int fd, const void *data, ssize_t count, uint64_t offset)
{
    if (count > 0)
        layer_record_locked((struct fault_record){.kind = fault_record_write,
                                                  .fd = fd,
                                                  .offset = offset,
                                                  .size = (uint64_t)count,
                                                  .payload_size = (uint64_t)count},
                            data);
}

ssize_t write(int fd, const void *data, size_t size)
{
    struct layer_path path;
    ssize_t count;

    if (!layer_find(fd, &path))
        return syscall(SYS_write, fd, data, size);
    if (plan_fails(fault_write, layer_part(path.name))) {
        if (errno != fault_half)
            return -1;
        size = half_of(size);
    }
    layer_begin();
    count = syscall(SYS_write, fd, data, size);
    if (count > 0)
        record_write_locked(fd, data, count, position_of(fd) - (uint64_t)count);
    layer_end();
    return count;
}

/* Piece by piece: nothing that tensorfs or RocksDB write in this way has to be atomic. */
ssize_t writev(int fd, const struct iovec *parts, int part_count)
{
    struct layer_path path;
    ssize_t total = 0;

    if (!layer_find(fd, &path))
        return syscall(SYS_writev, fd, parts, part_count);
    for (int i = 0; i < part_count && i < iov_count_max; i++) {
        ssize_t count = write(fd, parts[i].iov_base, parts[i].iov_len);

        if (count < 0)
            return total > 0 ? total : count;
        total += count;
        if ((size_t)count < parts[i].iov_len)
            break;
    }
    return total;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct layer_path path;
    ssize_t count;

    if (!layer_find(fd, &path))
        return syscall(SYS_pwrite64, fd, data, size, offset);
    if (plan_fails(fault_write, layer_part(path.name))) {
        if (errno != fault_half)
            return -1;
        size = half_of(size);
    }
    layer_begin();
    count = syscall(SYS_pwrite64, fd, data, size, offset);
    record_write_locked(fd, data, count, (uint64_t)offset);
    layer_end();
    return count;
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
    struct layer_path path;

    if (layer_find(fd, &path) && plan_fails(fault_read, layer_part(path.name))) {
        if (errno != fault_half)
            return -1;
        size = half_of(size);
    }
    return syscall(SYS_pread64, fd, buffer, size, offset);
}

/* Vectors part by part, so that a transfer also ends between two of them. */
static ssize_t transfer_parts(int fd, const struct iovec *parts, int part_count, off_t offset,
                              bool is_write)
{
    ssize_t total = 0;

    for (int i = 0; i < part_count && i < iov_count_max; i++) {
        const struct iovec *part = &parts[i];
        ssize_t count = is_write ? pwrite(fd, part->iov_base, part->iov_len, offset + total)
                                 : pread(fd, part->iov_base, part->iov_len, offset + total);

        if (count < 0)
            return total > 0 ? total : count;
        total += count;
        if ((size_t)count < part->iov_len)
            break;
    }
    return total;
}

ssize_t pwritev(int fd, const struct iovec *parts, int part_count, off_t offset)
{
    struct layer_path path;

    if (!layer_find(fd, &path))
        return syscall(SYS_pwritev, fd, parts, part_count, offset, 0);
    return transfer_parts(fd, parts, part_count, offset, true);
}

ssize_t preadv(int fd, const struct iovec *parts, int part_count, off_t offset)
{
    struct layer_path path;

    if (!layer_find(fd, &path))
        return syscall(SYS_preadv, fd, parts, part_count, offset, 0);
    return transfer_parts(fd, parts, part_count, offset, false);
}

static int sync_file(int fd, long number)
{
    struct layer_path path;
    uint64_t begin;
    int result;

    if (!layer_find(fd, &path))
        return (int)syscall(number, fd);
    if (plan_fails(fault_sync, layer_part(path.name)))
        return -1;
    layer_begin();
    begin = layer_last_record_locked();
    layer_end();
    /* What others write from here on is not covered. */
    result = layer_has_journal() ? 0 : (int)syscall(number, fd);
    if (result < 0)
        return result;
    layer_lock();
    layer_record_locked((struct fault_record){.kind = fault_record_sync, .fd = fd, .offset = begin},
                        NULL);
    layer_end();
    return 0;
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int ftruncate(int fd, off_t size)
{
    struct layer_path path;
    int result;

    if (!layer_find(fd, &path))
        return (int)syscall(SYS_ftruncate, fd, size);
    if (plan_fails(fault_size, layer_part(path.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0)
        layer_record_locked((struct fault_record){.kind = fault_record_truncate,
                                                  .fd = fd,
                                                  .offset = (uint64_t)size},
                            NULL);
    layer_end();
    return result;
}

static void record_fallocate_locked(int fd, int mode, off_t offset, off_t size)
{
    struct fault_record record = {.kind = fault_record_allocate,
                                  .fd = fd,
                                  .offset = (uint64_t)offset,
                                  .size = (uint64_t)size};

    if (mode & FALLOC_FL_PUNCH_HOLE)
        record.kind = fault_record_punch;
    else if (mode & FALLOC_FL_KEEP_SIZE)
        return; /* nothing of it can be seen */
    layer_record_locked(record, NULL);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    struct layer_path path;
    int result;

    if (!layer_find(fd, &path))
        return (int)syscall(SYS_fallocate, fd, mode, offset, size);
    if (plan_fails(fault_size, layer_part(path.name)))
        return -1;
    layer_begin();
    result = (int)syscall(SYS_fallocate, fd, mode, offset, size);
    if (result == 0)
        record_fallocate_locked(fd, mode, offset, size);
    layer_end();
    return result;
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

/* Before the descriptor is closed: after it, its number may be another thread's already. */
static void forget(int fd)
{
    layer_lock();
    layer_note_close_locked(fd);
    layer_end();
}

int close(int fd)
{
    forget(fd);
    return (int)syscall(SYS_close, fd);
}

/* These two close a descriptor inside of libc, where nobody sees it. */

int closedir(DIR *stream)
{
    static int (*real)(DIR *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "closedir");
    forget(dirfd(stream));
    return real(stream);
}

int fclose(FILE *stream)
{
    static int (*real)(FILE *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fclose");
    forget(fileno(stream));
    return real(stream);
}

/* The same by the names that programs with large files link to. */
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
    __attribute__((alias("pwrite")));
ssize_t pread64(int fd, void *buffer, size_t size, off_t offset) __attribute__((alias("pread")));
ssize_t pwritev64(int fd, const struct iovec *parts, int part_count, off_t offset)
    __attribute__((alias("pwritev")));
ssize_t preadv64(int fd, const struct iovec *parts, int part_count, off_t offset)
    __attribute__((alias("preadv")));
int ftruncate64(int fd, off_t size) __attribute__((alias("ftruncate")));
int fallocate64(int fd, int mode, off_t offset, off_t size) __attribute__((alias("fallocate")));
