/*
 * Goal: programs are started, heard and waited for as their header says; directories are measured
 * and emptied without leaving them; values of /proc are found. Method: small shell scripts and
 * trees in a directory of the test's own.
 */
#include "bench_fixture.h"
#include "said.h"
#include "tools/bench/system/directory.h"
#include "tools/bench/system/process.h"
#include "tools/bench/system/procfs.h"
#include "tools/common/console.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What a script of the shell prints and ends with, as process_capture has it. */
static int capture(const char *script, const char *directory, char *text, size_t size)
{
    char program[] = "/bin/sh";
    char flag[] = "-c";
    char words[256];
    char *argv[] = {program, flag, words, NULL};

    (void)snprintf(words, sizeof(words), "%s", script);
    return process_capture(argv, directory, text, size);
}

static void output_and_exit_status_are_those_of_the_program(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(capture("echo out; echo err >&2", NULL, text, sizeof(text)), 0);
    assert_string_equal(text, "out\n");
    assert_int_equal(capture("exit 7", NULL, text, sizeof(text)), 7);
    assert_string_equal(text, "");
    assert_int_equal(capture("kill -9 $$", NULL, text, sizeof(text)), 128);
}

/* Ten thousand lines of ten digits, which come in pieces: a pipe holds less. */
static const char many_lines[] =
    "i=0; while [ $i -lt 10000 ]; do echo 0123456789; i=$((i+1)); done";

static void output_in_pieces_is_kept_whole(void **state)
{
    enum { SIZE = 10000 * 11 + 1 };
    char *text = malloc(SIZE + 1);

    (void)state;
    assert_non_null(text);
    assert_int_equal(capture(many_lines, NULL, text, SIZE + 1), 0);
    assert_int_equal(strlen(text), SIZE - 1);
    for (size_t at = 0; at < SIZE - 1; at += 11)
        assert_memory_equal(text + at, "0123456789\n", 11);
    free(text);
}

static void output_that_does_not_fit_is_cut_and_the_program_goes_on(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(capture(many_lines, NULL, text, sizeof(text)), 0);
    assert_string_equal(text, "0123456");
}

static void a_program_runs_in_the_directory_that_is_named(void **state)
{
    char text[PATH_MAX];

    (void)state;
    assert_int_equal(capture("pwd", bench_dir, text, sizeof(text)), 0);
    text[strcspn(text, "\n")] = '\0';
    assert_string_equal(text, bench_dir);
}

static void a_program_that_is_not_there_is_127(void **state)
{
    char name[] = "no-program-of-this-name";
    char *argv[] = {name, NULL};
    char text[8] = "";

    (void)state;
    assert_int_equal(process_capture(argv, NULL, text, sizeof(text)), 127);
}

