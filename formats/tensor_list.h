/*
 * What was found in a file: where its tensors lie, and what it has checksums of; or why it is
 * malformed.
 */
#ifndef TFS_FORMATS_TENSOR_LIST_H
#define TFS_FORMATS_TENSOR_LIST_H

#include "formats/dtype.h"
#include "formats/source.h"

#define FORMAT_TENSOR_COUNT_MAX (1u << 20)

struct tensor_place {
    char *name;
    uint64_t offset; /* of its first byte in the file */
    uint64_t size;   /* in bytes, a multiple of its dtype's width */
    enum dtype dtype;
};

/* Bytes of which the file itself has a checksum: a stored member of a zip archive. */
struct format_member {
    char *name;
    uint64_t offset;
    uint64_t size; /* above 0 */
    uint32_t crc;  /* CRC-32, as zip has it */
};

struct tensor_list {
    struct tensor_place *tensors; /* ascending by offset, not overlapping */
    size_t count;
    size_t capacity;
    struct format_member *members; /* likewise; a tensor is in one of them, or in none of it */
    size_t member_count;
    size_t member_capacity;
    const char *format; /* "safetensors", "torch", "raw", ...; static */
    char reason[256];   /* why a file is malformed */
};

void tensor_list_init(struct tensor_list *list);
void tensor_list_release(struct tensor_list *list);

/* Says in list->reason why the file is malformed. Returns: -EUCLEAN. */
int tensor_list_malformed(struct tensor_list *list, const char *format, ...) TFS_PRINTF(2, 3);

/* format_source_read(), which names the reason when the file ends before. Errors: the same. */
TFS_MUST_CHECK int tensor_list_read(struct tensor_list *list, const struct format_source *source,
                                    uint64_t offset, void *dst, size_t size);

/* Errors: -EUCLEAN (more tensors than the limit), -ENOMEM. */
TFS_MUST_CHECK int tensor_list_add(struct tensor_list *list, const char *name, size_t name_size,
                                   const struct tensor_place *tensor);

/* Errors: -ENOMEM. */
TFS_MUST_CHECK int tensor_list_add_member(struct tensor_list *list, const char *name,
                                          size_t name_size, const struct format_member *member);

/* Has each tensor a name of its own? Errors: -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int tensor_list_check_names(struct tensor_list *list);

/*
 * Sort the tensors and check that they lie in a file of file_size bytes without overlapping; sort
 * the members, and forget those that overlap another, or a part of a tensor.
 *
 * Errors: -EUCLEAN.
 */
TFS_MUST_CHECK int tensor_list_finish(struct tensor_list *list, uint64_t file_size);

#endif
