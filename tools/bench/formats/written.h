/* A model's tensors as the writers in formats/ take them. */
#ifndef TENSORFS_BENCH_FORMATS_WRITTEN_H
#define TENSORFS_BENCH_FORMATS_WRITTEN_H

#include "formats/written_tensor.h"
#include "tools/bench/model/model.h"

/* Borrows the tensor. */
struct written_tensor written_tensor_of(const struct tensor *tensor);

/* All of them, in their order; to be freed. NULL without memory. */
struct written_tensor *written_tensors_of(const struct model *model);

#endif
