/*
 * Reading from a source. A read that comes short is continued, one that a signal ended is repeated
 * unless the source is stopped.
 */
#include "formats/source.h"

#include "store/base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t file_read(const struct format_source *source, uint64_t offset, void *dst,
                         size_t size)
{
    ssize_t count = pread(source->fd, dst, size, (off_t)(source->base + offset));

    return count < 0 ? -errno : count;
}

static ssize_t memory_read(const struct format_source *source, uint64_t offset, void *dst,
                           size_t size)
{
    size_t count;

    if (offset >= source->size)
        return 0;
    count = (size_t)tfs_min_u64(size, source->size - offset);
    memcpy(dst, source->bytes + source->base + offset, count);
    return (ssize_t)count;
}

void format_source_of_file(int fd, uint64_t size, struct format_source *ret)
{
    *ret = (struct format_source){.read = file_read, .size = size, .fd = fd};
}

void format_source_of_memory(const void *bytes, size_t size, struct format_source *ret)
{
    *ret = (struct format_source){.read = memory_read, .size = size, .bytes = bytes};
}

void format_source_of_part(const struct format_source *source, uint64_t offset, uint64_t size,
                           struct format_source *ret)
{
    assert(offset <= source->size && size <= source->size - offset);
    *ret = *source;
    ret->base += offset;
    ret->size = size;
}

int format_source_read(const struct format_source *source, uint64_t offset, void *dst, size_t size)
{
    size_t done = 0;

    if (offset > source->size || size > source->size - offset)
        return tfs_fail(-EUCLEAN, "%zu bytes at %llu lie behind the file's end", size,
                        (unsigned long long)offset);
    while (done < size) {
        ssize_t count;

        if (format_source_is_stopped(source))
            return -EINTR;
        count = source->read(source, offset + done, (char *)dst + done, size - done);
        if (count == -EINTR)
            continue;
        if (count < 0)
            return tfs_fail((int)count, "read at %llu", (unsigned long long)(offset + done));
        if (count == 0)
            return tfs_fail(-EUCLEAN, "the file has become shorter than %llu bytes",
                            (unsigned long long)source->size);
        done += (size_t)count;
    }
    return 0;
}

int format_source_read_all(const struct format_source *source, char **ret)
{
    char *bytes;
    int err;

    if (source->size > FORMAT_HEADER_BYTES_MAX)
        return tfs_fail(-EFBIG, "%llu bytes to be read at once", (unsigned long long)source->size);
    bytes = malloc(source->size + 1);
    if (!bytes)
        return -ENOMEM;
    err = format_source_read(source, 0, bytes, source->size);
    if (err < 0) {
        free(bytes);
        return err;
    }
    bytes[source->size] = '\0';
    *ret = bytes;
    return 0;
}
