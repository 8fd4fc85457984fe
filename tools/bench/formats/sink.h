/*
 * Sequential writing through a buffer of the size that the format's library has: a piece that does
 * not fit flushes the buffer, and one as large as the buffer goes to the kernel in one write(2).
 */
#ifndef TENSORFS_BENCH_FORMATS_SINK_H
#define TENSORFS_BENCH_FORMATS_SINK_H

#include "store/base/defs.h"

#include <limits.h>

struct sink {
    int fd;
    char path[PATH_MAX];
    uint8_t *buffer;
    size_t capacity; /* 0: unbuffered */
    size_t used;
    uint64_t offset; /* bytes accepted so far */
};

/*
 * Create the file or empty it. Release it also after a failure.
 *
 * Errors: said: -ENOMEM; of open(2), like -ENOENT and -ENOSPC.
 */
TFS_MUST_CHECK int sink_open(struct sink *sink, const char *path, size_t capacity);

/* Counts the bytes for the progress bar. Errors: -EINTR; said: of write(2), like -ENOSPC and -EIO.
 */
TFS_MUST_CHECK int sink_write(struct sink *sink, const void *data, uint64_t size);

/* Flush, fsync if `durable`, close. Errors: as sink_write, like -ENOSPC; of fsync(2). */
TFS_MUST_CHECK int sink_finish(struct sink *sink, bool durable);

/* Close without caring; does nothing after sink_finish. */
void sink_release(struct sink *sink);

/* fsync the directory that holds `path`, so that its name is durable too. Errors: said: of open(2)
 * and fsync(2), like -EACCES and -EIO. */
TFS_MUST_CHECK int sink_sync_directory_of(const char *path);

#endif
