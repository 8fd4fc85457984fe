/*
 * The list of what was found in a file.
 */
#include "formats/tensor_list.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tensor_list_init(struct tensor_list *list)
{
    *list = (struct tensor_list){.format = "raw"};
}

void tensor_list_release(struct tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->tensors[i].name);
    for (size_t i = 0; i < list->member_count; i++)
        free(list->members[i].name);
    free(list->tensors);
    free(list->members);
    tensor_list_init(list);
}

int tensor_list_malformed(struct tensor_list *list, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(list->reason, sizeof(list->reason), format,
                    arguments); /* a longer one is cut */
    va_end(arguments);
    return tfs_fail(-EUCLEAN, "%s", list->reason);
}

int tensor_list_read(struct tensor_list *list, const struct format_source *source, uint64_t offset,
                     void *dst, size_t size)
{
    int err = format_source_read(source, offset, dst, size);

    if (err != -EUCLEAN)
        return err;
    if (offset > source->size || size > source->size - offset)
        return tensor_list_malformed(list, "%zu bytes at %llu lie behind the file's end", size,
                                     (unsigned long long)offset);
    return tensor_list_malformed(list, "the file has become shorter");
}

static int list_grow(struct tensor_list *list)
{
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    struct tensor_place *tensors;

    if (list->count == FORMAT_TENSOR_COUNT_MAX)
        return tensor_list_malformed(list, "more than %u tensors", FORMAT_TENSOR_COUNT_MAX);
    tensors = realloc(list->tensors, capacity * sizeof(*tensors));
    if (!tensors)
        return -ENOMEM;
    list->tensors = tensors;
    list->capacity = capacity;
    return 0;
}

int tensor_list_add(struct tensor_list *list, const char *name, size_t name_size,
                    const struct tensor_place *tensor)
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

int tensor_list_add_member(struct tensor_list *list, const char *name, size_t name_size,
                           const struct format_member *member)
{
    char *copy;

    if (list->member_count == list->member_capacity) {
        size_t capacity = list->member_capacity ? 2 * list->member_capacity : 64;
        struct format_member *grown = realloc(list->members, capacity * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        list->members = grown;
        list->member_capacity = capacity;
    }
    copy = strndup(name, name_size);
    if (!copy)
        return -ENOMEM;
    list->members[list->member_count] = *member;
    list->members[list->member_count++].name = copy;
    return 0;
}

static int offset_compare(const void *a, const void *b)
{
    const struct tensor_place *left = a;
    const struct tensor_place *right = b;

    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    /* An empty tensor before the one that begins where it lies, so that they do not seem to
     * overlap. */
    if (left->size != right->size)
        return left->size < right->size ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int member_compare(const void *a, const void *b)
{
    const struct format_member *left = a;
    const struct format_member *right = b;

    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The first tensor that begins at `offset` or behind it. */
static size_t tensor_from(const struct tensor_list *list, uint64_t offset)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->tensors[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t tensor_end(const struct tensor_list *list, size_t index)
{
    return list->tensors[index].offset + list->tensors[index].size;
}

/* Is each of the tensors wholly in the member, or out of it? They do not overlap, so only the last
 * before it and the last in it can be both. */
static bool member_fits(const struct tensor_list *list, const struct format_member *member)
{
    const uint64_t end = member->offset + member->size;
    const size_t first = tensor_from(list, member->offset);
    const size_t behind = tensor_from(list, end);

    if (first > 0 && tensor_end(list, first - 1) > member->offset)
        return false;
    return behind == first || tensor_end(list, behind - 1) <= end;
}

static void members_finish(struct tensor_list *list)
{
    uint64_t end = 0;
    size_t kept = 0;

    if (list->member_count > 0)
        qsort(list->members, list->member_count, sizeof(*list->members), member_compare);
    for (size_t i = 0; i < list->member_count; i++) {
        const struct format_member member = list->members[i];

        if (member.offset < end || !member_fits(list, &member)) {
            free(member.name);
            continue;
        }
        end = member.offset + member.size;
        list->members[kept++] = member;
    }
    list->member_count = kept;
}

int tensor_list_finish(struct tensor_list *list, uint64_t file_size)
{
    uint64_t end = 0;

    if (list->count > 0)
        qsort(list->tensors, list->count, sizeof(*list->tensors), offset_compare);
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor_place *tensor = &list->tensors[i];

        if (tensor->offset > file_size || tensor->size > file_size - tensor->offset)
            return tensor_list_malformed(list, "tensor '%.100s' ends behind the file",
                                         tensor->name);
        if (tensor->size % dtype_width(tensor->dtype) != 0)
            return tensor_list_malformed(list, "tensor '%.100s' ends inside an element",
                                         tensor->name);
        if (tensor->offset < end)
            return tensor_list_malformed(list, "tensors '%.80s' and '%.80s' overlap",
                                         list->tensors[i - 1].name, tensor->name);
        end = tensor->offset + tensor->size;
    }
    members_finish(list);
    return 0;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp((*(const struct tensor_place *const *)a)->name,
                  (*(const struct tensor_place *const *)b)->name);
}

int tensor_list_check_names(struct tensor_list *list)
{
    const struct tensor_place **order = calloc(list->count + 1, sizeof(struct tensor_place *));
    int err = 0;

    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        order[i] = &list->tensors[i];
    if (list->count > 0)
        qsort(order, list->count, sizeof(struct tensor_place *), name_compare);
    for (size_t i = 1; err == 0 && i < list->count; i++) {
        if (name_compare(&order[i - 1], &order[i]) == 0)
            err = tensor_list_malformed(list, "tensor '%.100s' twice", order[i]->name);
    }
    free(order);
    return err;
}
