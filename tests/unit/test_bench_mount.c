/*
 * Goal: a mount that the bench tool started is ended also when Ctrl-C comes before it is mounted.
 * Method: a program that never mounts stands in for tensorfs, with a signal that waits already.
 */
#include "tools/bench/target/mount.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void write_program(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs("#!/bin/sh\nexec sleep 1000\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

/* Unmounting it would succeed, for it is not mounted, and its end be waited for for minutes. */
static void a_daemon_that_has_not_mounted_yet_is_ended_by_an_interrupt(void **state)
{
    char scratch[] = "/tmp/test_bench_mount.XXXXXX";
    char program[64];
    char command[96];
    struct mount *mount;

    (void)state;
    assert_non_null(mkdtemp(scratch));
    (void)snprintf(program, sizeof(program), "%s/tensorfs", scratch);
    write_program(program);
    assert_int_equal(mount_new(scratch, program, NULL, &mount), 0);
    assert_int_equal(raise(SIGINT), 0);
    (void)alarm(60); /* the end of this test, should the daemon not end */
    assert_int_equal(mount_start(mount), -EINTR);
    (void)alarm(0);
    mount_free(mount);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", scratch);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_daemon_that_has_not_mounted_yet_is_ended_by_an_interrupt),
    };

    console_init(true);
    interrupt_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
