/*
 * The attribute belongs to the mount's root, which is found by walking up until the device
 * changes.
 */
#include "tools/bench/target/mount_stats.h"

#include "tools/bench/json/json_place.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { STATS_BYTES_MAX = 64 * 1024 };

/* The highest directory above `path` on the same filesystem. */
static int mount_root(const char *path, char root[PATH_MAX])
{
    struct stat here;
    struct stat above;

    if (!realpath(path, root) || stat(root, &here) < 0)
        return -errno;
    for (;;) {
        char parent[PATH_MAX];
        char *slash;

        (void)memcpy(parent, root, sizeof(parent));
        slash = strrchr(parent, '/');
        if (!slash || parent[1] == '\0')
            return 0;
        slash[slash == parent] = '\0'; /* "/a" has the parent "/" */
        if (stat(parent, &above) < 0)
            return -errno;
        if (above.st_dev != here.st_dev)
            return 0;
        (void)memcpy(root, parent, sizeof(parent));
    }
}

static int stats_parse(const char *text, struct mount_stats *ret)
{
    static const struct {
        const char *path;
        size_t offset;
    } fields[] = {
        {"cache.hits", offsetof(struct mount_stats, cache_hits)},
        {"cache.misses", offsetof(struct mount_stats, cache_misses)},
        {"cache.bytes_max", offsetof(struct mount_stats, cache_bytes_max)},
        {"memory.used", offsetof(struct mount_stats, memory_used)},
        {"memory.budget", offsetof(struct mount_stats, memory_budget)},
    };
    struct mount_stats stats;
    cJSON *root = cJSON_Parse(text);
    int err = 0;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields) && err == 0; i++) {
        const cJSON *value = json_place_resolve(root, fields[i].path);

        if (cJSON_IsNumber(value))
            *(double *)(void *)((char *)&stats + fields[i].offset) = value->valuedouble;
        else
            err = -ENODATA;
    }
    cJSON_Delete(root);
    if (err == 0)
        *ret = stats;
    return err;
}

int mount_stats_read(const char *path, struct mount_stats *ret)
{
    static _Thread_local char text[STATS_BYTES_MAX];
    char root[PATH_MAX];
    ssize_t size;
    int err = mount_root(path, root);

    if (err < 0)
        return err;
    size = getxattr(root, "user.tensorfs.stats", text, sizeof(text) - 1);
    if (size < 0)
        return -errno;
    text[size] = '\0';
    return stats_parse(text, ret);
}
