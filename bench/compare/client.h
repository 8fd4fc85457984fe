/*
 * What the programs of bench/compare share: the window in which time and CPU are counted, and the
 * line of JSON that says what was counted.
 */
#ifndef TFS_BENCH_COMPARE_CLIENT_H
#define TFS_BENCH_COMPARE_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

struct client_window {
    pid_t daemon; /* whose CPU time is counted beside ours; 0: none */
    uint64_t start_ns;
    uint64_t seconds_ns; /* this and all below: set by client_window_end() */
    double start_client_s;
    double start_daemon_s;
    double start_machine_s;
    double client_s;  /* CPU seconds of this process, all threads */
    double daemon_s;  /* of the daemon */
    double machine_s; /* of the whole machine: also write-back and other people's programs */
};

/* Prints what failed on which path, with errno, and ends the program with 1. */
__attribute__((noreturn)) void client_die(const char *what, const char *path);

/* Says that the filesystem gave back other bytes than were written, and ends it with 2. */
__attribute__((noreturn)) void client_wrong(const char *what, const char *path);

/* malloc() of memory that has been touched: first touches are slow and not what is measured. */
void *client_memory(uint64_t size);

/* A number from the command line, at least min; ends the program with 2 when it is none. */
uint64_t client_number(const char *text, uint64_t min);

/* xorshift64*: good enough for test data and orders. The state must not be 0. */
uint64_t client_dice(uint64_t *state);

void client_window_begin(struct client_window *window, pid_t daemon);
void client_window_end(struct client_window *window);

/*
 * Prints "seconds": …, "bytes": … and so on, without the braces around it, so that a caller can
 * add to it.
 */
void client_window_print(const struct client_window *window, uint64_t bytes, uint64_t operations);

#endif
