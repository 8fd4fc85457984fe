/*
 * Honest random tensors: normal or log-normal elements, each row with a log-normal scale of its
 * own, never zeros. The same seed gives the same bytes on every machine with IEEE arithmetic.
 */
#ifndef TENSORFS_BENCH_FILL_H
#define TENSORFS_BENCH_FILL_H

#include "tools/bench/model/tensor_kind.h"

/* One row of `columns` elements. seed: unlike for every row of a model. */
void fill_row(enum tensor_kind kind, uint64_t seed, uint64_t columns, void *dst);

/* A gain as of a normalisation layer: 1 plus a little. */
void fill_gain(enum tensor_kind kind, uint64_t seed, uint64_t columns, void *dst);

/*
 * Turn a tensor into another one of the same distribution, at memory speed, by flipping random
 * mantissa bits: signs and exponents stay, and the mantissa is as good as uniform before and after.
 * Applied a second time with the same seed it undoes itself. For TENSOR_BYTES nothing is done.
 */
void fill_vary(enum tensor_kind kind, uint64_t seed, void *data, uint64_t bytes);

#endif
