/*
 * A file to load from, by read() or by mmap(). Both hand out bytes by copying them to where the
 * tensor lives, as a framework does when it moves a tensor out of the file.
 */
#ifndef TENSORFS_BENCH_FORMATS_SOURCE_H
#define TENSORFS_BENCH_FORMATS_SOURCE_H

#include "formats/source.h"
#include "tools/common/console.h"

enum source_method {
    SOURCE_READ, /* one pread(2) per tensor */
    SOURCE_MMAP, /* a private read-only mapping of the whole file */
};

struct source {
    int fd;
    const char *path; /* borrowed until source_release */
    uint64_t size;
    void *map; /* SOURCE_MMAP only */
};

/* Release it also after a failure. Errors: said: of open(2), fstat(2) and mmap(2), like -ENOENT and
 * -ENOMEM. */
TFS_MUST_CHECK int source_open(struct source *source, const char *path, enum source_method method);
void source_release(struct source *source);

/*
 * Copy bytes [offset, offset + size). A file that a failing disk cannot deliver raises SIGBUS under
 * SOURCE_MMAP.
 *
 * Errors: said: -EUCLEAN when the range lies outside of the file; of pread; -EINTR.
 */
TFS_MUST_CHECK int source_read(const struct source *source, uint64_t offset, void *dst,
                               uint64_t size);

/* As a source for the readers in formats/; borrowed. What a read cannot deliver is said. */
struct format_source source_as_format(struct source *source);

/*
 * Say what a reader in formats/ found wrong, unless reading said it.
 *
 * Returns: err.
 */
int source_complain(const struct source *source, int err, const char *reason);

/* Say that a file is not what was saved. Returns -EUCLEAN. */
static inline int source_reject(const struct source *source, const char *what)
{
    return console_fail(-EUCLEAN, "'%s' is not what was saved: %s", source->path, what);
}

#endif