static void a_started_program_writes_both_outputs_to_its_log(void **state)
{
    char program[PATH_MAX + 256];
    char *argv[] = {program, NULL};
    char *log;
    pid_t child;
    int status;

    (void)state;
    bench_write_program("program", "echo out; echo err >&2; exit 5");
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    bench_write("log", "before\n");
    assert_int_equal(process_start(argv, bench_path("log"), &child), 0);
    assert_int_equal(process_wait(child, 60, false, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    log = bench_read("log");
    assert_string_equal(log, "before\nout\nerr\n");
    free(log);
}

static void a_started_program_is_deaf_to_signals_for_the_terminals_group(void **state)
{
    char program[PATH_MAX + 256];
    char *argv[] = {program, NULL};
    pid_t child;
    int status;

    (void)state;
    bench_write_program("program", "exec sleep 1000");
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    assert_int_equal(process_start(argv, bench_path("log"), &child), 0);
    /* It leads a session as soon as it has made one. */
    for (int i = 0; i < 60000 && getsid(child) != child; i++)
        assert_int_equal(process_wait(child, 0.001, false, &status), -ETIMEDOUT);
    assert_int_equal(getsid(child), child);
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(process_wait(child, 60, false, &status), 0);
    assert_true(WIFSIGNALED(status));
}

static void waiting_ends_with_its_time(void **state)
{
    char program[PATH_MAX + 256];
    char *argv[] = {program, NULL};
    pid_t child;
    int status;

    (void)state;
    bench_write_program("program", "exec sleep 1000");
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    assert_int_equal(process_start(argv, bench_path("log"), &child), 0);
    assert_int_equal(process_wait(child, 0, false, &status), -ETIMEDOUT);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(process_wait(child, 60, false, &status), 0);
    assert_int_equal(process_wait(child, 0, false, &status), -ECHILD);
}

static void a_log_that_cannot_be_opened_starts_nothing(void **state)
{
    char program[] = "/bin/true";
    char *argv[] = {program, NULL};
    struct said said;
    pid_t child = -1;
    int err;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    err = process_start(argv, bench_path("none/log"), &child);
    said_end(&said);
    assert_int_equal(err, -ENOENT);
    assert_int_equal(child, -1);
    said_assert(&said, "/none/log'");
}

static void programs_are_found_by_path_or_by_name(void **state)
{
    char found[PATH_MAX + 256];

    (void)state;
    assert_int_equal(mkdir(bench_path("bin"), 0700), 0);
    bench_write_program("bin/tool", "exit 0");
    assert_int_equal(setenv("PATH", bench_path("bin"), 1), 0);
    assert_int_equal(process_find(NULL, "tool", "../none", found, sizeof(found)), 0);
    assert_string_equal(found, bench_path("bin/tool"));
    assert_int_equal(process_find("/bin/sh", "tool", "../none", found, sizeof(found)), 0);
    assert_string_equal(found, "/bin/sh");
}

static void what_cannot_be_run_is_not_found(void **state)
{
    char found[PATH_MAX + 256];

    (void)state;
    bench_write("tool", "not executable");
    assert_int_equal(setenv("PATH", bench_dir, 1), 0);
    assert_int_equal(process_find(NULL, "tool", "none", found, sizeof(found)), -ENOENT);
    assert_int_equal(process_find(bench_path("none"), "tool", "", found, sizeof(found)), -ENOENT);
    assert_int_equal(process_find(bench_dir, "tool", "", found, sizeof(found)), -EACCES);
    assert_int_equal(unsetenv("PATH"), 0);
    assert_int_equal(process_find(NULL, "tool", "none", found, sizeof(found)), -ENOENT);
}

static void values_of_proc_are_found_by_their_whole_key(void **state)
{
    char text[16];

    (void)state;
    bench_write("info", "MemTotalExtra: 1 kB\nMemTotal:     2048 kB\nmodel name\t: A  B\n"
                        "empty:\nlong: 0123456789012345678901234567890\n");
    assert_true(procfs_bytes(bench_path("info"), "MemTotal") == 2048 * TFS_KIB);
    assert_true(procfs_text(bench_path("info"), "model name", text, sizeof(text)));
    assert_string_equal(text, "A  B");
    assert_true(procfs_text(bench_path("info"), "empty", text, sizeof(text)));
    assert_string_equal(text, "");
    assert_true(procfs_text(bench_path("info"), "long", text, sizeof(text)));
    assert_string_equal(text, "012345678901234"); /* cut */
}

static void values_that_are_not_there_are_none(void **state)
{
    char text[16] = "as before";

    (void)state;
    bench_write("info", "MemTotal: 1 kB\n");
    assert_false(procfs_text(bench_path("info"), "Mem", text, sizeof(text)));
    assert_false(procfs_text(bench_path("none"), "MemTotal", text, sizeof(text)));
    assert_string_equal(text, "as before");
    assert_true(procfs_bytes(bench_path("info"), "None") == 0);
}

/* DIR/tree with a file of 8 KiB in it and in a folder below, and a link that leads out of it. */
static void tree_make(void)
{
    static const char *const files[] = {"tree/file", "tree/folder/file", "outside"};
    char text[8192 + 1];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(mkdir(bench_path("tree"), 0700), 0);
    assert_int_equal(mkdir(bench_path("tree/folder"), 0700), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(files); i++)
        bench_write(files[i], text);
    assert_int_equal(symlink(bench_dir, bench_path("tree/link")), 0);
}

static void removing_takes_the_tree_and_nothing_that_links_lead_to(void **state)
{
    (void)state;
    tree_make();
    assert_int_equal(directory_remove(bench_path("tree")), 0);
    assert_false(bench_exists("tree"));
    assert_true(bench_exists("outside"));
    assert_int_equal(directory_remove(bench_path("tree")), 0); /* gone already */
}

static void emptying_leaves_the_directory_itself(void **state)
{
    (void)state;
    tree_make();
    assert_int_equal(directory_empty(bench_path("tree")), 0);
    assert_int_equal(bench_entry_count(bench_path("tree")), 0);
    assert_true(bench_exists("outside"));
}

static void stored_bytes_are_those_of_the_files_below(void **state)
{
    uint64_t stored = 0;
    struct stat status;
    uint64_t expected;

    (void)state;
    tree_make();
    assert_int_equal(stat(bench_path("tree/file"), &status), 0);
    expected = 2 * (uint64_t)status.st_blocks * 512;
    assert_int_equal(directory_stored_bytes(bench_path("tree"), &stored), 0);
    assert_true(stored == expected);
    assert_int_equal(directory_drop_cached(bench_path("tree")), 0);
    assert_true(bench_exists("tree/folder/file"));
}

static void scratch_directories_are_empty_and_unlike(void **state)
{
    char one[PATH_MAX];
    char two[PATH_MAX];
    char small[16];
    struct said said;
    int none;
    int cut;

    (void)state;
    assert_int_equal(directory_make_scratch(bench_dir, one, sizeof(one)), 0);
    assert_int_equal(directory_make_scratch(bench_dir, two, sizeof(two)), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(bench_entry_count(one), 0);
    assert_int_equal(bench_entry_count(bench_dir), 2);
    said_begin(&said, STDERR_FILENO);
    none = directory_make_scratch(bench_path("none"), one, sizeof(one));
    cut = directory_make_scratch(bench_dir, small, sizeof(small));
    said_end(&said);
    assert_int_equal(none, -ENOENT);
    assert_int_equal(cut, -ENAMETOOLONG);
    said_assert(&said, "making a directory in '");
}

/* 5 % and 16 MiB beside what is asked for. */
static void space_is_demanded_with_a_reserve_and_both_figures(void **state)
{
    struct statvfs status;
    struct said said;
    uint64_t available;
    int err;

    (void)state;
    assert_int_equal(statvfs(bench_dir, &status), 0);
    available = (uint64_t)status.f_bavail * status.f_frsize;
    assert_int_equal(directory_demand_space(bench_dir, 0), 0);
    said_begin(&said, STDERR_FILENO);
    err = directory_demand_space(bench_dir, available);
    said_end(&said);
    assert_int_equal(err, -ENOSPC);
    said_assert(&said, " free, this needs ");
    said_begin(&said, STDERR_FILENO);
    err = directory_demand_space(bench_path("none"), 0);
    said_end(&said);
    assert_int_equal(err, -ENOENT);
}

static int start(void **state)
{
    (void)state;
    console_init(false);
    return 0;
}

int main(void)
{
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_exit_status_are_those_of_the_program),
        cmocka_unit_test(output_in_pieces_is_kept_whole),
        cmocka_unit_test(output_that_does_not_fit_is_cut_and_the_program_goes_on),
        IN_DIRECTORY(a_program_runs_in_the_directory_that_is_named),
        cmocka_unit_test(a_program_that_is_not_there_is_127),
        IN_DIRECTORY(a_started_program_writes_both_outputs_to_its_log),
        IN_DIRECTORY(a_started_program_is_deaf_to_signals_for_the_terminals_group),
        IN_DIRECTORY(waiting_ends_with_its_time),
        IN_DIRECTORY(a_log_that_cannot_be_opened_starts_nothing),
        IN_DIRECTORY(values_of_proc_are_found_by_their_whole_key),
        IN_DIRECTORY(values_that_are_not_there_are_none),
        IN_DIRECTORY(removing_takes_the_tree_and_nothing_that_links_lead_to),
        IN_DIRECTORY(emptying_leaves_the_directory_itself),
        IN_DIRECTORY(stored_bytes_are_those_of_the_files_below),
        IN_DIRECTORY(scratch_directories_are_empty_and_unlike),
        IN_DIRECTORY(space_is_demanded_with_a_reserve_and_both_figures),
        IN_DIRECTORY(programs_are_found_by_path_or_by_name), /* these change PATH */
        IN_DIRECTORY(what_cannot_be_run_is_not_found),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
