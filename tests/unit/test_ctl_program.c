/*
 * Goal: the program tensorfsctl as scripts meet it: what stands before a command, exit statuses,
 * and signals in commands that take long, which end them in order and at once.
 * Method: the program is started; a store is read so slowly that it would take an hour, and a
 * signal sent when the program has said that it is at work.
 */
#include "tests/unit/ctl_fixture.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_MAX = 16 * 1024, WORDS_MAX = 8 };

struct program {
    pid_t pid;
    int output; /* what it prints comes here */
    int errors;
    char text[TEXT_MAX]; /* read so far, of both */
    size_t size;
};

static void start(struct program *program, ...)
{
    posix_spawn_file_actions_t actions;
    char *words[WORDS_MAX + 2] = {strdup("tensorfsctl")};
    int output[2];
    int errors[2];
    int count = 1;
    va_list arguments;

    va_start(arguments, program);
    for (const char *word = va_arg(arguments, const char *); word;
         word = va_arg(arguments, const char *)) {
        assert_in_range(count, 1, WORDS_MAX);
        words[count++] = strdup(word);
    }
    va_end(arguments);
    *program = (struct program){.size = 0};
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO), 0);
    assert_int_equal(
        posix_spawn(&program->pid, TFS_TEST_TENSORFSCTL, &actions, NULL, words, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(output[1]);
    (void)close(errors[1]);
    program->output = output[0];
    program->errors = errors[0];
    for (int i = 0; i < count; i++)
        free(words[i]);
}

/* Adds what comes from one of the pipes to the text. False at its end. */
static bool read_more(struct program *program, int fd)
{
    ssize_t size = read(fd, program->text + program->size, TEXT_MAX - 1 - program->size);

    assert_true(size >= 0);
    program->size += (size_t)size;
    program->text[program->size] = '\0';
    return size > 0;
}

/* Blocks until the program has said these words: it says more, or ends. */
static void wait_until_said(struct program *program, int fd, const char *words)
{
    while (!strstr(program->text, words)) {
        if (!read_more(program, fd))
            fail_msg("it ended without '%s': %s", words, program->text);
    }
}

/* Its exit status, or 1000 and the signal that killed it. */
static int finish(struct program *program)
{
    int status;

    while (read_more(program, program->errors))
        continue;
    while (read_more(program, program->output))
        continue;
    (void)close(program->errors);
    (void)close(program->output);
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void assert_says(const struct program *program, const char *words)
{
    if (!strstr(program->text, words))
        fail_msg("no '%s' in: %s", words, program->text);
}

/* ---- before a command ---- */

static void what_stands_before_a_command_is_told(void **state)
{
    static const struct {
        const char *word;
        int status;
        const char *said;
    } cases[] = {
        {"--help", 0, "Usage: tensorfsctl [--json] [--quiet] COMMAND"},
        {"-h", 0, "debug-bundle"},
        {"help", 0, "Exit status: 0 ok, 1 failed, 2 usage"},
        {"--version", 0, "tensorfsctl "},
        {"-V", 0, "tensorfsctl "},
        {"nonsense", 2, "tensorfsctl: unknown command 'nonsense'\n"},
        {"--nonsense", 2, "unknown command '--nonsense'"},
        {"Status", 2, "unknown command 'Status'"},
        {"", 2, "Usage: tensorfsctl"},
    };
    struct program program;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        start(&program, cases[i].word, NULL);
        assert_int_equal(finish(&program), cases[i].status);
        assert_says(&program, cases[i].said);
    }
    start(&program, NULL);
    assert_int_equal(finish(&program), 2);
    assert_says(&program, "Usage: tensorfsctl");
}

static void options_before_the_command_are_its_own(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    cJSON *status;

    start(&program, "--quiet", "--json", "status", fixture->path, NULL);
    assert_int_equal(finish(&program), 0);
    status = cJSON_Parse(program.text);
    assert_true(cJSON_IsObject(status));
    cJSON_Delete(status);
    start(&program, "-q", "-j", "stats", fixture->path, NULL);
    assert_int_equal(finish(&program), 1);
    assert_says(&program, "is not mounted\n"); /* errors are said all the same */
}

/* ---- results that do not arrive ---- */

static void a_full_disk_behind_standard_output_is_a_failure(void **state)
{
    const struct fixture *fixture = *state;
    char command[800];
    int status;

    (void)snprintf(command, sizeof(command), "'%s' --json status '%s' 2>/dev/null >/dev/full",
                   TFS_TEST_TENSORFSCTL, fixture->path);
    status = system(command);
    assert_int_equal(WEXITSTATUS(status), 1);
    (void)snprintf(command, sizeof(command), "'%s' check '%s' 2>/dev/null >/dev/full",
                   TFS_TEST_TENSORFSCTL, fixture->path);
    status = system(command);
    assert_int_equal(WEXITSTATUS(status), 8); /* 1 would say that something was corrected */
}

/* ---- signals ---- */

static void a_scrub_that_is_stopped_says_how_it_goes_on(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(signals); i++) {
        struct program program;

        start(&program, "scrub", "--rate=1000", "--restart", fixture->path, NULL);
        wait_until_said(&program, program.errors, "scrubbing");
        assert_int_equal(kill(program.pid, signals[i]), 0);
        assert_int_equal(finish(&program), 128 + signals[i]);
        assert_says(&program, "stopped; the next scrub goes on from here");
    }
}

static void the_next_scrub_goes_on_and_the_store_is_whole(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;

    start(&program, "scrub", "--rate=1000", fixture->path, NULL);
    wait_until_said(&program, program.errors, "scrubbing");
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    assert_int_equal(finish(&program), 128 + SIGTERM);
    start(&program, "check", fixture->path, NULL); /* its lock is free, nothing is left over */
    assert_int_equal(finish(&program), 0);
    start(&program, "scrub", fixture->path, NULL);
    assert_int_equal(finish(&program), 0);
    assert_says(&program, "0 ranges (0 B) cannot be read");
}

static void watching_a_mount_ends_with_ctrl_c_and_with_its_reader(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    char byte;

    start(&program, "--json", "stats", "--watch", fixture->path, NULL);
    assert_int_equal(read(program.output, &byte, 1), 1); /* the first line comes */
    assert_int_equal(kill(program.pid, SIGINT), 0);
    assert_int_equal(finish(&program), 0); /* that is how it ends */
    start(&program, "stats", "--watch", fixture->path, NULL);
    (void)close(program.output); /* as `| head -0` does */
    program.output = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(finish(&program), 1);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, ctl_set_up_store, ctl_tear_down)
#define MOUNT_TEST(name) cmocka_unit_test_setup_teardown(name, ctl_set_up_mount, ctl_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_before_a_command_is_told),
        STORE_TEST(options_before_the_command_are_its_own),
        STORE_TEST(a_full_disk_behind_standard_output_is_a_failure),
        STORE_TEST(a_scrub_that_is_stopped_says_how_it_goes_on),
        STORE_TEST(the_next_scrub_goes_on_and_the_store_is_whole),
        MOUNT_TEST(watching_a_mount_ends_with_ctrl_c_and_with_its_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
