/*
 * The host's side of the checksums: constants for the lanes, and from their result to a CRC32C.
 * arithmetic.h has the theory.
 */
#ifndef TFS_GPU_CRC_H
#define TFS_GPU_CRC_H

#include "gpu/arithmetic.h"

void gpu_crc_constants_init(struct gpu_crc_constants *constants);

/* x^exponent mod P. */
uint32_t gpu_crc_power(uint64_t exponent);

/*
 * The CRC32C of a part.
 *
 * Units: raw is the XOR of the lanes' shares; it covers `size` bytes of the part and then `padding`
 *        zeros, less than a tile, which are divided out.
 */
uint32_t gpu_crc_from_raw(uint32_t raw, uint32_t size, uint32_t padding);

#endif
