/*
 * The window in which a program of bench/compare counts, see client.h.
 *
 * The daemon's CPU time is read by its process clock, to the nanosecond and from inside the window,
 * so that neither preparing nor checking is counted. Write-back of the page cache and loop devices
 * are kernel threads, which belong to nobody: only the machine's sum shows them.
 */
#include "bench/compare/client.h"

#include "store/base/clock.h"
#include "store/base/defs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void client_die(const char *what, const char *path)
{
    (void)fprintf(stderr, "%s '%s': %s\n", what, path, strerror(errno));
    exit(1);
}

void client_wrong(const char *what, const char *path)
{
    (void)fprintf(stderr, "%s '%s': other bytes than were written\n", what, path);
    exit(2);
}

void *client_memory(uint64_t size)
{
    void *memory = malloc(size);

    if (!memory)
        client_die("memory", "");
    memset(memory, 1, size);
    return memory;
}

uint64_t client_number(const char *text, uint64_t min)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < min) {
        (void)fprintf(stderr, "'%s' is not a number of at least %llu\n", text,
                      (unsigned long long)min);
        exit(2);
    }
    return number;
}

uint64_t client_dice(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}

static double own_cpu_s(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        client_die("getrusage", "self");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double daemon_cpu_s(pid_t daemon)
{
    struct timespec time;
    clockid_t clock;

    if (daemon == 0)
        return 0;
    errno = clock_getcpuclockid(daemon, &clock);
    if (errno != 0 || clock_gettime(clock, &time) < 0)
        client_die("CPU clock of", "the daemon");
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* proc(5): user, nice, system, idle, iowait, irq, softirq and steal, in ticks. 0: cannot be known.
 */
static double machine_cpu_s(void)
{
    static const bool is_busy[] = {true, true, true, false, false, true, true};
    unsigned long long ticks = 0;
    char line[512];
    char *at = line + strlen("cpu");
    FILE *file = fopen("/proc/stat", "re");

    if (!file)
        return 0;
    if (!fgets(line, sizeof(line), file) || strncmp(line, "cpu", strlen("cpu")) != 0)
        line[strlen("cpu")] = '\0'; /* no numbers */
    (void)fclose(file);             /* read-only, nothing to lose */
    for (size_t i = 0; i < TFS_ARRAY_COUNT(is_busy); i++) {
        unsigned long long value = strtoull(at, &at, 10);

        ticks += is_busy[i] ? value : 0;
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void client_window_begin(struct client_window *window, pid_t daemon)
{
    *window = (struct client_window){.daemon = daemon};
    window->start_machine_s = machine_cpu_s();
    window->start_daemon_s = daemon_cpu_s(daemon);
    window->start_client_s = own_cpu_s();
    window->start_ns = tfs_clock_ns();
}

void client_window_end(struct client_window *window)
{
    window->seconds_ns = tfs_clock_ns() - window->start_ns;
    window->client_s = own_cpu_s() - window->start_client_s;
    window->daemon_s = daemon_cpu_s(window->daemon) - window->start_daemon_s;
    window->machine_s = machine_cpu_s() - window->start_machine_s;
}

void client_window_print(const struct client_window *window, uint64_t bytes, uint64_t operations)
{
    (void)printf("\"seconds\": %.9f, \"bytes\": %llu, \"operations\": %llu, "
                 "\"cpu_client_s\": %.6f, \"cpu_daemon_s\": %.6f, \"cpu_machine_s\": %.2f",
                 (double)window->seconds_ns / 1e9, (unsigned long long)bytes,
                 (unsigned long long)operations, window->client_s, window->daemon_s,
                 window->machine_s);
}
