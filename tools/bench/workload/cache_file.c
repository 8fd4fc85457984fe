/*
 * Blocks carry their number in front, so that a request that is answered with another block is
 * found out at once.
 */
#include "tools/bench/workload/cache_file.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "tools/bench/model/fill.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROW_ELEMENTS = 1024, STAMP_BYTES = 8, WATCH_EVERY = 16 };

void *cache_file_buffer(const struct cache_file *file)
{
    return aligned_alloc(CACHE_FILE_ALIGNMENT, file->block_bytes);
}

/* bf16 rows, and the block's number over the first four elements. */
static void block_fill(const struct cache_file *file, uint64_t block, uint8_t *buffer)
{
    uint64_t row_bytes = ROW_ELEMENTS * (uint64_t)tensor_kind_width(TENSOR_BF16);

    for (uint64_t offset = 0; offset < file->block_bytes; offset += row_bytes) {
        uint64_t bytes = tfs_min_u64(row_bytes, file->block_bytes - offset);

        fill_row(TENSOR_BF16, file->seed + block * file->block_bytes + offset,
                 bytes / tensor_kind_width(TENSOR_BF16), buffer + offset);
    }
    tfs_put_le64(buffer, block);
}

static int blocks_write(const struct cache_file *file, int fd, uint8_t *buffer,
                        cache_file_watch *watch, void *argument)
{
    for (uint64_t block = 0; block < file->block_count; block++) {
        ssize_t written;

        if (interrupt_is_pending())
            return -EINTR;
        block_fill(file, block, buffer);
        written = pwrite(fd, buffer, file->block_bytes, (off_t)(block * file->block_bytes));
        if (written != (ssize_t)file->block_bytes)
            return console_fail(written < 0 ? -errno : -EIO, "writing '%s'", file->path);
        console_advance(1);
        if (block % WATCH_EVERY == 0)
            watch(argument);
    }
    return fsync(fd) < 0 ? console_fail(-errno, "fsync of '%s'", file->path) : 0;
}

int cache_file_make(struct cache_file *file, const char *directory, cache_file_watch *watch,
                    void *argument)
{
    uint8_t *buffer = cache_file_buffer(file);
    int err;
    int fd;

    if (!buffer)
        return console_fail(-ENOMEM, "a block of %llu bytes",
                            (unsigned long long)file->block_bytes);
    (void)snprintf(file->path, sizeof(file->path), "%s/blocks", directory);
    fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        free(buffer);
        return console_fail(-errno, "creating '%s'", file->path);
    }
    err = blocks_write(file, fd, buffer, watch, argument);
    free(buffer);
    if (close(fd) < 0 && err == 0)
        err = console_fail(-errno, "closing '%s'", file->path);
    return err;
}

int cache_file_open(struct cache_file *file)
{
    file->direct = true;
    file->fd = open(file->path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (file->fd < 0 && errno == EINVAL) { /* this filesystem has no direct I/O */
        file->direct = false;
        file->fd = open(file->path, O_RDWR | O_CLOEXEC);
    }
    return file->fd < 0 ? console_fail(-errno, "opening '%s'", file->path) : 0;
}

void cache_file_close(struct cache_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* set requests are not part of what must be durable */
    file->fd = -1;
}

int cache_file_get(const struct cache_file *file, uint64_t block, void *buffer, double *ret_us)
{
    off_t offset = (off_t)(block * file->block_bytes);
    uint64_t start_ns;
    ssize_t got;

    if (!file->direct)
        (void)posix_fadvise(file->fd, offset, (off_t)file->block_bytes, POSIX_FADV_DONTNEED);
    start_ns = tfs_clock_ns();
    got = pread(file->fd, buffer, file->block_bytes, offset);
    *ret_us = (double)(tfs_clock_ns() - start_ns) / 1e3;
    if (got != (ssize_t)file->block_bytes)
        return console_fail(got < 0 ? -errno : -EIO, "reading block %llu of '%s'",
                            (unsigned long long)block, file->path);
    if (tfs_get_le64(buffer) != block)
        return console_fail(-EBADMSG, "block %llu of '%s' came back as another",
                            (unsigned long long)block, file->path);
    return 0;
}

int cache_file_set(const struct cache_file *file, uint64_t block, void *buffer, double *ret_us)
{
    uint64_t start_ns;
    ssize_t written;

    block_fill(file, block, buffer);
    /* Another content than before, so that nothing is saved by recognising it. */
    fill_vary(TENSOR_BF16, tfs_clock_ns(), (uint8_t *)buffer + STAMP_BYTES,
              file->block_bytes - STAMP_BYTES);
    start_ns = tfs_clock_ns();
    written = pwrite(file->fd, buffer, file->block_bytes, (off_t)(block * file->block_bytes));
    *ret_us = (double)(tfs_clock_ns() - start_ns) / 1e3;
    if (written != (ssize_t)file->block_bytes)
        return console_fail(written < 0 ? -errno : -EIO, "writing block %llu of '%s'",
                            (unsigned long long)block, file->path);
    return 0;
}
