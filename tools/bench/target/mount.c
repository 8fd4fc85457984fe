/*
 * Whether something is mounted is seen from device numbers, not from a table: the mountpoint's
 * root lies on another device than the directory above it. A daemon that died leaves a mount that
 * answers ENOTCONN; it counts as mounted and is detached by mount_stop.
 */
#include "tools/bench/target/mount.h"

#include "store/base/clock.h"
#include "tools/bench/system/process.h"
#include "tools/bench/system/procfs.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const double START_SECONDS_MAX = 120;
static const double STOP_SECONDS_MAX = 900; /* a large store on a slow disk has much to flush */
static const double BUSY_SECONDS_MAX = 10;

struct mount {
    char binary[PATH_MAX];
    char store[PATH_MAX];
    char point[PATH_MAX];
    char log[PATH_MAX];
    char *options; /* "": none */
    pid_t daemon;  /* 0: not running */
};

const char *mount_point(const struct mount *mount)
{
    return mount->point;
}

const char *mount_store(const struct mount *mount)
{
    return mount->store;
}

static int mount_make_directories(struct mount *mount)
{
    const char *const paths[] = {mount->store, mount->point};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(paths); i++) {
        if (mkdir(paths[i], 0777) < 0 && errno != EEXIST)
            return console_fail(-errno, "creating '%s'", paths[i]);
    }
    return 0;
}

static void mount_free_p(struct mount **mount)
{
    mount_free(*mount);
}

int mount_find_binary(const char *binary, char *ret_path)
{
    int err = process_find(binary, "tensorfs", "../../fs/tensorfs", ret_path, PATH_MAX);

    if (err < 0)
        return console_fail(err, "the tensorfs binary '%s' (give --tensorfs=PATH)",
                            binary ? binary : "tensorfs");
    return 0;
}

int mount_new(const char *scratch, const char *binary, const char *options, struct mount **ret)
{
    tfs_cleanup(mount_free_p) struct mount *mount = calloc(1, sizeof(*mount));
    int err;

    if (!mount)
        return console_fail(-ENOMEM, "a mount");
    err = mount_find_binary(binary, mount->binary);
    if (err < 0)
        return err;
    if (snprintf(mount->store, sizeof(mount->store), "%s/store", scratch) >=
        (int)sizeof(mount->store))
        return console_fail(-ENAMETOOLONG, "'%s'", scratch);
    (void)snprintf(mount->point, sizeof(mount->point), "%s/mnt", scratch);
    (void)snprintf(mount->log, sizeof(mount->log), "%s/log", scratch);
    mount->options = strdup(options ? options : "");
    if (!mount->options)
        return console_fail(-ENOMEM, "mount options");
    err = mount_make_directories(mount);
    if (err < 0)
        return err;
    *ret = TAKE_PTR(mount);
    return 0;
}

void mount_free(struct mount *mount)
{
    if (!mount)
        return;
    if (mount->daemon) {
        int err = mount_stop(mount);

        (void)err; /* said; nothing more can be done here */
    }
    free(mount->options);
    free(mount);
}

