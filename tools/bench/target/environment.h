/*
 * What a measurement was taken on: kernel, processor, memory, disk, versions.
 */
#ifndef TENSORFS_BENCH_ENVIRONMENT_H
#define TENSORFS_BENCH_ENVIRONMENT_H

#include "store/base/defs.h"

struct target_settings;

/* One filesystem out of /proc/self/mountinfo. */
struct environment_filesystem {
    char type[32];
    char source[128];
    char options[256];
};

/* The filesystem that holds `path`. Errors: -ENOENT, not said. */
TFS_MUST_CHECK int environment_filesystem(const char *path, struct environment_filesystem *ret);

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
