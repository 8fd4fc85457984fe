/*
 * Goal: messages reach the sink when their level asks for it and never run over their buffer; an
 * error passes through tfs_fail() unchanged and says where it was born.
 * Method: a sink that records, and standard error redirected into a pipe.
 */
#include "store/base/error.h"
#include "store/base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    enum tfs_log_level level;
    char message[8192];
    int count;
} heard;

static void recording_sink(enum tfs_log_level level, const char *message)
{
    heard.level = level;
    heard.count++;
    (void)snprintf(heard.message, sizeof(heard.message), "%s", message);
}

static int start_recording(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof(heard));
    tfs_log_set_sink(recording_sink);
    tfs_log_set_level(TFS_LOG_INFO);
    return 0;
}

static int stop_recording(void **state)
{
    (void)state;
    tfs_log_set_sink(NULL);
    tfs_log_set_level(TFS_LOG_INFO);
    return 0;
}

static void a_message_is_heard_with_its_level_and_values(void **state)
{
    (void)state;
    tfs_warn("file '%s' chunk %d", "a/b", 17);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, TFS_LOG_WARN);
    assert_string_equal(heard.message, "file 'a/b' chunk 17");
}

static void messages_above_the_level_are_dropped_and_those_at_it_heard(void **state)
{
    (void)state;
    tfs_debug("unheard");
    assert_int_equal(heard.count, 0);
    tfs_info("heard");
    assert_int_equal(heard.count, 1);
    tfs_log_set_level(TFS_LOG_ERROR);
    assert_int_equal(tfs_log_get_level(), TFS_LOG_ERROR);
    tfs_warn("unheard");
    tfs_info("unheard");
    assert_int_equal(heard.count, 1);
    tfs_error("heard");
    assert_int_equal(heard.count, 2);
}

static void a_message_too_long_is_cut_and_still_a_string(void **state)
{
    static char text[5000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    tfs_info("%s", text);
    assert_int_equal(heard.count, 1);
    assert_in_range(strlen(heard.message), 1000, 4999);
    assert_int_equal(strspn(heard.message, "x"), strlen(heard.message));
}

static void failing_returns_the_error_and_is_silent_above_debug(void **state)
{
    (void)state;
    assert_int_equal(tfs_fail(-EUCLEAN, "frame of %u bytes", 7u), -EUCLEAN);
    assert_int_equal(heard.count, 0);
}

static void failing_at_debug_says_where_what_and_why(void **state)
{
    (void)state;
    tfs_log_set_level(TFS_LOG_DEBUG);
    assert_int_equal(tfs_fail(-ENOSPC, "frame of %u bytes", 7u), -ENOSPC);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, TFS_LOG_DEBUG);
    assert_non_null(strstr(heard.message, "test_log.c:"));
    assert_non_null(strstr(heard.message, "frame of 7 bytes"));
    assert_non_null(strstr(heard.message, "No space left on device"));
}

static void every_level_is_known_by_its_name_and_no_other_is(void **state)
{
    enum tfs_log_level level;

    (void)state;
    for (int i = TFS_LOG_ERROR; i <= TFS_LOG_DEBUG; i++) {
        assert_int_equal(tfs_log_level_parse(tfs_log_level_name((enum tfs_log_level)i), &level), 0);
        assert_int_equal(level, i);
    }
    level = TFS_LOG_WARN;
    assert_int_equal(tfs_log_level_parse("warning", &level), -EINVAL);
    assert_int_equal(tfs_log_level_parse("", &level), -EINVAL);
    assert_int_equal(level, TFS_LOG_WARN); /* untouched on failure */
    assert_string_equal(tfs_log_level_name((enum tfs_log_level)99), "unknown");
}

static void without_a_sink_one_line_goes_to_standard_error(void **state)
{
    char line[128] = {0};
    int saved = dup(STDERR_FILENO);
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(saved >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    tfs_log_set_sink(NULL);
    tfs_error("store '%s' is gone", "x");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved); /* a copy */
    (void)close(ends[1]);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    (void)close(ends[0]);
    assert_string_equal(line, "tensorfs: error: store 'x' is gone\n");
}

static void an_error_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(tfs_error_text(-ENOENT), "No such file or directory");
    assert_non_null(strstr(tfs_error_text(-99999), "99999"));
}

#define RECORDED(test) cmocka_unit_test_setup_teardown(test, start_recording, stop_recording)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDED(a_message_is_heard_with_its_level_and_values),
        RECORDED(messages_above_the_level_are_dropped_and_those_at_it_heard),
        RECORDED(a_message_too_long_is_cut_and_still_a_string),
        RECORDED(failing_returns_the_error_and_is_silent_above_debug),
        RECORDED(failing_at_debug_says_where_what_and_why),
        RECORDED(every_level_is_known_by_its_name_and_no_other_is),
        RECORDED(without_a_sink_one_line_goes_to_standard_error),
        RECORDED(an_error_has_its_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
