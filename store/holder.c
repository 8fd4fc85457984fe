#include "store/holder.h"

#include "store/base/mounts.h"
#include "store/base/regular.h"
#include "store/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static const char name_note[] = "holder";

enum { NOTE_SIZE_MAX = PATH_MAX + 128, SHOWN_PATH_MAX = 240 };

/* ---- the note ---- */

void holder_write(int directory, const char *mountpoint, dev_t device)
{
    char text[NOTE_SIZE_MAX];
    int fd = tfs_regular_open(directory, name_note, O_WRONLY | O_CREAT | O_TRUNC);
    int size = snprintf(text, sizeof(text), "%d %lld %u:%u %s\n", (int)getpid(),
                        (long long)time(NULL), major(device), minor(device), mountpoint);

    if (fd < 0)
        return;
    if (size >= (int)sizeof(text) || write(fd, text, (size_t)size) != size)
        holder_remove(directory);
    (void)close(fd); /* what a crash leaves of it does not matter */
}

void holder_remove(int directory)
{
    (void)unlinkat(directory, name_note, 0); /* if not, it counts no more than after a crash */
}

bool holder_parse(char *text, struct holder_note *ret)
{
    struct holder_note note;
    long long start_time;
    int at = 0;

    if (sscanf(text, "%d %lld %u:%u %n", &note.pid, &start_time, &note.device_major,
               &note.device_minor, &at) != 4 ||
        at == 0 || note.pid <= 0 || text[at] != '/')
        return false;
    note.start_time = start_time;
    note.mountpoint = text + at;
    text[at + (int)strcspn(text + at, "\n")] = '\0';
    tfs_make_one_line(text + at);
    *ret = note;
    return true;
}

static bool read_note(int directory, char text[NOTE_SIZE_MAX], struct holder_note *ret)
{
    int fd = tfs_regular_open(directory, name_note, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, text, NOTE_SIZE_MAX - 1);

    if (fd >= 0)
        (void)close(fd); /* read-only, nothing to lose */
    if (size <= 0)
        return false;
    text[size] = '\0';
    return holder_parse(text, ret);
}

/* ---- the lock ---- */

/* The process that has taken flock(2) on the directory, or 0: it is in another pid namespace, or
 * the filesystem has another number there (btrfs). */
static pid_t find_locker(int directory)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat status;
    char line[256];
    pid_t found = 0;

    if (!locks)
        return 0;
    if (fstat(directory, &status) < 0)
        status.st_ino = 0;
    while (!found && fgets(line, sizeof(line), locks)) {
        unsigned device_major;
        unsigned device_minor;
        unsigned long long inode;
        int pid;

        /* "1: FLOCK  ADVISORY  WRITE 714 fe:00:131106 0 EOF"; those who wait have "->" in it. */
        if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%llu ", &pid, &device_major, &device_minor,
                   &inode) == 4 &&
            inode == status.st_ino && makedev(device_major, device_minor) == status.st_dev)
            found = (pid_t)pid;
    }
    (void)fclose(locks); /* read only */
    return found > 0 ? found : 0;
}

/* ---- what is said ---- */

static void add_copy(const struct holder_note *note, char text[HOLDER_TEXT_SIZE])
{
    dev_t device = makedev(note->device_major, note->device_minor);
    size_t used = strlen(text);
    struct tfs_mount_copy copy;

    if (tfs_mount_is_here(device) || !tfs_mount_find_copy(device, &copy))
        return;
    (void)snprintf(text + used, HOLDER_TEXT_SIZE - used,
                   "; unmounted here, but process %d (%s) has that mount in a mount namespace of "
                   "its own (%s)",
                   (int)copy.pid, copy.name, copy.mount_name);
}

static void say_mounted(const struct holder_note *note, char text[HOLDER_TEXT_SIZE])
{
    time_t start = (time_t)note->start_time;
    char since[32] = "?";
    struct tm parts;

    if (localtime_r(&start, &parts))
        (void)strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &parts);
    (void)snprintf(text, HOLDER_TEXT_SIZE, "process %d, mounted on '%.*s' since %s", (int)note->pid,
                   SHOWN_PATH_MAX, note->mountpoint, since);
}

void holder_describe(int directory, bool copies, char text[HOLDER_TEXT_SIZE])
{
    char bytes[NOTE_SIZE_MAX];
    struct holder_note note;
    pid_t locker = find_locker(directory);
    bool has_note = read_note(directory, bytes, &note);
    char name[32];

    if (has_note && (!locker || note.pid == locker)) {
        say_mounted(&note, text);
        if (copies)
            add_copy(&note, text);
    } else if (locker) {
        tfs_process_name(locker, name);
        if (name[0] == '?') /* gone, and whoever has its descriptor has the lock */
            (void)snprintf(text, HOLDER_TEXT_SIZE, "what process %d has started", (int)locker);
        else
            (void)snprintf(text, HOLDER_TEXT_SIZE, "process %d (%s)", (int)locker, name);
    } else {
        (void)snprintf(text, HOLDER_TEXT_SIZE, "another mount");
    }
}
