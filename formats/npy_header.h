/*
 * The header of an array in npy format: the literal of a Python dict that says what the array is.
 */
#ifndef TFS_FORMATS_NPY_HEADER_H
#define TFS_FORMATS_NPY_HEADER_H

#include "formats/dtype.h"

struct npy_header {
    uint64_t element_count; /* product of the shape */
    uint64_t element_size;  /* in bytes; 0 when not known, as of objects, which are a pickle */
    enum dtype dtype;       /* DTYPE_BYTES when not known, or big-endian */
};

/*
 * Parse a header.
 *
 * Ownership: *ret_reason, set on failure, is static.
 * Errors:    -EUCLEAN.
 */
TFS_MUST_CHECK int npy_header_parse(const char *text, size_t size, struct npy_header *ret,
                                    const char **ret_reason);

#endif
