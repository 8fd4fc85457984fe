/*
 * A manifest: the checksums of the blocks of many files, as text, to be kept beside them or
 * elsewhere.
 *
 *     tensorfs-manifest 1
 *     file SIZE BLOCK_SIZE NAME       decimal; the name runs to the end of the line
 *     c0ffee00 ...                    CRC32C of each block, 8 hexadecimal digits, up to 8 on a line
 *     end FILE_COUNT                  so that a manifest that was cut off is noticed
 *
 * The name is the file's base name, or, for files found in a directory, its path inside that
 * directory.
 */
#ifndef TFS_VALIDATE_MANIFEST_H
#define TFS_VALIDATE_MANIFEST_H

#include "tools/validate/blocks.h"

#include <stdio.h>

struct manifest_file {
    char *name;
    struct validate_blocks blocks;
    bool is_seen; /* by the caller */
};

struct manifest {
    struct manifest_file *files; /* ascending by name */
    size_t count;
    size_t capacity;
};

/*
 * Read a manifest.
 *
 * Ownership: *ret is released with manifest_release.
 * Errors:    -EUCLEAN (malformed, a name twice, or beyond a limit), -ENOMEM, -EIO.
 */
TFS_MUST_CHECK int manifest_read(FILE *stream, struct manifest *ret);
void manifest_release(struct manifest *manifest);

/* NULL when there is none. */
struct manifest_file *manifest_find(struct manifest *manifest, const char *name);

/* Writing: begin, a file each, end. Errors: -EIO, -EINVAL (a name with a line break). */
TFS_MUST_CHECK int manifest_write_begin(FILE *stream);
TFS_MUST_CHECK int manifest_write_file(FILE *stream, const char *name,
                                       const struct validate_blocks *blocks);
TFS_MUST_CHECK int manifest_write_end(FILE *stream, size_t file_count);

#endif
