#include "small_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { FILL_SIZE = 256 * 1024, FILL_SIZE_MIN = 1024, AWAIT_STEPS_MAX = 20000 };

static bool entered;

int small_disk_enter(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    entered = true;
    return 0;
}

static int ext4_mount(const char *directory, uint64_t size)
{
    char command[2048];
    int length =
        snprintf(command, sizeof(command),
                 "image='%s.img' && truncate -s %llu \"$image\" && mkfs.ext4 -q \"$image\" "
                 "&& mount -o loop \"$image\" '%s' && rm \"$image\"",
                 directory, (unsigned long long)size, directory);

    if (length < 0 || (size_t)length >= sizeof(command))
        return -ENAMETOOLONG;
    return system(command) == 0 ? 0 : -ENODEV;
}

int small_disk_mount(enum small_disk_kind kind, const char *directory, uint64_t size)
{
    char options[64];

    if (!entered)
        return -EPERM;
    if (kind == SMALL_DISK_EXT4)
        return ext4_mount(directory, size);
    (void)snprintf(options, sizeof(options), "size=%llu", (unsigned long long)size);
    return mount("none", directory, "tmpfs", 0, options) < 0 ? -errno : 0;
}

void small_disk_unmount(const char *directory)
{
    if (umount(directory) < 0)
        perror("small_disk: umount");
}

static void filler_path(const char *directory, char *ret, size_t size)
{
    int length = snprintf(ret, size, "%s/filler", directory);

    assert(length > 0 && (size_t)length < size);
    (void)length;
}

void small_disk_fill(const char *directory, uint64_t spare)
{
    static const char zeros[FILL_SIZE];
    char path[1024];
    size_t size = sizeof(zeros);
    off_t end;
    int fd;

    filler_path(directory, path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert(fd >= 0);
    while (size >= FILL_SIZE_MIN)
        if (write(fd, zeros, size) < 0)
            size /= 2;
    /* What still waits for its blocks must not give some back later. */
    if (fsync(fd) < 0)
        perror("small_disk: fsync");
    end = lseek(fd, 0, SEEK_END);
    if (ftruncate(fd, end > (off_t)spare ? end - (off_t)spare : 0) < 0)
        perror("small_disk: ftruncate");
    (void)fsync(fd);
    (void)close(fd);
}

void small_disk_await(const char *directory, uint64_t size)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct statvfs status;

    for (int i = 0; i < AWAIT_STEPS_MAX; i++) {
        if (statvfs(directory, &status) == 0 && status.f_bavail * status.f_frsize >= size)
            return;
        (void)nanosleep(&pause, NULL);
    }
    (void)fprintf(stderr, "small_disk: %llu bytes awaited in vain\n", (unsigned long long)size);
}

void small_disk_free(const char *directory)
{
    char path[1024];
    struct stat filler = {0}; /* when it cannot be looked at there is nothing to await */
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert(fd >= 0);
    filler_path(directory, path, sizeof(path));
    if (stat(path, &filler) < 0 || unlink(path) < 0)
        perror("small_disk: filler");
    /* ext4 hands out freed blocks when its journal has committed. */
    if (syncfs(fd) < 0)
        perror("small_disk: syncfs");
    (void)close(fd);
    small_disk_await(directory, (uint64_t)filler.st_blocks * 512 / 2); /* ext4 reserves a part */
}
