#include "store/tables/holder.h"

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

/* Digits up to the letter `end`, and moves behind that. */
static bool take_number(char **at, char end, unsigned long long maximum, unsigned long long *ret)
{
    char *behind = *at;

    errno = 0;
    *ret = strtoull(*at, &behind, 10);
    if (**at < '0' || **at > '9' || errno || *ret > maximum || *behind != end)
        return false;
    *at = behind + 1;
    return true;
}

bool holder_parse(char *text, struct holder_note *ret)
{
    unsigned long long pid;
    unsigned long long start_time;
    unsigned long long device_major;
    unsigned long long device_minor;

    if (!take_number(&text, ' ', INT_MAX, &pid) || pid == 0 ||
        !take_number(&text, ' ', INT64_MAX, &start_time) ||
        !take_number(&text, ':', UINT_MAX, &device_major) ||
        !take_number(&text, ' ', UINT_MAX, &device_minor) || *text != '/')
        return false;
    text[strcspn(text, "\n")] = '\0';
    tfs_make_one_line(text);
    *ret = (struct holder_note){.pid = (pid_t)pid,
                                .start_time = (int64_t)start_time,
                                .device_major = (unsigned)device_major,
                                .device_minor = (unsigned)device_minor,
                                .mountpoint = text};
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

/* "1: FLOCK  ADVISORY  WRITE 714 fe:00:131106 0 EOF"; those who wait have "->" behind the number.
 * Returns: the process, if the lock is one of flock(2) on `file`; else 0. */
static pid_t locker_of(char *line, const char *file)
{
    const char *fields[6] = {""};
    char *rest = line;
    int count = 0;

    while (count < 6 && (fields[count] = strtok_r(rest, " \n", &rest)))
        count++;
    if (count < 6 || strcmp(fields[1], "FLOCK") != 0 || strcmp(fields[5], file) != 0)
        return 0;
    return (pid_t)strtol(fields[4], NULL, 10);
}

/* The process that has taken flock(2) on the directory, or 0: it is in another pid namespace, or
 * the filesystem has another number there (btrfs). */
static pid_t find_locker(int directory)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat status;
    char line[256];
    char file[64];
    pid_t found = 0;

    if (!locks)
        return 0;
    if (fstat(directory, &status) < 0)
        status = (struct stat){.st_ino = 0};
    (void)snprintf(file, sizeof(file), "%02x:%02x:%llu", major(status.st_dev), minor(status.st_dev),
                   (unsigned long long)status.st_ino);
    while (found <= 0 && fgets(line, sizeof(line), locks))
        found = locker_of(line, file);
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
