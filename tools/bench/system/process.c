/*
 * fork and exec where the child needs a session and a death signal, posix_spawn where it does not.
 * Between fork and exec only calls that are safe beside other threads are made.
 */
#include "tools/bench/system/process.h"

#include "store/base/clock.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * In the child, after fork: only calls that are safe there. Signals do what they do by default
 * before any can come: our handler, which only takes a note, would swallow the one that ends it.
 */
static void child_exec(char *const argv[], int log, const sigset_t *mask)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(ours); i++)
        (void)signal(ours[i], SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setsid();
    if (dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    (void)execv(argv[0], argv);
    _exit(127);
}

int process_start(char *const argv[], const char *log, pid_t *ret)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    sigset_t all;
    sigset_t mask;
    pid_t process;
    int err;

    if (fd < 0)
        return console_fail(-errno, "log '%s'", log);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &mask);
    process = fork();
    err = -errno;
    if (process == 0)
        child_exec(argv, fd, &mask);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    (void)close(fd); /* the child has its own */
    if (process < 0)
        return console_fail(err, "starting '%s'", argv[0]);
    *ret = process;
    return 0;
}

int process_wait(pid_t process, double timeout_s, bool interruptible, int *ret_status)
{
    const struct timespec poll = {.tv_nsec = TFS_NS_PER_MS};
    uint64_t end_ns = tfs_clock_ns() + (uint64_t)(timeout_s * 1e9);

    for (;;) {
        pid_t ended = waitpid(process, ret_status, WNOHANG);

        if (ended == process)
            return 0;
        if (ended < 0 && errno != EINTR)
            return -errno;
        if (interruptible && interrupt_is_pending())
            return -EINTR;
        if (tfs_clock_ns() >= end_ns)
            return -ETIMEDOUT;
        (void)nanosleep(&poll, NULL); /* waiting with a deadline; a signal only shortens it */
    }
}

static void capture_read(int fd, char *text, size_t size)
{
    char rest[512];
    size_t used = 0;

    for (;;) {
        bool full = used + 1 >= size;
        ssize_t got = read(fd, full ? rest : text + used, full ? sizeof(rest) : size - 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!full)
            used += (size_t)got;
    }
    text[used] = '\0';
}

int process_capture(char *const argv[], const char *directory, char *text, size_t size)
{
    posix_spawn_file_actions_t actions;
    pid_t process;
    int ends[2];
    int status;
    int err;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)posix_spawn_file_actions_init(&actions);
    err = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (err == 0 && directory)
        err = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (err == 0)
        err = posix_spawnp(&process, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]); /* the child has its own */
    if (err == 0)
        capture_read(ends[0], text, size);
    (void)close(ends[0]); /* read to its end */
    if (err == ENOENT)
        return 127;
    if (err != 0)
        return -err;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool find_try(const char *folder, size_t folder_size, const char *name, char *path,
                     size_t size)
{
    int length = snprintf(path, size, "%.*s/%s", (int)folder_size, folder, name);

    return length > 0 && (size_t)length < size && access(path, X_OK) == 0;
}

int process_find(const char *explicit_path, const char *name, const char *relative, char *ret_path,
                 size_t size)
{
    char self[PATH_MAX];
    char found[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *path = getenv("PATH");

    if (explicit_path) {
        struct stat status;

        (void)snprintf(ret_path, size, "%s", explicit_path);
        if (stat(explicit_path, &status) < 0 || access(explicit_path, X_OK) < 0)
            return -errno;
        return S_ISREG(status.st_mode) ? 0 : -EACCES;
    }
    if (length > 0) {
        self[length] = '\0';
        length = strrchr(self, '/') - self;
        if (find_try(self, (size_t)length, name, found, sizeof(found)) ||
            find_try(self, (size_t)length, relative, found, sizeof(found))) {
            (void)snprintf(ret_path, size, "%s", found);
            return 0;
        }
    }
    while (path && *path != '\0') {
        size_t part = strcspn(path, ":");

        if (part > 0 && find_try(path, part, name, found, sizeof(found))) {
            (void)snprintf(ret_path, size, "%s", found);
            return 0;
        }
        path += part + (path[part] == ':');
    }
    return -ENOENT;
}
