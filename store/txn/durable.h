/*
 * What is in the index becomes durable.
 */
#ifndef TFS_DURABLE_H
#define TFS_DURABLE_H

#include "store/base/defs.h"

struct tfs_volume;

/*
 * All batches before this call survive a power cut, and reclaim is told: what they killed may be
 * given back. Concurrent calls share one sync.
 *
 * Errors: of index_sync(); reclaim is told all the same. Blocks on disk.
 */
TFS_MUST_CHECK int durable_sync(struct tfs_volume *volume);

/* Whether anything can become so: after an error of the index nothing will until the next mount.
 * Errors: that error. */
TFS_MUST_CHECK int durable_check(struct tfs_volume *volume);

#endif
