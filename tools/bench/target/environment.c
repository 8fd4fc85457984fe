/*
 * Everything comes from files of the kernel that anybody may read. What is not there (a disk's
 * model on a virtual machine) is left out, so that a result never holds a guess.
 */
#include "tools/bench/target/environment.h"

#include "tools/bench/system/process.h"
#include "tools/bench/system/procfs.h"
#include "tools/bench/system/workers.h"
#include "tools/bench/target/target_settings.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* One filesystem out of /proc/self/mountinfo. */
struct filesystem {
    char type[32];
    char source[128];
    char options[256];
};

/* A line: id parent major:minor root point options... - type source superoptions (proc(5)) */
static bool mountinfo_parse(const char *line, dev_t device, struct filesystem *ret)
{
    const char *dash = strstr(line, " - ");
    unsigned long major_number;
    unsigned long minor_number;
    char *at;

    (void)strtoul(line, &at, 10); /* the mount's number */
    (void)strtoul(at, &at, 10);   /* its parent's */
    major_number = strtoul(at, &at, 10);
    if (!dash || *at != ':')
        return false;
    minor_number = strtoul(at + 1, &at, 10);
    if (makedev(major_number, minor_number) != device)
        return false;
    return sscanf(dash, " - %31s %127s %255s", ret->type, ret->source, ret->options) == 3;
}

/* The filesystem that holds `path`. Errors: -ENOENT, not said. */
static int filesystem_find(const char *path, struct filesystem *ret)
{
    struct stat status;
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    FILE *file;

    if (stat(path, &status) < 0)
        return -errno;
    file = fopen("/proc/self/mountinfo", "re");
    if (!file)
        return -errno;
    while (!found && getline(&line, &capacity, file) >= 0)
        found = mountinfo_parse(line, status.st_dev, ret);
    free(line);
    (void)fclose(file); /* read-only, nothing to lose */
    return found ? 0 : -ENOENT;
}

bool environment_is_tensorfs(const char *path)
{
    struct filesystem filesystem;

    return filesystem_find(path, &filesystem) == 0 && strstr(filesystem.type, "tensorfs") != NULL;
}

/* A file of /sys/dev/block/M:N/, or of the disk that the partition belongs to. */
static bool block_value(dev_t device, const char *name, char *value, size_t size)
{
    static const char *const places[] = {"", "../"};
    bool found = false;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(places) && !found; i++) {
        char path[128];
        FILE *file;

        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s%s", major(device),
                       minor(device), places[i], name);
        file = fopen(path, "re");
        if (!file)
            continue;
        found = fgets(value, (int)size, file) != NULL;
        (void)fclose(file); /* read-only, nothing to lose */
    }
    if (found)
        value[strcspn(value, "\n")] = '\0';
    return found;
}

static void add_directory(struct cJSON *object, const char *name, const char *path)
{
    struct filesystem filesystem;
    struct cJSON *entry;
    struct stat status;
    char value[128];

    if (!path || stat(path, &status) < 0)
        return;
    entry = cJSON_AddObjectToObject(object, name);
    (void)cJSON_AddStringToObject(entry, "path", path);
    if (filesystem_find(path, &filesystem) == 0) {
        (void)cJSON_AddStringToObject(entry, "type", filesystem.type);
        (void)cJSON_AddStringToObject(entry, "source", filesystem.source);
        (void)cJSON_AddStringToObject(entry, "options", filesystem.options);
    }
    if (block_value(status.st_dev, "device/model", value, sizeof(value)))
        (void)cJSON_AddStringToObject(entry, "disk_model", value);
    if (block_value(status.st_dev, "queue/rotational", value, sizeof(value)))
        (void)cJSON_AddBoolToObject(entry, "disk_rotational", value[0] == '1');
    if (block_value(status.st_dev, "size", value, sizeof(value)))
        (void)cJSON_AddNumberToObject(entry, "disk_bytes", (double)strtoull(value, NULL, 10) * 512);
}

static void add_machine(struct cJSON *object)
{
    struct utsname system;
    char value[256];

    if (uname(&system) == 0) {
        (void)snprintf(value, sizeof(value), "%s %s", system.sysname, system.release);
        (void)cJSON_AddStringToObject(object, "kernel", value);
        (void)cJSON_AddStringToObject(object, "machine", system.machine);
    }
    if (!procfs_text("/proc/cpuinfo", "model name", value, sizeof(value)))
        (void)snprintf(value, sizeof(value), "unknown"); /* other architectures name it otherwise */
    (void)cJSON_AddStringToObject(object, "cpu", value);
    (void)cJSON_AddNumberToObject(object, "cores", workers_core_count());
    (void)cJSON_AddNumberToObject(object, "memory_bytes",
                                  (double)procfs_bytes("/proc/meminfo", "MemTotal"));
    (void)cJSON_AddBoolToObject(object, "root", geteuid() == 0);
}

static void add_time(struct cJSON *object)
{
    char text[32];
    time_t now = time(NULL);
    struct tm parts;

    if (gmtime_r(&now, &parts) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
        (void)cJSON_AddStringToObject(object, "time", text);
}

static void add_versions(struct cJSON *object, const char *tensorfs)
{
    char path[PATH_MAX];
    char flag[] = "--version";
    char text[512];
    char *argv[] = {path, flag, NULL};

    (void)cJSON_AddStringToObject(object, "tensorfs_bench", TENSORFS_VERSION);
    (void)cJSON_AddStringToObject(object, "compiler", __VERSION__);
    if (process_find(tensorfs, "tensorfs", "../../fs/tensorfs", path, sizeof(path)) < 0 ||
        process_capture(argv, NULL, text, sizeof(text)) != 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    (void)cJSON_AddStringToObject(object, "tensorfs", text);
}

struct cJSON *environment_json(const struct target_settings *settings)
{
    struct cJSON *object = cJSON_CreateObject();

    if (!object)
        return NULL;
    add_time(object);
    add_machine(object);
    add_versions(cJSON_AddObjectToObject(object, "versions"), settings->tensorfs);
    add_directory(object, "directory", settings->dir ? settings->dir : settings->store_dir);
    add_directory(object, "baseline_directory", settings->baseline);
    return object;
}
