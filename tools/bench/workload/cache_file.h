/*
 * The file that `cache` sends its requests to: blocks of honest data, each with its number in
 * front, read and written past the kernel's page cache where the filesystem allows it, so that what
 * answers is the cache behind the mount.
 */
#ifndef TENSORFS_BENCH_CACHE_FILE_H
#define TENSORFS_BENCH_CACHE_FILE_H

#include "store/base/defs.h"

#include <limits.h>

enum { CACHE_FILE_ALIGNMENT = 4096 }; /* for O_DIRECT on any disk */

struct cache_file {
    char path[PATH_MAX];
    int fd;      /* -1: not open */
    bool direct; /* opened with O_DIRECT; else each request advises its block out of the page cache
                    first */
    uint64_t block_bytes; /* a multiple of CACHE_FILE_ALIGNMENT */
    uint64_t block_count;
    uint64_t seed;
};

typedef void cache_file_watch(void *argument);

/* Write all blocks and fsync, calling watch(argument) now and then. Errors: said; -EINTR. */
TFS_MUST_CHECK int cache_file_make(struct cache_file *file, const char *directory,
                                   cache_file_watch *watch, void *argument);

/* Open what was made, past the page cache where that can be. Errors: said: of open(2), like
 * -ENOENT. */
TFS_MUST_CHECK int cache_file_open(struct cache_file *file);
void cache_file_close(struct cache_file *file);

/* A buffer of one block, aligned for O_DIRECT; freed with free(). NULL without memory. */
void *cache_file_buffer(const struct cache_file *file);

/*
 * One request, timed alone. Threads: any, each with its own buffer.
 *
 * Errors: said; -EBADMSG when another block came back.
 */
TFS_MUST_CHECK int cache_file_get(const struct cache_file *file, uint64_t block, void *buffer,
                                  double *ret_us);
TFS_MUST_CHECK int cache_file_set(const struct cache_file *file, uint64_t block, void *buffer,
                                  double *ret_us);

#endif
