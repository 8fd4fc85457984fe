/*
 * Shannon's bound of what a coder of byte planes can reach on floating-point data.
 */
#ifndef TENSORFS_BENCH_ENTROPY_H
#define TENSORFS_BENCH_ENTROPY_H

#include "tools/bench/model/tensor_kind.h"

/*
 * The bytes that an ideal coder needs which splits every ENTROPY_BLOCK_BYTES into its byte planes
 * (for a kind that rotates_sign also after moving the sign bit behind the mantissa, whichever is
 * smaller) and codes each byte of a plane by its frequency in that block. A coder with less than
 * that either sees more than single bytes, or shares statistics in ways that this data does not
 * offer.
 *
 * Returns: the bound in bytes, at most `bytes`.
 */
double entropy_bound(enum tensor_kind kind, const void *data, uint64_t bytes);

enum { ENTROPY_BLOCK_BYTES = 256 * 1024 };

#endif
