/*
 * A file is cut into tensors, and the bytes between them into members of an archive and the rest;
 * a tensor is never cut, since its statistics are those of pieces counted from its first byte.
 */
#include "tools/validate/file.h"

#include <errno.h>
#include <stdlib.h>

static void extent_add(struct validate_file *file, const struct validate_extent *extent)
{
    if (extent->size > 0)
        file->extents[file->extent_count++] = *extent;
}

/* The member that the byte at `offset` is in. *next is the first one that does not end before it,
 * and moves on. */
static size_t member_at(const struct tensor_list *list, uint64_t offset, size_t *next)
{
    while (*next < list->member_count &&
           list->members[*next].offset + list->members[*next].size <= offset)
        (*next)++;
    return *next < list->member_count && list->members[*next].offset <= offset ? *next
                                                                               : VALIDATE_NO_MEMBER;
}

static void gap_add(struct validate_file *file, uint64_t at, uint64_t end, size_t *next)
{
    const struct format_member *members = file->tensors.members;

    while (at < end) {
        const size_t member = member_at(&file->tensors, at, next);
        uint64_t stop = end;

        if (member != VALIDATE_NO_MEMBER)
            stop = members[member].offset + members[member].size;
        else if (*next < file->tensors.member_count)
            stop = members[*next].offset;
        stop = tfs_min_u64(stop, end);
        extent_add(file, &(struct validate_extent){.offset = at,
                                                   .size = stop - at,
                                                   .tensor = VALIDATE_NO_TENSOR,
                                                   .member = member,
                                                   .dtype = DTYPE_BYTES});
        at = stop;
    }
}

int validate_extents_build(struct validate_file *file)
{
    const struct tensor_list *list = &file->tensors;
    uint64_t at = 0;
    size_t next = 0;

    file->extents = calloc(2 * list->count + 2 * list->member_count + 1, sizeof(*file->extents));
    if (!file->extents)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor_place *tensor = &list->tensors[i];

        if (tensor->size == 0)
            continue;
        gap_add(file, at, tensor->offset, &next);
        extent_add(file, &(struct validate_extent){.offset = tensor->offset,
                                                   .size = tensor->size,
                                                   .tensor = i,
                                                   .member = member_at(list, tensor->offset, &next),
                                                   .dtype = validate_dtype(tensor)});
        at = tensor->offset + tensor->size;
    }
    gap_add(file, at, file->size, &next);
    return 0;
}
