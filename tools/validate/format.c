/*
 * What all formats share: reading, and the list of tensors.
 */
#include "tools/validate/format.h"

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

void format_list_init(struct tensor_list *list)
{
    *list = (struct tensor_list){.format = "raw"};
}

void format_list_release(struct tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->tensors[i].name);
    free(list->tensors);
    format_list_init(list);
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

static int list_grow(struct tensor_list *list)
{
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    struct tensor *tensors;

    if (list->count == FORMAT_TENSOR_COUNT_MAX)
        return format_list_malformed(list, "more than %u tensors", FORMAT_TENSOR_COUNT_MAX);
    tensors = realloc(list->tensors, capacity * sizeof(*tensors));
    if (!tensors)
        return -ENOMEM;
    list->tensors = tensors;
    list->capacity = capacity;
    return 0;
}

int format_list_add(struct tensor_list *list, const char *name, size_t name_size,
                    const struct tensor *tensor)
{
    int err = list->count == list->capacity ? list_grow(list) : 0;
    char *copy;

    if (err < 0)
        return err;
    copy = strndup(name, name_size);
    if (!copy)
        return -ENOMEM;
    list->tensors[list->count] = *tensor;
    list->tensors[list->count].name = copy;
    list->count++;
    return 0;
}

static int offset_compare(const void *a, const void *b)
{
    const struct tensor *left = a;
    const struct tensor *right = b;

    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    /* An empty tensor before the one that begins where it lies, so that they do not seem to
     * overlap. */
    if (left->size != right->size)
        return left->size < right->size ? -1 : 1;
    return strcmp(left->name, right->name);
}

int format_list_finish(struct tensor_list *list, uint64_t file_size)
{
    uint64_t end = 0;

    if (list->count > 0)
        qsort(list->tensors, list->count, sizeof(*list->tensors), offset_compare);
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *tensor = &list->tensors[i];

        if (tensor->offset > file_size || tensor->size > file_size - tensor->offset)
            return format_list_malformed(list, "tensor '%.100s' ends behind the file",
                                         tensor->name);
        if (tensor->size % gpu_dtype_width(tensor->dtype) != 0)
            return format_list_malformed(list, "tensor '%.100s' ends inside an element",
                                         tensor->name);
        if (tensor->offset < end)
            return format_list_malformed(list, "tensors '%.80s' and '%.80s' overlap",
                                         list->tensors[i - 1].name, tensor->name);
        end = tensor->offset + tensor->size;
    }
    return 0;
}
