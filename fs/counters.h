/*
 * Requests counted by kind, with the time they took. Each thread writes its own lane, so counting
 * costs two readings of the clock and three stores; readers add the lanes up.
 */
#ifndef TFS_FS_COUNTERS_H
#define TFS_FS_COUNTERS_H

#include "store/base/histogram.h"

enum {
    COUNTERS_OPCODE_COUNT = 64, /* of the protocol's 53; anything above counts as 0 */
};

struct cJSON;
struct counters;

/* Ownership: returned; counters_free(), which accepts NULL. Errors: -ENOMEM. */
TFS_MUST_CHECK int counters_new(unsigned lane_count, struct counters **ret);
void counters_free(struct counters *counters);

/* Threads: one per lane. */
void counters_add(struct counters *counters, unsigned lane, uint32_t opcode, uint64_t ns);

/* The sum of the lanes; each number is one that was true at some moment of the call. */
void counters_sum(const struct counters *counters, uint32_t opcode, struct tfs_histogram_sum *ret);

/*
 * {"LOOKUP": {"count": n, "total_ns": n, "buckets_us": [...]}, ...}, kinds that never came left
 * out. Ownership: returned; cJSON_Delete(). NULL: no memory.
 */
struct cJSON *counters_to_json(const struct counters *counters);

#endif
