/*
 * The header of an npy file (npy.h).
 */
#ifndef TFS_FORMATS_NPY_WRITE_H
#define TFS_FORMATS_NPY_WRITE_H

#include "formats/byte_buffer.h"
#include "formats/written_tensor.h"

/*
 * Write what stands before an array's elements, version 1.0, little-endian: magic, length, the dict
 * padded with blanks so that the elements begin at a multiple of 64.
 *
 * Ownership: *ret is released with byte_buffer_release.
 * Errors:    -EINVAL (a dtype that numpy has not, or a header above 64 KiB), -ENOMEM.
 */
TFS_MUST_CHECK int npy_header_build(const struct written_tensor *tensor, struct byte_buffer *ret);

#endif
