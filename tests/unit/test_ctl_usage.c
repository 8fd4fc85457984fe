/*
 * Goal: each command of tensorfsctl explains itself, and says in one line what is wrong with a
 * command line or a target that makes no sense, with the exit status that scripts look at.
 * Method: the commands, called as main() calls them.
 */
#include "tests/unit/ctl_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECK_FAILED = 8, CHECK_USAGE = 16 };

static const struct {
    const char *name;
    ctl_command_function *run;
    bool takes_store;
} commands[] = {
    {"status", ctl_status, false},   {"stats", ctl_stats, false},
    {"info", ctl_info, true},        {"du", ctl_du, true},
    {"sync", ctl_sync, false},       {"loglevel", ctl_loglevel, false},
    {"metrics", ctl_metrics, false}, {"check", ctl_check, false},
    {"scrub", ctl_scrub, false},     {"gc", ctl_gc, false},
    {"verify", ctl_verify, true},    {"debug-bundle", ctl_debug_bundle, false},
};

static int usage_of(size_t command)
{
    return commands[command].run == ctl_check ? CHECK_USAGE : CTL_USAGE;
}

static int failed_of(size_t command)
{
    return commands[command].run == ctl_check ? CHECK_FAILED : CTL_FAILED;
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* ---- command lines ---- */

static void help_tells_the_usage_the_options_and_no_error(void **state)
{
    char usage[64];

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, "--help", NULL), 0);
        (void)snprintf(usage, sizeof(usage), "tensorfsctl %s ", commands[i].name);
        assert_ctl_output_has(usage);
        assert_ctl_output_has("--json");
        assert_ctl_output_has("--help");
        assert_ctl_errors_are("");
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, "-h", "/absent", NULL), 0);
    }
}

/* Refused with the usage's status and one line that has these words. */
static void assert_refused(size_t command, const char *word, const char *said)
{
    int status = ctl_run(commands[command].run, commands[command].name, word, NULL);

    if (status != usage_of(command))
        fail_msg("%s %s: status %d", commands[command].name, word ? word : "", status);
    assert_ctl_errors_have(said);
    assert_ctl_errors_have("tensorfsctl: ");
    assert_int_equal(count_lines(ctl_errors.text), 1);
    assert_string_equal(ctl_output.text, "");
}

static void a_line_without_a_target_is_refused_with_the_usage(void **state)
{
    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++)
        assert_refused(i, NULL, "an argument is missing; the usage is: tensorfsctl ");
}

static void an_unknown_option_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_refused(i, "--nonsense", "'--nonsense'");
        assert_refused(i, "-Z", "'-Z'");
        assert_refused(i, "--json=yes", "no value belongs to '--json=yes'");
    }
}

static void one_argument_too_many_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, "/a", "warn", "surplus", NULL),
                         usage_of(i));
        assert_ctl_errors_have(commands[i].run == ctl_loglevel ? "unexpected argument 'surplus'"
                                                               : "unexpected argument 'warn'");
    }
}

static void a_store_is_named_only_where_a_path_in_it_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        if (commands[i].takes_store)
            continue;
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, "--store=/s", "/a", NULL),
                         usage_of(i));
        assert_ctl_errors_have("is about a whole store");
    }
}

static void values_out_of_their_limits_are_refused(void **state)
{
    static const struct {
        ctl_command_function *run;
        const char *name;
        const char *word;
    } cases[] = {
        {ctl_stats, "stats", "--interval=0"},
        {ctl_stats, "stats", "--interval=86401"},
        {ctl_stats, "stats", "--interval=1.5"},
        {ctl_stats, "stats", "--count=0"},
        {ctl_stats, "stats", "--count=-1"},
        {ctl_stats, "stats", "--count="},
        {ctl_scrub, "scrub", "--rate=0"},
        {ctl_scrub, "scrub", "--rate=fast"},
        {ctl_scrub, "scrub", "--rate=9999999T"},
        {ctl_info, "info", "--store="},
        {ctl_debug_bundle, "debug-bundle", "--out="},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        if (ctl_run(cases[i].run, cases[i].name, cases[i].word, "/absent", NULL) != CTL_USAGE)
            fail_msg("%s %s was taken", cases[i].name, cases[i].word);
        assert_ctl_errors_have(cases[i].name[0] == 'd' ? "--out" : "--");
        assert_int_equal(count_lines(ctl_errors.text), 1);
    }
}

static void json_and_a_bundle_do_not_share_standard_output(void **state)
{
    (void)state;
    assert_int_equal(
        ctl_run(ctl_debug_bundle, "debug-bundle", "--json", "--out=-", "/absent", NULL), CTL_USAGE);
    assert_ctl_errors_have("both want standard output");
}

/* ---- targets ---- */

static void a_target_that_is_not_there_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, "/absent/store", NULL),
                         failed_of(i));
        assert_ctl_errors_have("/absent/store'");
        assert_int_equal(count_lines(ctl_errors.text), 1);
    }
}

static void a_directory_that_is_no_store_is_told_as_such(void **state)
{
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, fixture->directory, NULL),
                         failed_of(i));
        assert_ctl_errors_have(fixture->directory);
        assert_string_equal(ctl_output.text, "");
    }
    assert_int_equal(ctl_run(ctl_status, "status", fixture->directory, NULL), CTL_FAILED);
    assert_ctl_errors_have("is neither a store nor on a mount of tensorfs");
}

