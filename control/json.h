/*
 * What the store tells in structs, as JSON objects. docs/ARCHITECTURE.md, "Counters", names the
 * members.
 */
#ifndef TFS_CONTROL_JSON_H
#define TFS_CONTROL_JSON_H

#include "store/report.h"

struct cJSON;

/* A whole number as a member of an object; exact below 10^15, cJSON prints 15 digits above. */
void control_add_number(struct cJSON *object, const char *name, uint64_t value);

/* name: {"count": n, "total_ns": n, "buckets_us": [...]} */
void control_add_histogram(struct cJSON *object, const char *name,
                           const struct tfs_histogram_sum *sum);

/* Returned; cJSON_Delete(). NULL: no memory. */
struct cJSON *control_json_of_stats(const struct tfs_volume_stats *stats);
struct cJSON *control_json_of_file(const struct tfs_file_info *info);

#endif
