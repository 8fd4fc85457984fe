/*
 * The two ways to read. Neither sets hints: the libraries do not either.
 */
#include "tools/bench/formats/source.h"

#include "tools/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int source_open(struct source *source, const char *path, enum source_method method)
{
    struct stat status;

    *source = (struct source){.fd = -1, .path = path};
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0)
        return console_fail(-errno, "opening '%s'", path);
    if (fstat(source->fd, &status) < 0)
        return console_fail(-errno, "'%s'", path);
    source->size = (uint64_t)status.st_size;
    if (method != SOURCE_MMAP || source->size == 0)
        return 0;
    source->map = mmap(NULL, source->size, PROT_READ, MAP_PRIVATE, source->fd, 0);
    if (source->map != MAP_FAILED)
        return 0;
    source->map = NULL;
    return console_fail(-errno, "mapping '%s'", path);
}

void source_release(struct source *source)
{
    if (source->map)
        (void)munmap(source->map, source->size); /* fails only for wrong addresses */
    if (source->fd >= 0)
        (void)close(source->fd); /* read-only, nothing to lose */
    *source = (struct source){.fd = -1};
}

static int source_pread(const struct source *source, uint64_t offset, uint8_t *dst, uint64_t size)
{
    while (size > 0) {
        ssize_t got;

        if (interrupt_is_pending())
            return -EINTR;
        got = pread(source->fd, dst, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return console_fail(-errno, "reading '%s' at %llu", source->path,
                                (unsigned long long)offset);
        if (got == 0)
            return source_reject(source, "it ends early");
        console_advance((uint64_t)got);
        dst += got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return 0;
}

/* In pieces, so that Ctrl-C and the progress bar are served while a large tensor is copied. */
static int source_copy(const struct source *source, uint64_t offset, uint8_t *dst, uint64_t size)
{
    enum { PIECE = 16 << 20 };

    while (size > 0) {
        uint64_t piece = tfs_min_u64(size, PIECE);

        if (interrupt_is_pending())
            return -EINTR;
        (void)memcpy(dst, (const uint8_t *)source->map + offset, piece);
        console_advance(piece);
        dst += piece;
        offset += piece;
        size -= piece;
    }
    return 0;
}

int source_read(const struct source *source, uint64_t offset, void *dst, uint64_t size)
{
    uint64_t end;

    if (tfs_add_overflows(offset, size, &end) || end > source->size)
        return source_reject(source, "it is shorter than its header says");
    return source->map ? source_copy(source, offset, dst, size)
                       : source_pread(source, offset, dst, size);
}

static ssize_t format_read(const struct format_source *format, uint64_t offset, void *dst,
                           size_t size)
{
    int err = source_read(format->object, format->base + offset, dst, size);

    return err < 0 ? err : (ssize_t)size;
}

struct format_source source_as_format(struct source *source)
{
    return (struct format_source){.read = format_read,
                                  .is_stopped = interrupt_is_pending,
                                  .size = source->size,
                                  .object = source};
}

int source_complain(const struct source *source, int err, const char *reason)
{
    if (err == -EUCLEAN)
        return source_reject(source, reason);
    if (err == -ENOMEM)
        return console_fail(err, "the header of '%s'", source->path);
    return err;
}
