/*
 * What gpu/ must compute, written from gpu.h's text and from the definitions of the formats, in the
 * plainest way and with none of gpu/'s arithmetic.
 */
#ifndef TFS_TESTS_GPU_REFERENCE_H
#define TFS_TESTS_GPU_REFERENCE_H

#include "gpu/gpu.h"

/* The value of an element's bits: NaN, an infinity or exact (64-bit integers: rounded to nearest).
 */
double reference_decode(enum dtype dtype, uint64_t bits);

void reference_leaf(enum dtype dtype, const uint8_t *data, uint32_t size, struct gpu_leaf *ret);

/* Bit by bit, as RFC 3720 defines it. */
uint32_t reference_crc(const uint8_t *data, size_t size);

/*
 * Random elements. With `plain` they are finite and in a quarter of the dtype's range, so that the
 * smallest and the largest of them differ from case to case; else they are anywhere, and now and
 * then NaN, infinite, zero or subnormal.
 */
void reference_fill(enum dtype dtype, uint64_t seed, bool plain, uint8_t *data, size_t size);

#endif
