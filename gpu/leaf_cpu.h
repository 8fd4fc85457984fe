/*
 * Statistics of a leaf on the CPU, compiled for several instruction sets. All give the same bits.
 */
#ifndef TFS_GPU_LEAF_CPU_H
#define TFS_GPU_LEAF_CPU_H

#include "gpu/gpu.h"

/* data is aligned to 8 bytes; size is at most GPU_LEAF_BYTES and a multiple of the dtype's width.
 */
typedef void gpu_leaf_function(enum dtype dtype, const uint8_t *data, uint32_t size,
                               struct gpu_leaf *ret);

struct gpu_leaf_variant {
    const char *name; /* of the instruction set */
    gpu_leaf_function *function;
};

/* The index-th variant that this machine can run, the fastest first; NULL behind the last. */
const struct gpu_leaf_variant *gpu_leaf_variant(unsigned index);

#endif