/* The last lines of the daemon's log, for a person who wonders why the mount failed. */
static void log_show(const struct mount *mount)
{
    char text[2048];
    ssize_t size;
    off_t end;
    int fd = open(mount->log, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    end = lseek(fd, 0, SEEK_END);
    size = pread(fd, text, sizeof(text) - 1,
                 end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0);
    (void)close(fd); /* read-only, nothing to lose */
    if (size <= 0)
        return;
    text[size] = '\0';
    (void)fprintf(stderr, "%s%s", text, text[size - 1] == '\n' ? "" : "\n");
}

static bool is_mounted(const struct mount *mount)
{
    struct stat above;
    struct stat point;
    char parent[PATH_MAX + 4];

    (void)snprintf(parent, sizeof(parent), "%s/..", mount->point);
    if (stat(mount->point, &point) < 0)
        return errno == ENOTCONN; /* the daemon is gone, its mount is not */
    /* ".." of a mountpoint's root is the directory above it, on another device. */
    return stat(parent, &above) == 0 && above.st_dev != point.st_dev;
}

static int mount_wait_until_ready(struct mount *mount)
{
    uint64_t end_ns = tfs_clock_ns() + (uint64_t)(START_SECONDS_MAX * 1e9);
    int status;
    int err;

    for (;;) {
        err = process_wait(mount->daemon, 0.002, true, &status);
        if (err == -EINTR)
            return err;
        if (err == 0) {
            mount->daemon = 0;
            log_show(mount);
            return console_fail(-EIO, "'%s -o %s' ended with status %d before it was mounted",
                                mount->binary, mount->options,
                                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        if (is_mounted(mount))
            return 0;
        if (tfs_clock_ns() >= end_ns)
            return console_fail(-ETIMEDOUT, "mounting '%s'", mount->point);
    }
}

/* Wait for the daemon, and see that neither it nor its mount is left. */
static int daemon_end(struct mount *mount, int *ret_status)
{
    int err = process_wait(mount->daemon, STOP_SECONDS_MAX, false, ret_status);

    if (err < 0) {
        (void)kill(mount->daemon, SIGKILL);
        (void)waitpid(mount->daemon, ret_status, 0);
        err = console_fail(-ETIMEDOUT, "the end of tensorfs on '%s'", mount->point);
    }
    mount->daemon = 0;
    if (is_mounted(mount))
        (void)umount2(mount->point, MNT_DETACH); /* left behind by a daemon that crashed */
    return err;
}

/*
 * The end of a daemon that may not have mounted yet. It is told to end, and not unmounted: it would
 * mount after that, and be waited for as long as for a store that has much to write.
 */
static void mount_abandon(struct mount *mount)
{
    int status;
    int err;

    (void)kill(mount->daemon, SIGTERM);
    err = daemon_end(mount, &status);
    (void)err; /* said; why it is abandoned counts */
}

int mount_start(struct mount *mount)
{
    char foreground[] = "-f";
    char dash_o[] = "-o";
    char *with_options[] = {mount->binary, foreground,   dash_o, mount->options,
                            mount->store,  mount->point, NULL};
    char *without[] = {mount->binary, foreground, mount->store, mount->point, NULL};
    int err = process_start(*mount->options ? with_options : without, mount->log, &mount->daemon);

    if (err < 0)
        return err;
    err = mount_wait_until_ready(mount);
    if (err < 0 && mount->daemon)
        mount_abandon(mount);
    return err;
}

/* root unmounts by itself, others through the helper of libfuse. */
static int unmount_once(const char *point)
{
    char program[] = "fusermount3";
    char flag[] = "-u";
    char path[PATH_MAX];
    char *argv[] = {program, flag, path, NULL};
    char output[64];
    int status;

    if (geteuid() == 0)
        return umount2(point, 0) < 0 ? -errno : 0;
    (void)snprintf(path, sizeof(path), "%s", point);
    status = process_capture(argv, NULL, output, sizeof(output));
    return status == 0 ? 0 : -EBUSY;
}

static int unmount_retry(const struct mount *mount)
{
    uint64_t end_ns = tfs_clock_ns() + (uint64_t)(BUSY_SECONDS_MAX * 1e9);
    const struct timespec pause = {.tv_nsec = 20 * TFS_NS_PER_MS};
    int err = 0;

    while (is_mounted(mount)) {
        err = unmount_once(mount->point);
        if (err != -EBUSY || tfs_clock_ns() >= end_ns)
            break;
        (void)nanosleep(&pause, NULL); /* a descriptor that the kernel closes late */
    }
    return err;
}

int mount_stop(struct mount *mount)
{
    int status = 0;
    int ended;
    int err;

    if (mount->daemon == 0)
        return 0;
    err = unmount_retry(mount);
    if (err < 0) {
        (void)console_fail(err, "unmounting '%s'", mount->point);
        (void)kill(mount->daemon, SIGTERM); /* it unmounts by itself when it can */
    }
    ended = daemon_end(mount, &status);
    if (err == 0)
        err = ended;
    if (err == 0 && status != 0) {
        log_show(mount);
        err = console_fail(-EIO, "tensorfs on '%s' ended with status %d", mount->point,
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    return err;
}

/* Fields 14 and 15 of /proc/PID/stat, in ticks: proc(5). */
static bool stat_parse_cpu(const char *text, unsigned long long *ret_ticks)
{
    const char *at = strrchr(text, ')'); /* field 2, the name, may hold blanks */
    char *end;

    for (int field = 2; field < 14 && at; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return false;
    *ret_ticks = strtoull(at, &end, 10);
    *ret_ticks += strtoull(end, NULL, 10);
    return true;
}

double mount_cpu_seconds(const struct mount *mount)
{
    unsigned long long ticks = 0;
    char path[64];
    char text[1024];
    FILE *file;

    if (!mount->daemon)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)mount->daemon);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof(text), file) || !stat_parse_cpu(text, &ticks))
        ticks = 0;
    (void)fclose(file); /* read-only, nothing to lose */
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

uint64_t mount_peak_bytes(const struct mount *mount)
{
    char path[64];

    if (!mount->daemon)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)mount->daemon);
    return procfs_bytes(path, "VmHWM");
}
