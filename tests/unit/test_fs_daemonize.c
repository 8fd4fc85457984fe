/*
 * Goal: whatever happens in the background process, the caller learns it: the lines of a success on
 * standard output with status 0, the one line of a failure on standard error with status 1.
 * Method: each case runs in a child whose output is caught.
 */
#include "fs/daemonize.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct caught {
    int status;
    char output[4096];
    char errors[4096];
};

static void read_back(int fd, char text[4096])
{
    ssize_t size = pread(fd, text, 4095, 0);

    assert_true(size >= 0);
    text[size] = '\0';
    (void)close(fd); /* memory only */
}

/* Run `body` as a program whose main() calls daemonize_start(); returns what its caller sees. */
static void run(bool foreground, int (*body)(struct daemonize *), struct caught *ret)
{
    int output = memfd_create("output", MFD_CLOEXEC);
    int errors = memfd_create("errors", MFD_CLOEXEC);
    pid_t child;

    assert_true(output >= 0 && errors >= 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct daemonize daemonize;

        (void)dup2(output, STDOUT_FILENO);
        (void)dup2(errors, STDERR_FILENO);
        if (daemonize_start(foreground, &daemonize) == 0)
            _exit(daemonize.exit_status);
        _exit(body(&daemonize));
    }
    assert_int_equal(waitpid(child, &ret->status, 0), child);
    assert_true(WIFEXITED(ret->status));
    ret->status = WEXITSTATUS(ret->status);
    read_back(output, ret->output);
    read_back(errors, ret->errors);
}

static int report_success(struct daemonize *daemonize)
{
    daemonize_succeed(daemonize, "line one\nline two\n");
    return 7; /* of the background process: nobody sees it */
}

static int report_failure(struct daemonize *daemonize)
{
    daemonize_fail(daemonize, "store '/s' is in use");
    return 1;
}

static int die(struct daemonize *daemonize)
{
    (void)daemonize;
    (void)raise(SIGKILL);
    return 0;
}

static int leave(struct daemonize *daemonize)
{
    (void)daemonize;
    return 0;
}

static int report_at_length(struct daemonize *daemonize)
{
    char line[20000];

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    daemonize_fail(daemonize, line);
    return 1;
}

static void success_is_printed_by_the_caller(void **state)
{
    struct caught caught;

    (void)state;
    run(false, report_success, &caught);
    assert_int_equal(caught.status, 0);
    assert_string_equal(caught.output, "line one\nline two\n");
    assert_string_equal(caught.errors, "");
}

static void failure_is_one_line_and_status_1(void **state)
{
    struct caught caught;

    (void)state;
    run(false, report_failure, &caught);
    assert_int_equal(caught.status, 1);
    assert_string_equal(caught.output, "");
    assert_string_equal(caught.errors, "tensorfs: store '/s' is in use\n");
}

static void death_before_the_report_is_a_failure_too(void **state)
{
    struct caught caught;

    (void)state;
    run(false, die, &caught);
    assert_int_equal(caught.status, 1);
    assert_string_equal(caught.errors,
                        "tensorfs: the mount's process was killed by signal 9 (Killed)\n");
    run(false, leave, &caught);
    assert_int_equal(caught.status, 1);
    assert_string_equal(caught.errors,
                        "tensorfs: the mount's process ended before it was usable\n");
}

static void a_long_line_is_cut_not_lost(void **state)
{
    struct caught caught;

    (void)state;
    run(false, report_at_length, &caught);
    assert_int_equal(caught.status, 1);
    assert_int_equal(strncmp(caught.errors, "tensorfs: xxx", 13), 0);
}

static void the_foreground_prints_by_itself(void **state)
{
    struct caught caught;

    (void)state;
    run(true, report_success, &caught);
    assert_int_equal(caught.status, 7);
    assert_string_equal(caught.output, "line one\nline two\n");
    run(true, report_failure, &caught);
    assert_int_equal(caught.status, 1);
    assert_string_equal(caught.errors, "tensorfs: store '/s' is in use\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_printed_by_the_caller),
        cmocka_unit_test(failure_is_one_line_and_status_1),
        cmocka_unit_test(death_before_the_report_is_a_failure_too),
        cmocka_unit_test(a_long_line_is_cut_not_lost),
        cmocka_unit_test(the_foreground_prints_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
