/*
 * What no coder of single bytes can go below.
 */
#ifndef TFS_BENCH_CODEC_BOUND_H
#define TFS_BENCH_CODEC_BOUND_H

#include "store/base/defs.h"

/* Shannon's entropy (order 0) of the bytes, in bytes. */
double bound_of_bytes(const uint8_t *bytes, size_t count);

/*
 * Shannon's bound of the byte planes: elements of so many bytes are split, with and without the
 * rotation of the sign, and the entropies (order 0, per block of 256 KiB) of the planes added up;
 * the smaller sum.
 *
 * Returns: the share of `size`, 0..1.
 */
double bound_of_planes(const uint8_t *data, size_t size, unsigned element_size);

#endif
