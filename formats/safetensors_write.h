/*
 * The header of a safetensors file (safetensors.h).
 */
#ifndef TFS_FORMATS_SAFETENSORS_WRITE_H
#define TFS_FORMATS_SAFETENSORS_WRITE_H

#include "formats/byte_buffer.h"
#include "formats/written_tensor.h"

/*
 * Write what stands before the data: the length, and the JSON, padded so that the data begin at a
 * multiple of 8. The tensors' data follow it in their order, without gaps.
 *
 * Ownership: *ret is released with byte_buffer_release.
 * Errors:    -EINVAL (a dtype that the format has not, or a name that is no UTF-8), -ENOMEM.
 */
TFS_MUST_CHECK int safetensors_header_build(const struct written_tensor *tensors, size_t count,
                                            struct byte_buffer *ret);

#endif
