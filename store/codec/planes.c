/*
 * Byte planes in plain C, and the choice among what the machine can run.
 *
 * The plain functions work on bytes alone, so they are right on any byte order; they also finish
 * the elements that are left when a vector implementation has done its whole vectors.
 */
#include "store/codec/planes.h"

#include "store/codec/planes_plain.h"

#include <pthread.h>

PLANES_DEFINE_PLAIN(2, plain_split_2, plain_merge_2)
PLANES_DEFINE_PLAIN(4, plain_split_4, plain_merge_4)
PLANES_DEFINE_PLAIN(8, plain_split_8, plain_merge_8)

const struct planes_ops planes_ops_plain = {
    .name = "plain",
    .split = {{plain_split_2, plain_split_2_rotated},
              {plain_split_4, plain_split_4_rotated},
              {plain_split_8, plain_split_8_rotated}},
    .merge = {{plain_merge_2, plain_merge_2_rotated},
              {plain_merge_4, plain_merge_4_rotated},
              {plain_merge_8, plain_merge_8_rotated}},
};

size_t planes_implementations(const struct planes_ops *ret[PLANES_IMPLEMENTATIONS_MAX])
{
    size_t count = 0;

#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi"))
        ret[count++] = &planes_ops_avx512;
    if (__builtin_cpu_supports("avx2"))
        ret[count++] = &planes_ops_avx2;
    ret[count++] = &planes_ops_sse2; /* every x86-64 has it */
#endif
#if defined(__aarch64__)
    ret[count++] = &planes_ops_neon; /* every AArch64 has it */
#endif
    ret[count++] = &planes_ops_plain;
    return count;
}

static pthread_once_t planes_once = PTHREAD_ONCE_INIT;
static const struct planes_ops *planes_resolved; /* written under planes_once */

static void planes_resolve(void)
{
    const struct planes_ops *implementations[PLANES_IMPLEMENTATIONS_MAX];

    (void)planes_implementations(implementations); /* there is always the plain one */
    planes_resolved = implementations[0];
}

const struct planes_ops *planes_best(void)
{
    (void)pthread_once(&planes_once, planes_resolve); /* cannot fail with these arguments */
    return planes_resolved;
}
