/*
 * Splitting elements of 2, 4 or 8 bytes into byte planes, and merging them back. Private to this
 * folder, its tests and its bench.
 *
 * Plane k holds byte k of every element. "Rotated" elements have their two highest bytes, as a
 * 16-bit number, rotated left by one bit first: the highest bit, a float's sign, moves to the low
 * end of plane width-2, and the highest plane of a bf16 or fp32 becomes exactly its exponent.
 *
 * All implementations give the same bytes; none reads or writes outside of what is named.
 */
#ifndef TFS_CODEC_PLANES_H
#define TFS_CODEC_PLANES_H

#include "store/base/defs.h"

enum { PLANES_MAX = 8, PLANES_WIDTH_LOG_MAX = 3 };

typedef void planes_split_function(const uint8_t *src, size_t count, uint8_t *const planes[]);
typedef void planes_merge_function(const uint8_t *const planes[], size_t count, uint8_t *dst);

/* Indexed by [log2 of the width - 1][rotated]. Planes may lie anywhere and do not overlap. */
struct planes_ops {
    const char *name;
    planes_split_function *split[PLANES_WIDTH_LOG_MAX][2];
    planes_merge_function *merge[PLANES_WIDTH_LOG_MAX][2];
};

extern const struct planes_ops planes_ops_plain;
#if defined(__x86_64__)
extern const struct planes_ops planes_ops_sse2;
extern const struct planes_ops planes_ops_avx2;
extern const struct planes_ops planes_ops_avx512;
#endif
#if defined(__aarch64__)
extern const struct planes_ops planes_ops_neon;
#endif

/* All that this machine can run, fastest first; the last is plain C. Returns: how many. */
enum { PLANES_IMPLEMENTATIONS_MAX = 4 };
size_t planes_implementations(const struct planes_ops *ret[PLANES_IMPLEMENTATIONS_MAX]);

/* The fastest of them. Threads: any; resolved once. */
const struct planes_ops *planes_best(void);

#endif
