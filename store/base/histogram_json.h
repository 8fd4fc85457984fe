/*
 * A histogram as JSON, for those who link cJSON.
 */
#ifndef TFS_BASE_HISTOGRAM_JSON_H
#define TFS_BASE_HISTOGRAM_JSON_H

#include "store/base/histogram.h"

#include <cjson/cJSON.h>

/* name: {"count": n, "total_ns": n, "buckets_us": [...]}. Numbers are exact up to 2^53. */
static inline void tfs_histogram_add_json(cJSON *object, const char *name,
                                          const struct tfs_histogram_sum *sum)
{
    cJSON *histogram = cJSON_AddObjectToObject(object, name);
    cJSON *buckets;

    (void)cJSON_AddNumberToObject(histogram, "count", (double)sum->count);
    (void)cJSON_AddNumberToObject(histogram, "total_ns", (double)sum->total_ns);
    buckets = cJSON_AddArrayToObject(histogram, "buckets_us");
    for (unsigned i = 0; i < TFS_HISTOGRAM_BUCKETS; i++)
        (void)cJSON_AddItemToArray(buckets, cJSON_CreateNumber((double)sum->buckets[i]));
}

#endif
