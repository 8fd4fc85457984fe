/*
 * Goal: every measuring command goes the same course and ends with the exit status that the man
 * page says. Method: a command whose steps note that they ran and fail where a test wants it; its
 * JSON, complaints and thresholds are read as a user would.
 */
#include "bench_fixture.h"
#include "said.h"
#include "tools/bench/command/measurement.h"
#include "tools/bench/json/json_value.h"
#include "tools/common/console.h"
#include "tools/common/interrupt.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 8 };

/* What a test wants of the command, and what became of it. */
struct state {
    struct common_settings settings;
    int open_error;
    int measure_error;
    char steps[64];
};

static int step_open(void *argument)
{
    struct state *state = argument;

    (void)strcat(state->steps, "open ");
    return state->open_error;
}

static int step_measure(void *argument)
{
    struct state *state = argument;

    (void)strcat(state->steps, "measure ");
    return state->measure_error;
}

static void step_add_results(void *argument, cJSON *results)
{
    struct state *state = argument;

    (void)strcat(state->steps, "results ");
    (void)cJSON_AddNumberToObject(results, "figure", 4);
}

static int step_print(const void *argument, const cJSON *results)
{
    (void)argument;
    return printf("figure %.0f\n", json_number(results, "figure")) < 0 ? -EIO : 0;
}

static void step_close(void *argument)
{
    struct state *state = argument;

    (void)strcat(state->steps, "close");
}

static const struct options_command command = {
    .name = "try", .summary = "A command of this test", .usage = "", .details = ""};

static const struct measurement measurement = {
    .command = &command,
    .open = step_open,
    .measure = step_measure,
    .add_results = step_add_results,
    .print = step_print,
    .close = step_close,
};

struct outcome {
    int status;
    struct said out;
    struct said err;
};

/* Run `tensorfs-bench try WORD...`, up to NULL, measuring in the test's directory. */
static struct outcome *run_in(const char *directory, struct state *state, const char *const *words)
{
    static struct outcome outcome;
    char *argv[WORDS_MAX + 3] = {strdup("try"), NULL};
    int argc = 1;

    if (directory) {
        char dir[PATH_MAX + 8];

        (void)snprintf(dir, sizeof(dir), "--dir=%s", directory);
        argv[argc++] = strdup(dir);
    }
    for (; *words; words++)
        argv[argc++] = strdup(*words);
    said_begin(&outcome.out, STDOUT_FILENO);
    said_begin(&outcome.err, STDERR_FILENO);
    outcome.status = measurement_main(&measurement, &state->settings, state, argc, argv);
    said_end(&outcome.err);
    said_end(&outcome.out);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return &outcome;
}

#define RUN(state, ...) run_in(bench_dir, state, (const char *const[]){__VA_ARGS__, NULL})

static void all_steps_run_and_people_get_a_table(void **unused)
{
    struct state state = {.steps = ""};
    struct outcome *outcome = RUN(&state, "-q");

    (void)unused;
    assert_int_equal(outcome->status, 0);
    assert_string_equal(state.steps, "open measure results close");
    assert_string_equal(outcome->out.text, "figure 4\n");
    assert_string_equal(outcome->err.text, "");
}

static void json_is_all_that_is_printed_and_has_a_head(void **unused)
{
    struct state state = {.steps = ""};
    struct outcome *outcome = RUN(&state, "--json", "--seed=7", "-q");
    cJSON *results = cJSON_Parse(outcome->out.text);

    (void)unused;
    assert_int_equal(outcome->status, 0);
    assert_non_null(results);
    assert_string_equal(json_text(results, "tool"), "tensorfs-bench");
    assert_string_equal(json_text(results, "version"), TENSORFS_VERSION);
    assert_string_equal(json_text(results, "command"), "try");
    assert_true(json_number(results, "seed") == 7);
    assert_true(json_number(results, "figure") == 4);
    assert_null(json_member(results, "mount_options"));
    assert_string_equal(
        json_text(json_member(json_member(results, "environment"), "directory"), "path"),
        bench_dir);
    cJSON_Delete(results);
}

static void help_opens_nothing(void **unused)
{
    struct state state = {.steps = ""};
    struct outcome *outcome = RUN(&state, "--help");

    (void)unused;
    assert_int_equal(outcome->status, 0);
    assert_string_equal(state.steps, "");
    said_assert(&outcome->out, "Usage: tensorfs-bench try");
    said_assert(&outcome->out, "--store-dir=DIR");
    said_assert(&outcome->out, "--check=FILE");
}

static void a_failure_is_status_1_and_what_was_opened_is_closed(void **unused)
{
    struct state at_open = {.open_error = -ENOSPC, .steps = ""};
    struct state at_measure = {.measure_error = -EBADMSG, .steps = ""};

    (void)unused;
    assert_int_equal(RUN(&at_open, "-q")->status, 1);
    assert_string_equal(at_open.steps, "open close");
    assert_int_equal(RUN(&at_measure, "--json")->status, 1);
    assert_string_equal(at_measure.steps, "open measure close");
}

