/*
 * What a device must be able to do. gpu.c checks arguments and calls one of two tables.
 */
#ifndef TFS_GPU_BACKEND_H
#define TFS_GPU_BACKEND_H

#include "gpu/gpu.h"

struct gpu_backend_ops {
    int (*slot_new)(struct gpu *gpu, const struct gpu_slot_limits *limits, struct gpu_slot **ret);
    void (*slot_free)(struct gpu_slot *slot);
    /* The batch was checked against the limits. */
    int (*slot_start)(struct gpu_slot *slot, const struct gpu_batch *batch);
    int (*slot_wait)(struct gpu_slot *slot, struct gpu_times *ret);
    /* pattern: GPU_PATTERN_BYTES of elements; byte_count: a multiple of GPU_LEAF_BYTES. */
    int (*measure)(struct gpu *gpu, const uint8_t *pattern, uint64_t byte_count, enum dtype dtype,
                   unsigned round_count, struct gpu_speed *ret);
    void (*close)(struct gpu *gpu);
};

#define GPU_PATTERN_BYTES (4u * 1024 * 1024)

/* The first member of each backend's own structure. */
struct gpu {
    const struct gpu_backend_ops *ops;
    char description[256];
    uint64_t opened_ns;
    bool is_cuda;
};

/* The first member of each backend's own structure, so that gpu_slot_free finds the backend. */
struct gpu_slot_base {
    struct gpu_slot slot;
    struct gpu *gpu;
};

static inline struct gpu *gpu_of_slot(struct gpu_slot *slot)
{
    return ((struct gpu_slot_base *)slot)->gpu;
}

TFS_MUST_CHECK int gpu_cpu_open(struct gpu **ret);
#if TFS_HAVE_CUDA
/* -ENODEV when there is no usable device; gpu_cuda_absence() says why. */
TFS_MUST_CHECK int gpu_cuda_open(struct gpu **ret);
const char *gpu_cuda_absence(void);
#endif

#endif
