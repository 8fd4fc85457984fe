/*
 * Goal: what the tools read from a command line and print is as said: one line for an error, all
 * of the results or a failure, JSON that can be parsed.
 * Method: a tool of two options; standard error and output lead into files and are read back.
 */
#include "said.h"
#include "tools/common/console.h"
#include "tools/common/options.h"
#include "tools/common/output.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    const char *dir;
    uint64_t count;
    bool quiet;
    bool help;
};

static const struct options_row common_rows[] = {
    {"quiet", 'q', OPTIONS_FLAG, offsetof(struct settings, quiet), NULL, NULL, 0, 0, ""},
    {"help", 'h', OPTIONS_FLAG, offsetof(struct settings, help), NULL, NULL, 0, 0, ""},
};

const struct options_tool options_tool = {
    .name = "tool", .rows = common_rows, .row_count = TFS_ARRAY_COUNT(common_rows)};

static const struct options_row rows[] = {
    {"dir", 'd', OPTIONS_PATH, offsetof(struct settings, dir), "DIR", NULL, 0, 0, ""},
    {"count", 'n', OPTIONS_COUNT, offsetof(struct settings, count), "N", NULL, 1, 9, ""},
};

static const struct options_command command = {.name = "do",
                                               .summary = "",
                                               .usage = "",
                                               .details = "",
                                               .rows = rows,
                                               .row_count = TFS_ARRAY_COUNT(rows)};

/* The outcome of `tool do WORD`, and what was said. */
static int parse(const char *word, struct said *said)
{
    char name[] = "do";
    char *copy = strdup(word);
    char *argv[] = {name, copy, NULL};
    struct settings settings = {.dir = NULL};
    char **operands;
    int outcome;

    said_begin(said, STDERR_FILENO);
    outcome = options_parse(&command, 2, argv, &settings, &operands);
    said_end(said);
    free(copy);
    return outcome;
}

static void an_empty_path_is_refused(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(parse("--dir=x", &said), OPTIONS_RUN);
    assert_int_equal(parse("--dir=", &said), -EINVAL);
    assert_non_null(strstr(said.text, "--dir:"));
}

static void the_word_that_is_wrong_is_named(void **state)
{
    static const struct {
        const char *word;
        const char *said;
    } cases[] = {
        {"-Zq", "unknown option '-Z'"},
        {"-qZ", "unknown option '-Z'"},
        {"--zeal", "unknown option '--zeal'"},
        {"--quiet=1", "no value belongs to '--quiet=1'"},
        {"--dir", "a value is missing behind '--dir'"},
        {"-qd", "a value is missing behind '-d'"},
        {"word", "unexpected argument 'word'"},
    };
    struct said said;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        assert_int_equal(parse(cases[i].word, &said), -EINVAL);
        if (!strstr(said.text, cases[i].said))
            fail_msg("'%s': %s", cases[i].word, said.text);
    }
}

static void a_number_that_is_too_large_is_a_number(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(parse("--count=9", &said), OPTIONS_RUN);
    assert_int_equal(parse("--count=10", &said), -EINVAL);
    assert_non_null(strstr(said.text, "between 1 and 9"));
    assert_int_equal(parse("--count=99999999999999999999", &said), -EINVAL);
    assert_non_null(strstr(said.text, "between 1 and 9"));
    assert_int_equal(parse("--count=1.5", &said), -EINVAL);
    assert_non_null(strstr(said.text, "not a whole number"));
}

static void an_error_is_one_line_whatever_a_name_holds(void **state)
{
    struct said said;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    console_complain(-ENOENT, "'%s'", "a\nb\r\033[2Jc\x7f");
    said_end(&said);
    assert_string_equal(said.text, "tool: 'a?b??[2Jc?': No such file or directory\n");
}

/* -EINVAL is what the user typed, and ends a tool with its status for wrong usage. */
static void an_argument_that_the_kernel_refuses_is_no_wrong_usage(void **state)
{
    struct said said;
    int refused;
    int typed;
    int other;

    (void)state;
    console_init(true);
    said_begin(&said, STDERR_FILENO);
    refused = console_fail(-EINVAL, "opening 'x'");
    typed = console_reject("--size=x");
    other = console_fail(-ENOSPC, "writing 'x'");
    said_end(&said);
    assert_int_equal(refused, -EIO);
    assert_int_equal(typed, -EINVAL);
    assert_int_equal(other, -ENOSPC);
    said_assert(&said, "opening 'x': Invalid argument\n");
    said_assert(&said, "--size=x\n");
}