/* A file called FORMAT alone makes no store, nor does one that is a pipe make anybody wait. */
static void what_only_looks_like_a_store_is_none(void **state)
{
    const struct fixture *fixture = *state;
    char format[500];
    FILE *file;

    (void)snprintf(format, sizeof(format), "%s/FORMAT", fixture->directory);
    assert_int_equal(mkfifo(format, 0600), 0);
    assert_int_equal(ctl_run(ctl_status, "status", fixture->directory, NULL), CTL_FAILED);
    assert_ctl_errors_have("is neither a store nor on a mount of tensorfs");
    assert_int_equal(unlink(format), 0);
    file = fopen(format, "w");
    assert_non_null(file);
    assert_true(fputs("some other format\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(ctl_run(ctl_status, "status", fixture->directory, NULL), CTL_FAILED);
    assert_ctl_errors_have("is neither a store nor on a mount of tensorfs");
}

static void a_link_that_leads_nowhere_is_about_the_directory_it_is_in(void **state)
{
    const struct fixture *fixture = *state;
    char link[500];

    (void)snprintf(link, sizeof(link), "%s/link", fixture->directory);
    assert_int_equal(symlink("nowhere", link), 0);
    assert_int_equal(ctl_run(ctl_status, "status", link, NULL), CTL_FAILED);
    assert_ctl_errors_have("link' is neither a store nor on a mount of tensorfs");
}

static void a_path_that_is_too_long_is_an_error_and_no_more(void **state)
{
    static char path[2 * 4096];

    (void)state;
    memset(path, '/', sizeof(path) - 1);
    memset(path + 1, 'p', sizeof(path) - 2);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(commands); i++) {
        assert_int_equal(ctl_run(commands[i].run, commands[i].name, path, NULL), failed_of(i));
        assert_true(ctl_errors.text[0] != '\0');
    }
}

/* ---- a store that nobody has mounted ---- */

static void what_needs_a_mount_says_so(void **state)
{
    static const struct {
        ctl_command_function *run;
        const char *name;
    } cases[] = {
        {ctl_stats, "stats"},
        {ctl_sync, "sync"},
        {ctl_metrics, "metrics"},
        {ctl_loglevel, "loglevel"},
    };
    const struct fixture *fixture = *state;
    char wanted[600];

    (void)snprintf(wanted, sizeof(wanted), "tensorfsctl: the store '%s' is not mounted\n",
                   fixture->path);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        assert_int_equal(ctl_run(cases[i].run, cases[i].name, fixture->path, NULL), CTL_FAILED);
        assert_ctl_errors_are(wanted);
        assert_int_equal(ctl_run(cases[i].run, cases[i].name, "--json", fixture->path, NULL),
                         CTL_FAILED);
        assert_string_equal(ctl_output.text, ""); /* an error is no JSON */
    }
    assert_int_equal(ctl_run(ctl_stats, "stats", "--watch", fixture->path, NULL), CTL_FAILED);
    assert_ctl_errors_are(wanted);
}

static void verify_wants_a_mount_and_nothing_else(void **state)
{
    const struct fixture *fixture = *state;

    assert_int_equal(ctl_run(ctl_verify, "verify", fixture->path, NULL), CTL_FAILED);
    assert_ctl_errors_have("is not on a mount of tensorfs");
    assert_int_equal(ctl_run(ctl_verify, "verify", "--store", fixture->path, "/", NULL),
                     CTL_FAILED);
    assert_ctl_errors_have("name a path on it, without --store");
}

static void a_store_is_not_taken_for_a_file(void **state)
{
    const struct fixture *fixture = *state;

    assert_int_equal(ctl_run(ctl_info, "info", fixture->path, NULL), CTL_FAILED);
    assert_ctl_errors_have("is a store; name a path in it with --store");
    assert_int_equal(ctl_run(ctl_du, "du", fixture->path, NULL), CTL_FAILED);
    assert_ctl_errors_have("is a store; name a path in it with --store");
}

static void a_file_that_is_not_in_the_store_is_named(void **state)
{
    static const struct {
        const char *path;
        const char *said;
    } cases[] = {
        {"absent", "'absent' in the store: No such file or directory"},
        {"/folder/absent", "'/folder/absent' in the store: No such file or directory"},
        {"file/below", "'file/below' in the store: Not a directory"},
        {"folder", "that is no regular file"},
        {"/", "that is no regular file"},
    };
    const struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        assert_int_equal(ctl_run(ctl_info, "info", "--store", fixture->path, cases[i].path, NULL),
                         CTL_FAILED);
        assert_ctl_errors_have(cases[i].said);
        assert_int_equal(count_lines(ctl_errors.text), 1);
    }
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, ctl_set_up_store, ctl_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_tells_the_usage_the_options_and_no_error),
        cmocka_unit_test(a_line_without_a_target_is_refused_with_the_usage),
        cmocka_unit_test(an_unknown_option_is_named),
        cmocka_unit_test(one_argument_too_many_is_named),
        cmocka_unit_test(a_store_is_named_only_where_a_path_in_it_is_asked_for),
        cmocka_unit_test(values_out_of_their_limits_are_refused),
        cmocka_unit_test(json_and_a_bundle_do_not_share_standard_output),
        cmocka_unit_test(a_target_that_is_not_there_is_named),
        STORE_TEST(a_directory_that_is_no_store_is_told_as_such),
        STORE_TEST(what_only_looks_like_a_store_is_none),
        STORE_TEST(a_link_that_leads_nowhere_is_about_the_directory_it_is_in),
        cmocka_unit_test(a_path_that_is_too_long_is_an_error_and_no_more),
        STORE_TEST(what_needs_a_mount_says_so),
        STORE_TEST(verify_wants_a_mount_and_nothing_else),
        STORE_TEST(a_store_is_not_taken_for_a_file),
        STORE_TEST(a_file_that_is_not_in_the_store_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
