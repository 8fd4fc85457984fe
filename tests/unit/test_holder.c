/*
 * Goal: the note of who has a store is read whatever bytes it has, and believed only as far as the
 * lock says the same. Method: notes in a directory of our own, with and without the lock.
 */
#include "store/tables/holder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/test_holder.XXXXXX";
static int directory;

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(base))
        return -1;
    directory = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0;
}

static int tear_down(void **state)
{
    (void)state;
    holder_remove(directory);
    return close(directory) | rmdir(base);
}

static void a_note_is_parsed_as_it_is_written(void **state)
{
    char text[] = "12 1700000000 0:57 /mnt/a b\x1b\n";
    struct holder_note note;

    (void)state;
    assert_true(holder_parse(text, &note));
    assert_int_equal(note.pid, 12);
    assert_int_equal(note.start_time, 1700000000);
    assert_int_equal(note.device_major, 0);
    assert_int_equal(note.device_minor, 57);
    assert_string_equal(note.mountpoint, "/mnt/a b?");
}

static void any_other_bytes_are_no_note(void **state)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "12",
                                      "12 1 0:57",
                                      "12 1 0:57 ",
                                      "0 1 0:57 /m",
                                      "-1 1 0:57 /m",
                                      "x 1 0:57 /m",
                                      " 12 1 0:57 /m",
                                      "+12 1 0:57 /m",
                                      "12 1 0:-1 /m",
                                      "12 1 0: 57 /m",
                                      "12 1 057 /m",
                                      "12 1 0:57 mnt"};
    struct holder_note note;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(bad); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", bad[i]);
        if (holder_parse(text, &note))
            fail_msg("taken: '%s'", bad[i]);
    }
}

static void the_note_of_the_process_that_has_the_lock_is_told(void **state)
{
    char text[HOLDER_TEXT_SIZE];
    char expected[64];

    (void)state;
    assert_int_equal(flock(directory, LOCK_EX), 0);
    holder_write(directory, "/mnt/ckpt", 57);
    holder_describe(directory, true, text);
    (void)snprintf(expected, sizeof(expected), "process %d, mounted on '/mnt/ckpt' since 2",
                   (int)getpid());
    if (strncmp(text, expected, strlen(expected)) != 0)
        fail_msg("told: '%s'", text);

    holder_remove(directory);
    holder_describe(directory, false, text);
    (void)snprintf(expected, sizeof(expected), "process %d (test_holder)", (int)getpid());
    assert_string_equal(text, expected);
    assert_int_equal(flock(directory, LOCK_UN), 0);
}

static void a_long_mountpoint_is_cut_and_a_pipe_is_not_waited_for(void **state)
{
    char mountpoint[4096];
    char text[HOLDER_TEXT_SIZE];

    (void)state;
    memset(mountpoint, 'm', sizeof(mountpoint) - 1);
    mountpoint[0] = '/';
    mountpoint[sizeof(mountpoint) - 1] = '\0';
    assert_int_equal(flock(directory, LOCK_EX), 0);
    holder_write(directory, mountpoint, 57);
    holder_describe(directory, true, text);
    assert_non_null(strstr(text, "mmm' since "));
    holder_remove(directory);
    assert_int_equal(mkfifoat(directory, "holder", 0600), 0);
    holder_describe(directory, true, text);
    assert_non_null(strstr(text, "(test_holder)"));
    assert_int_equal(flock(directory, LOCK_UN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_parsed_as_it_is_written),
        cmocka_unit_test(any_other_bytes_are_no_note),
        cmocka_unit_test(the_note_of_the_process_that_has_the_lock_is_told),
        cmocka_unit_test(a_long_mountpoint_is_cut_and_a_pipe_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
