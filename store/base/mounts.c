#include "store/base/mounts.h"

#include "store/base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Field 3 of a line is the device, and the type comes after a lone "-": see proc(5). No other field
 * looks like the device, for blanks in paths are escaped. The number alone is given to another
 * mount as soon as ours is gone. */
static bool lists_device(const char *path, dev_t device)
{
    FILE *mounts = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    char wanted[32];
    bool found = false;

    if (!mounts)
        return false; /* gone, or another user's */
    (void)snprintf(wanted, sizeof(wanted), " %u:%u ", major(device), minor(device));
    while (!found && getline(&line, &capacity, mounts) > 0)
        found = strstr(line, wanted) && strstr(line, " - fuse.tensorfs ");
    free(line);
    (void)fclose(mounts); /* read only */
    return found;
}

bool tfs_mount_is_here(dev_t device)
{
    return lists_device("/proc/self/mountinfo", device);
}

void tfs_process_name(pid_t pid, char ret[32])
{
    char path[64];
    ssize_t size = -1;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        size = read(fd, ret, 31);
        (void)close(fd);
    }
    ret[size > 0 ? size : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    if (!ret[0])
        (void)snprintf(ret, 32, "?");
    tfs_make_one_line(ret);
}

static void namespace_of(const char *process, char ret[32])
{
    char path[64];
    ssize_t size;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", process);
    size = readlink(path, ret, 31);
    ret[size > 0 ? size : 0] = '\0';
}

bool tfs_mount_find_copy(dev_t device, struct tfs_mount_copy *ret)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    char ours[32];
    bool found = false;

    if (!processes)
        return false;
    namespace_of("self", ours);
    while (!found && (entry = readdir(processes))) {
        char path[64];
        char theirs[32];
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid <= 0)
            continue;
        namespace_of(entry->d_name, theirs);
        (void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
        if (strcmp(theirs, ours) == 0 || !lists_device(path, device))
            continue;
        found = true;
        ret->pid = pid;
        memcpy(ret->mount_name, theirs, sizeof(theirs));
        tfs_process_name(pid, ret->name);
    }
    (void)closedir(processes);
    return found;
}