static void nothing_is_printed_of_a_measurement_that_failed(void **unused)
{
    struct state state = {.measure_error = -EIO, .steps = ""};

    (void)unused;
    assert_string_equal(RUN(&state, "--json", "-q")->out.text, "");
}

static void settings_that_do_not_fit_together_are_status_2(void **unused)
{
    struct state state = {.open_error = -EINVAL, .steps = ""};

    (void)unused;
    assert_int_equal(RUN(&state, "-q")->status, 2);
    assert_string_equal(state.steps, "open close");
}

static void wrong_command_lines_are_status_2_and_open_nothing(void **unused)
{
    static const struct {
        const char *word;
        const char *said;
    } cases[] = {
        {"--nothing", "unknown option '--nothing'; 'tensorfs-bench try --help' lists"},
        {"operand", "unexpected argument 'operand'"},
        {"--seed=-1", "--seed=-1: not a whole number"},
        {"--seed=9007199254740993", "--seed=9007199254740993: it must lie between"},
        {"--json=yes", "no value belongs to '--json=yes'"},
        {"--check", "a value is missing behind '--check'"},
        {"--check=/none", "'/none': No such file"},
        {"--dir=", "--dir: a path is missing"},
        {"--store-dir=/x", "give --dir or --store-dir, not both"},
        {"-oa=b", "-o is for the mount of --store-dir"},
    };

    (void)unused;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        struct state state = {.steps = ""};
        struct outcome *outcome = RUN(&state, cases[i].word);

        assert_int_equal(outcome->status, 2);
        assert_string_equal(state.steps, "");
        assert_string_equal(outcome->out.text, "");
        said_assert(&outcome->err, cases[i].said);
    }
}

static void a_place_must_be_named(void **unused)
{
    struct state state = {.steps = ""};
    struct outcome *outcome = run_in(NULL, &state, (const char *const[]){"--json", NULL});

    (void)unused;
    assert_int_equal(outcome->status, 2);
    assert_string_equal(state.steps, "");
    said_assert(&outcome->err, "try needs --dir=DIR (measure there) or --store-dir=DIR");
}

/* --check=FILE of a file that holds one check of the figure, which is 4. */
static struct outcome *run_checked(const char *check, const char *word)
{
    struct state state = {.steps = ""};
    char text[256];

    (void)snprintf(text, sizeof(text), "{\"checks\": [{\"metric\": \"figure\", %s}]}", check);
    bench_write("checks.json", text);
    (void)snprintf(text, sizeof(text), "--check=%s", bench_path("checks.json"));
    return RUN(&state, text, word);
}

static void thresholds_decide_between_0_and_1(void **unused)
{
    struct outcome *outcome = run_checked("\"min\": 4, \"max\": 4", "-q");

    (void)unused;
    assert_int_equal(outcome->status, 0);
    said_assert(&outcome->out, "figure 4\n\ncheck");
    outcome = run_checked("\"min\": 4.5", "-q");
    assert_int_equal(outcome->status, 1);
    said_assert(&outcome->out, "figure         4  4.5    -  MISSED");
}

static void with_json_thresholds_do_not_stand_among_the_results(void **unused)
{
    struct outcome *outcome = run_checked("\"max\": 3", "--json");
    cJSON *results = cJSON_Parse(outcome->out.text);

    (void)unused;
    assert_int_equal(outcome->status, 1);
    assert_non_null(results);
    said_assert(&outcome->err, "MISSED");
    cJSON_Delete(results);
}

/* The last test: a signal that came is never forgotten. */
static void an_interrupt_is_told_once_and_is_128_and_its_number(void **unused)
{
    struct state state = {.measure_error = -EINTR, .steps = ""};
    struct outcome *outcome;

    (void)unused;
    interrupt_install();
    assert_int_equal(raise(SIGTERM), 0);
    outcome = RUN(&state, "--json", "-q");
    assert_int_equal(outcome->status, 128 + SIGTERM);
    assert_string_equal(state.steps, "open measure close");
    assert_string_equal(outcome->out.text, "");
    assert_string_equal(outcome->err.text, "tensorfs-bench: interrupted, cleaned up\n");
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
        IN_DIRECTORY(all_steps_run_and_people_get_a_table),
        IN_DIRECTORY(json_is_all_that_is_printed_and_has_a_head),
        IN_DIRECTORY(help_opens_nothing),
        IN_DIRECTORY(a_failure_is_status_1_and_what_was_opened_is_closed),
        IN_DIRECTORY(nothing_is_printed_of_a_measurement_that_failed),
        IN_DIRECTORY(settings_that_do_not_fit_together_are_status_2),
        IN_DIRECTORY(wrong_command_lines_are_status_2_and_open_nothing),
        IN_DIRECTORY(a_place_must_be_named),
        IN_DIRECTORY(thresholds_decide_between_0_and_1),
        IN_DIRECTORY(with_json_thresholds_do_not_stand_among_the_results),
        IN_DIRECTORY(an_interrupt_is_told_once_and_is_128_and_its_number),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