/* An interrupt is told once, by the end of the command. */
static void an_interrupt_is_not_told_where_it_is_met(void **state)
{
    struct said said;

    (void)state;
    console_init(false);
    said_begin(&said, STDERR_FILENO);
    assert_int_equal(console_fail(-EINTR, "reading 'x'"), -EINTR);
    said_end(&said);
    assert_string_equal(said.text, "");
}

/* What a terminal of so many columns, of type `type`, is sent first. */
static void first_words(unsigned short columns, const char *type, char *text, size_t size)
{
    const struct winsize window = {.ws_row = 24, .ws_col = columns};
    int saved = dup(STDERR_FILENO);
    ssize_t got;
    int master;
    int slave;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, &window), 0);
    assert_true(dup2(slave, STDERR_FILENO) >= 0);
    assert_int_equal(setenv("TERM", type, 1), 0);
    console_init(false);
    console_begin(CONSOLE_BYTES, 1000);
    console_stage("a stage");
    console_advance(500);
    got = read(master, text, size - 1); /* waits until there is something */
    console_end();
    assert_true(got > 0);
    text[got] = '\0';
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(slave);
    (void)close(master);
    console_init(false);
}

static void a_bar_fits_into_its_terminal(void **state)
{
    static const char erase[] = "\r\033[K";
    char text[512];

    (void)state;
    for (unsigned short columns = 20; columns <= 120; columns += 20) {
        first_words(columns, "xterm", text, sizeof(text));
        assert_memory_equal(text, erase, strlen(erase));
        assert_true(strlen(text) - strlen(erase) < columns);
    }
}

static void a_terminal_that_cannot_erase_gets_lines(void **state)
{
    char text[512];

    (void)state;
    first_words(80, "dumb", text, sizeof(text));
    assert_string_equal(text, "a stage\r\n");
}

static void bytes_that_are_no_character_are_replaced_one_by_one(void **state)
{
    char *text = output_utf8("{\"\xff\xe2\x82\":\"\xc3\xa4\\n\xc3\"}");

    (void)state;
    assert_string_equal(text,
                        "{\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\":\"\xc3\xa4\\n\xef\xbf\xbd\"}");
    free(text);
}

/* The exit status of a child that prints to what `path` names, or with "" to nothing at all. */
static int status_of_printing(const char *path)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        int sink = *path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
        int file;

        (void)close(STDERR_FILENO);
        (void)close(STDOUT_FILENO);
        if (sink >= 0 && dup2(sink, STDOUT_FILENO) < 0)
            _exit(10);
        output_begin();
        file = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (file <= STDERR_FILENO)
            _exit(11); /* results or errors would be written into it */
        (void)printf("results\n");
        _exit(output_end(0, 1));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void results_that_cannot_be_printed_are_a_failure(void **state)
{
    (void)state;
    assert_int_equal(status_of_printing("/dev/null"), 0);
    assert_int_equal(status_of_printing("/dev/full"), 1);
    assert_int_equal(status_of_printing(""), 1);
}

static void a_failure_keeps_its_own_status(void **state)
{
    (void)state;
    assert_int_equal(output_end(0, 1), 0);
    assert_int_equal(output_end(130, 1), 130);
}

static int start(void **state)
{
    (void)state;
    console_init(false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_path_is_refused),
        cmocka_unit_test(the_word_that_is_wrong_is_named),
        cmocka_unit_test(a_number_that_is_too_large_is_a_number),
        cmocka_unit_test(an_error_is_one_line_whatever_a_name_holds),
        cmocka_unit_test(an_argument_that_the_kernel_refuses_is_no_wrong_usage),
        cmocka_unit_test(an_interrupt_is_not_told_where_it_is_met),
        cmocka_unit_test(a_bar_fits_into_its_terminal),
        cmocka_unit_test(a_terminal_that_cannot_erase_gets_lines),
        cmocka_unit_test(bytes_that_are_no_character_are_replaced_one_by_one),
        cmocka_unit_test(results_that_cannot_be_printed_are_a_failure),
        cmocka_unit_test(a_failure_keeps_its_own_status),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
