/*
 * The pickle in a torch.save archive: a dict of names to tensors, each rebuilt from a storage of
 * its own.
 */
#ifndef TENSORFS_BENCH_FORMATS_TORCH_PICKLE_H
#define TENSORFS_BENCH_FORMATS_TORCH_PICKLE_H

#include "tools/bench/formats/byte_buffer.h"
#include "tools/bench/model/model.h"

/* Tensor i of the model gets the storage with key "i". Errors are kept in the buffer. */
void torch_pickle_build(const struct model *model, struct byte_buffer *pickle);

#endif
