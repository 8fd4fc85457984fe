/*
 * What gpu/ must compute, written from gpu.h's text and from the definitions of the formats, in the
 * plainest way and with none of gpu/'s arithmetic; and the thread and block structure of the CUDA
 * kernel, run on the CPU with the kernel's own arithmetic.
 */
#ifndef TFS_TESTS_GPU_REFERENCE_H
#define TFS_TESTS_GPU_REFERENCE_H

#include "gpu/gpu.h"

/* The value of an element's bits: NaN, an infinity or exact (64-bit integers: rounded to nearest).
 */
double reference_decode(enum gpu_dtype dtype, uint64_t bits);

void reference_leaf(enum gpu_dtype dtype, const uint8_t *data, uint32_t size, struct gpu_leaf *ret);

/* Bit by bit, as RFC 3720 defines it. */
uint32_t reference_crc(const uint8_t *data, size_t size);

/*
 * One leaf as kernel.cu computes it: 32 lanes, tiles, parts, shuffles.
 *
 * Ownership: data has readable bytes up to the next multiple of 4; crcs is as long as part_ends.
 */
void emulated_leaf(enum gpu_dtype dtype, const uint8_t *data, uint32_t size,
                   const uint32_t *part_ends, uint32_t part_count, uint32_t *crcs,
                   struct gpu_leaf *ret);

/* Random elements; with `plain` all finite, else now and then NaN, infinite, zero and subnormal. */
void reference_fill(enum gpu_dtype dtype, uint64_t seed, bool plain, uint8_t *data, size_t size);

#endif
