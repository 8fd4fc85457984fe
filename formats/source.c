/*
 * What all formats share: reading, and saying what is wrong.
 */
#include "formats/format.h"

#include "store/base/error.h"
#include "tools/common/interrupt.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t file_read(const struct format_source *source, uint64_t offset, void *dst,
                         size_t size)
{
    ssize_t count;

    if (interrupt_is_pending())
        return -EINTR;
    count = pread(source->fd, dst, size, (off_t)(source->base + offset));
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
    *ret = (struct format_source){.read = memory_read, .size = size, .fd = -1, .bytes = bytes};
}

void format_source_of_part(const struct format_source *source, uint64_t offset, uint64_t size,
                           struct format_source *ret)
{
    assert(offset <= source->size && size <= source->size - offset);
    *ret = *source;
    ret->base += offset;
    ret->size = size;
}

int format_list_malformed(struct tensor_list *list, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(list->reason, sizeof(list->reason), format,
                    arguments); /* a longer one is cut */
    va_end(arguments);
    return tfs_fail(-EUCLEAN, "%s", list->reason);
}

int format_read(const struct format_source *source, struct tensor_list *list, uint64_t offset,
                void *dst, size_t size)
{
    size_t done = 0;

    if (offset > source->size || size > source->size - offset)
        return format_list_malformed(list, "%zu bytes at %llu lie behind the file's end", size,
                                     (unsigned long long)offset);
    while (done < size) {
        ssize_t count = source->read(source, offset + done, (char *)dst + done, size - done);

        if (count == -EINTR && !interrupt_is_pending())
            continue;
        if (count < 0)
            return tfs_fail((int)count, "read at %llu", (unsigned long long)(offset + done));
        if (count == 0)
            return format_list_malformed(list, "the file has become shorter");
        done += (size_t)count;
    }
    return 0;
}
