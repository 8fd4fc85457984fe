/*
 * The pickle in an archive of torch.save: a dict of names to tensors, each rebuilt from a storage
 * of its own. The specification is CPython's Lib/pickle.py, protocol 2, and torch/_utils.py,
 * _rebuild_tensor_v2.
 */
#ifndef TFS_FORMATS_TORCH_PICKLE_H
#define TFS_FORMATS_TORCH_PICKLE_H

#include "formats/byte_buffer.h"
#include "formats/written_tensor.h"

#define TORCH_DIMENSION_COUNT_MAX 64u

/*
 * Write the pickle. Tensor i gets the storage with key "i".
 *
 * Ownership: *ret is released with byte_buffer_release.
 * Errors:    -EINVAL (a dtype without a storage of torch, or too many dimensions), -ENOMEM.
 */
TFS_MUST_CHECK int torch_pickle_build(const struct written_tensor *tensors, size_t count,
                                      struct byte_buffer *ret);

#endif
