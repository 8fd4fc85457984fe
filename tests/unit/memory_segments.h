/*
 * An engine of the segments in memory, of the kind that an object store would be: no holes can be
 * punched, no mount goes on in a segment of another, and what was not synced is gone after a crash.
 * What is behind a path stays when the segments are closed, and until memory_segments_forget_all().
 */
#ifndef TFS_TEST_MEMORY_SEGMENTS_H
#define TFS_TEST_MEMORY_SEGMENTS_H

#include "store/segment/engine.h"

extern const struct segment_engine segment_memory;

/* What a crash of the segments at `path` would leave now, at another path: what was synced. The
 * segments themselves live on. */
void memory_segments_crash(const char *path, const char *to);

/* Nothing is open. */
void memory_segments_forget_all(void);

#endif
