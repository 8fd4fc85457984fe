/*
 * Space that nobody knows to be free: what was appended before a crash and never committed, and
 * frames that died and were not given back before it. The index is read to learn which ranges of
 * the segments in question are used; everything between them is given back.
 */
#ifndef TFS_SWEEP_H
#define TFS_SWEEP_H

#include "store/base/defs.h"

#include <stdatomic.h>

struct tfs_volume;

/* Segments first <= number < end. Nothing is appended to them any more. Stops early, with
 * -ECANCELED, when *stop becomes true. */
TFS_MUST_CHECK int sweep_segments(struct tfs_volume *volume, uint64_t first, uint64_t end,
                                  const atomic_bool *stop);

#endif
