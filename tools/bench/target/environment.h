/*
 * What a measurement was taken on: kernel, processor, memory, disk, versions.
 */
#ifndef TENSORFS_BENCH_ENVIRONMENT_H
#define TENSORFS_BENCH_ENVIRONMENT_H

#include "store/base/defs.h"

struct target_settings;

/* Whether `path` lies on a tensorfs. */
bool environment_is_tensorfs(const char *path);

/*
 * A JSON object with all of it, for measurements of that place.
 *
 * Ownership: returned, freed with cJSON_Delete or by the object it is added to. NULL without
 * memory.
 */
struct cJSON *environment_json(const struct target_settings *settings);

#endif
