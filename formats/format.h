/*
 * Where the tensors of a file lie. Each parser takes a hostile file: it checks every length and
 * offset before it uses it, keeps to the limits below, and never recurses.
 */
#ifndef TFS_FORMATS_FORMAT_H
#define TFS_FORMATS_FORMAT_H

#include "formats/dtype.h"
#include "store/base/defs.h"

#include <sys/types.h>

#define FORMAT_TENSOR_COUNT_MAX (1u << 20)
#define FORMAT_HEADER_BYTES_MAX                                                                    \
    100000000u /* safetensors' own limit; ours for a pickle and a directory */

/* Bytes to parse: a file, or memory in tests and fuzzers. */
struct format_source {
    /* Like pread(2), but a negative errno on failure. */
    ssize_t (*read)(const struct format_source *source, uint64_t offset, void *dst, size_t size);
    uint64_t base;        /* of offset 0 in the file or the memory */
    uint64_t size;        /* from there on */
    int fd;               /* of a file */
    const uint8_t *bytes; /* of memory */
};

void format_source_of_file(int fd, uint64_t size, struct format_source *ret);
void format_source_of_memory(const void *bytes, size_t size, struct format_source *ret);

/* A part of another source, which must have these bytes. */
void format_source_of_part(const struct format_source *source, uint64_t offset, uint64_t size,
                           struct format_source *ret);

struct tensor {
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
    struct tensor *tensors; /* ascending by offset, not overlapping */
    size_t count;
    size_t capacity;
    struct format_member *members; /* likewise; a tensor is in one of them, or in none of it */
    size_t member_count;
    size_t member_capacity;
    const char *format; /* "safetensors", "torch", "raw", ...; static */
    char reason[256];   /* why a file is malformed */
};

void format_list_init(struct tensor_list *list);
void format_list_release(struct tensor_list *list);

/* Says in list->reason why the file is malformed. Returns: -EUCLEAN. */
int format_list_malformed(struct tensor_list *list, const char *format, ...) TFS_PRINTF(2, 3);

/*
 * Read exactly `size` bytes.
 *
 * Errors: -EUCLEAN (the file ends before), -EINTR (tools/common/interrupt.h), -EIO and others of
 * pread(2).
 */
TFS_MUST_CHECK int format_read(const struct format_source *source, struct tensor_list *list,
                               uint64_t offset, void *dst, size_t size);

/* Errors: -EUCLEAN (more tensors than the limit), -ENOMEM. */
TFS_MUST_CHECK int format_list_add(struct tensor_list *list, const char *name, size_t name_size,
                                   const struct tensor *tensor);

/* Errors: -ENOMEM. */
TFS_MUST_CHECK int format_list_add_member(struct tensor_list *list, const char *name,
                                          size_t name_size, const struct format_member *member);

/* Has each tensor a name of its own? Errors: -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int format_list_check_names(struct tensor_list *list);

/*
 * Sort the tensors and check that they lie in a file of file_size bytes without overlapping; sort
 * the members, and forget those that overlap another, or a part of a tensor.
 *
 * Errors: -EUCLEAN.
 */
TFS_MUST_CHECK int format_list_finish(struct tensor_list *list, uint64_t file_size);

/*
 * Find out what a file is and where its tensors are. A file of no known format is raw: bytes,
 * without tensors, unless its name, which may be NULL, says that it should be more.
 *
 * Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of pread(2). The list is then empty but
 *         valid.
 */
TFS_MUST_CHECK int format_find_tensors(const struct format_source *source, const char *name,
                                       struct tensor_list *list);

/* The parsers behind it, named unlike those that tensorfs-bench, which links both, has; each
 * returns like format_find_tensors and leaves finishing to the caller.
 */
TFS_MUST_CHECK int format_find_safetensors(const struct format_source *source,
                                           struct tensor_list *list);
TFS_MUST_CHECK int format_find_zip(const struct format_source *source, struct tensor_list *list);
TFS_MUST_CHECK int format_find_gguf(const struct format_source *source, struct tensor_list *list);
bool format_is_torch_legacy(const uint8_t *head, size_t size);
TFS_MUST_CHECK int format_find_torch_legacy(const struct format_source *source,
                                            struct tensor_list *list);

/* An array in npy format that starts at `offset` and has `size` bytes at most: a file, or a zip's
 * entry. */
TFS_MUST_CHECK int format_find_npy(const struct format_source *source, uint64_t offset,
                                   uint64_t size, const char *name, struct tensor_list *list);

#endif
