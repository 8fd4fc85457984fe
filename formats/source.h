/*
 * Where the bytes of a file come from: a file, memory, or whatever can read at an offset. All
 * readers of formats take their bytes from a source, and take them for hostile: they check every
 * length and offset before they use it, keep to limits, and never recurse.
 */
#ifndef TFS_FORMATS_SOURCE_H
#define TFS_FORMATS_SOURCE_H

#include "store/base/defs.h"

#include <sys/types.h>

/* Of what is read into memory at once: safetensors' own limit of a header; ours for a pickle, a
 * directory, an index. */
#define FORMAT_HEADER_BYTES_MAX 100000000u

struct format_source {
    /* Like pread(2), but a negative errno on failure. */
    ssize_t (*read)(const struct format_source *source, uint64_t offset, void *dst, size_t size);
    bool (*is_stopped)(
        void);     /* has somebody given up? Reading ends with -EINTR; NULL: nobody can */
    uint64_t base; /* of offset 0 in the file or the memory */
    uint64_t size; /* from there on */
    union {
        int fd;
        const uint8_t *bytes;
        void *object; /* of whoever has another `read` */
    };
};

void format_source_of_file(int fd, uint64_t size, struct format_source *ret);
void format_source_of_memory(const void *bytes, size_t size, struct format_source *ret);

/* A part of another source, which must have these bytes. */
void format_source_of_part(const struct format_source *source, uint64_t offset, uint64_t size,
                           struct format_source *ret);

/* Is what was begun to be given up? source may be NULL. */
static inline bool format_source_is_stopped(const struct format_source *source)
{
    return source && source->is_stopped && source->is_stopped();
}

/*
 * Read exactly `size` bytes.
 *
 * Errors: -EUCLEAN (the source ends before, or has become shorter), -EINTR (it is stopped), others
 *         of its `read`.
 */
TFS_MUST_CHECK int format_source_read(const struct format_source *source, uint64_t offset,
                                      void *dst, size_t size);

/*
 * Read all of it, with a zero behind it that does not count.
 *
 * Ownership: *ret is freed by the caller.
 * Errors:    -EFBIG (above FORMAT_HEADER_BYTES_MAX), -ENOMEM, those of format_source_read().
 */
TFS_MUST_CHECK int format_source_read_all(const struct format_source *source, char **ret);

#endif
