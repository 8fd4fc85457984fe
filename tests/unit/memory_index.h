/*
 * An engine of the index in memory: sorted arrays, batches, guards that it checks itself, scans of
 * one moment, and crashes that forget what was not synced. What is behind a path stays when the
 * index is closed, and until memory_index_forget_all().
 */
#ifndef TFS_TEST_MEMORY_INDEX_H
#define TFS_TEST_MEMORY_INDEX_H

#include "store/index/engine.h"

extern const struct index_engine index_memory;

/*
 * What a crash of the index at `path` would leave now, at another path: all that was synced, and
 * the first `unsynced_kept` batches of those that were not. The index itself lives on.
 */
void memory_index_crash(const char *path, const char *to, size_t unsynced_kept);

/* Nothing is open. */
void memory_index_forget_all(void);

#endif
