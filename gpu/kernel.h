/*
 * The kernel behind one C function, and what it needs in device memory.
 */
#ifndef TFS_GPU_KERNEL_H
#define TFS_GPU_KERNEL_H

#include "gpu/gpu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gpu_crc_constants;
struct CUstream_st;

/* All pointers are to device memory. */
struct gpu_kernel_batch {
    const uint8_t *data;
    const struct gpu_item *items;
    const uint32_t *order; /* indices of the items to be checked, all of one dtype */
    const uint32_t *part_ends;
    const struct gpu_crc_constants *constants;
    uint32_t *part_raws;     /* see gpu_crc_from_raw */
    struct gpu_leaf *leaves; /* one for each item */
    uint32_t order_count;
};

/*
 * Queue the check of order_count items on a stream; nothing is waited for.
 *
 * Returns: a cudaError_t, 0 for success.
 */
int gpu_kernel_launch(uint32_t dtype, const struct gpu_kernel_batch *batch,
                      struct CUstream_st *stream);

/* Can the current device run the kernel? Returns a cudaError_t. */
int gpu_kernel_probe(void);

#ifdef __cplusplus
}
#endif

#endif
