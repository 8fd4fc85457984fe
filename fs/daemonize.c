#include "fs/daemonize.h"

#include "store/base/error.h"
#include "store/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The record: one byte that says what follows, and a text up to the end of the pipe. */
enum { RECORD_SUCCESS = '+', RECORD_FAILURE = '-', RECORD_SIZE_MAX = 12288 };

/* One line, whatever names and values are in it; and nothing that a terminal would obey. */
static void print_failure(const char *line)
{
    char text[RECORD_SIZE_MAX];

    (void)snprintf(text, sizeof(text), "%s", line); /* cut if too long */
    tfs_make_one_line(text);
    (void)fprintf(stderr, "tensorfs: %s\n", text);
}

void daemonize_tell(const char *format, ...)
{
    char line[RECORD_SIZE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments); /* cut if too long */
    va_end(arguments);
    print_failure(line);
}

/* ---- the parent ---- */

static size_t read_all(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(fd, text + used, size - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        used += (size_t)count;
    }
    return used;
}

/* No record: the child died. Say how. */
static int report_death(pid_t child)
{
    char line[128];
    int status = 0;

    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        (void)snprintf(line, sizeof(line), "the mount's process was killed by signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(line, sizeof(line), "the mount's process ended before it was usable");
    print_failure(line);
    return EXIT_FAILURE;
}

static int wait_for_record(int fd, pid_t child)
{
    char record[RECORD_SIZE_MAX + 1];
    size_t size = read_all(fd, record, RECORD_SIZE_MAX);

    record[size] = '\0';
    if (size == 0)
        return report_death(child);
    if (record[0] != RECORD_SUCCESS) {
        print_failure(record + 1);
        return EXIT_FAILURE;
    }
    /* It is mounted, whoever learns of it. */
    if (fputs(record + 1, stdout) == EOF || fflush(stdout) != 0)
        print_failure("mounted, but standard output cannot be written to");
    return EXIT_SUCCESS;
}

/* ---- the child ---- */

bool daemonize_is_waited_for(const struct daemonize *daemonize)
{
    struct pollfd state = {.fd = daemonize->pipe, .events = 0};

    return daemonize->pipe < 0 || poll(&state, 1, 0) <= 0 || !(state.revents & POLLERR);
}

int daemonize_start(bool foreground, struct daemonize *daemonize)
{
    int fds[2];
    pid_t child;

    daemonize->pipe = -1;
    daemonize->exit_status = EXIT_FAILURE;
    if (foreground)
        return 1;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return tfs_fail(-errno, "pipe to the background process");
    (void)fflush(NULL); /* else the child would print the same again */
    child = fork();
    if (child < 0) {
        int err = -errno;

        (void)close(fds[0]);
        (void)close(fds[1]);
        return tfs_fail(err, "fork of the background process");
    }
    if (child > 0) {
        (void)close(fds[1]);
        daemonize->exit_status = wait_for_record(fds[0], child);
        (void)close(fds[0]);
        return 0;
    }
    (void)close(fds[0]);
    (void)setsid();     /* cannot fail: a new process leads no group */
    if (chdir("/") < 0) /* keeps no other filesystem busy; all our paths are absolute */
        (void)tfs_fail(-errno, "chdir to the root"); /* it stays busy, then */
    daemonize->pipe = fds[1];
    return 1;
}

static void send_record(struct daemonize *daemonize, char kind, const char *text)
{
    char record[RECORD_SIZE_MAX];
    int length = snprintf(record, sizeof(record), "%c%s", kind, text);
    size_t size = tfs_min_u64((uint64_t)length, sizeof(record) - 1);
    size_t sent = 0;

    while (sent < size) {
        ssize_t count = write(daemonize->pipe, record + sent, size - sent);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break; /* the caller did not wait: nobody is left to be told */
        sent += (size_t)count;
    }
    (void)close(daemonize->pipe);
    daemonize->pipe = -1;
}

static void let_go_of_terminal(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        (void)dup2(fd, standard);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

void daemonize_succeed(struct daemonize *daemonize, const char *text)
{
    if (daemonize->pipe < 0) {
        (void)fputs(text, stdout);
        (void)fflush(stdout); /* a reader that went away does not stop the mount */
        return;
    }
    /* First the terminal: a caller that captures our output waits for the end of both. */
    let_go_of_terminal();
    send_record(daemonize, RECORD_SUCCESS, text);
}

void daemonize_fail(struct daemonize *daemonize, const char *line)
{
    if (daemonize->pipe < 0)
        print_failure(line);
    else
        send_record(daemonize, RECORD_FAILURE, line);
}
