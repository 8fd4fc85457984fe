/*
 * Goal: requests of the control protocol are taken when they are right and refused when not, within
 * their limits; names do not get out with the log.
 * Method: texts.
 */
#include "control/log_ring.h"
#include "control/request.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What parsing this text gives; the request is thrown away. The copy has no terminating zero. */
static int parse(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    cJSON *request = NULL;
    const char *command;
    int err;

    assert_non_null(copy);
    memcpy(copy, text, size);
    err = control_request_parse(copy, size, &request, &command);
    assert_true((err == 0) == (request != NULL));
    cJSON_Delete(request);
    free(copy);
    return err;
}

static int parse_text(const char *text)
{
    return parse(text, strlen(text));
}

static void a_request_is_an_object_with_a_command(void **state)
{
    cJSON *request;
    const char *command;
    const char *text = " {\"command\":\"debug-2\", \"other\": [1, {\"a\": \"}\"}]} \r";

    (void)state;
    assert_int_equal(control_request_parse(text, strlen(text), &request, &command), 0);
    assert_string_equal(command, "debug-2");
    cJSON_Delete(request);
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_text(""), -EBADMSG);
    assert_int_equal(parse_text("null"), -EBADMSG);
    assert_int_equal(parse_text("\"command\""), -EBADMSG);
    assert_int_equal(parse_text("[\"command\"]"), -EBADMSG);
    assert_int_equal(parse_text("{\"command\":\"a\""), -EBADMSG);
    assert_int_equal(parse_text("{\"command\":\"a\"} x"), -EBADMSG);
    assert_int_equal(parse_text("{\"command\":\"a\"}{}"), -EBADMSG);
    assert_int_equal(parse_text("{}"), -EINVAL);
    assert_int_equal(parse_text("{\"command\":\"\"}"), -EINVAL);
    assert_int_equal(parse_text("{\"command\":null}"), -EINVAL);
    assert_int_equal(parse_text("{\"Command\":\"a\"}"), -EINVAL);
    assert_int_equal(parse_text("{\"command\":\"Status\"}"), -EINVAL);
    assert_int_equal(parse_text("{\"command\":\"a b\"}"), -EINVAL);
    assert_int_equal(parse("{\"command\":\"a\"}\0", 16), -EBADMSG);
    assert_int_equal(parse("{\"comm\0nd\":\"a\"}", 15), -EBADMSG);
}

static void a_request_may_be_so_long_and_no_longer(void **state)
{
    static char text[CONTROL_REQUEST_SIZE_MAX + 1];

    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"command\":\"a\"}", 15);
    assert_int_equal(parse(text, sizeof(text) - 1), 0);
    assert_int_equal(parse(text, sizeof(text)), -EMSGSIZE);
}

static void a_request_may_be_so_deep_and_no_deeper(void **state)
{
    (void)state;
    assert_int_equal(parse_text("{\"command\":\"a\",\"x\":[[[[[[[]]]]]]]}"), 0);
    assert_int_equal(parse_text("{\"command\":\"a\",\"x\":[[[[[[[[]]]]]]]]}"), -ELOOP);
    /* Brackets in strings are text. */
    assert_int_equal(parse_text("{\"command\":\"a\",\"x\":\"[[[[[[[[[[\\\"[[[[\"}"), 0);
}

static void members_are_checked_before_they_are_used(void **state)
{
    cJSON *request = cJSON_Parse("{\"n\": 7, \"f\": 1.5, \"minus\": -1, \"huge\": 1e300, \"t\": "
                                 "\"four\", \"yes\": true, \"null\": null}");
    uint64_t number = 42;
    bool flag = true;
    const char *text = "default";

    (void)state;
    assert_non_null(request);
    assert_int_equal(control_request_number(request, "absent", 1, 9, &number), 0);
    assert_int_equal(number, 42);
    assert_int_equal(control_request_number(request, "n", 7, 7, &number), 0);
    assert_int_equal(number, 7);
    assert_int_equal(control_request_number(request, "n", 8, 9, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "n", 1, 6, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "f", 0, 9, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "minus", 0, 9, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "huge", 0, UINT64_MAX, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "t", 0, 9, &number), -EINVAL);
    assert_int_equal(control_request_number(request, "null", 0, 9, &number), -EINVAL);
    assert_int_equal(control_request_flag(request, "n", &flag), -EINVAL);
    assert_int_equal(control_request_flag(request, "absent", &flag), 0);
    assert_true(flag);
    assert_int_equal(control_request_text(request, "t", 3, &text), -EINVAL);
    assert_string_equal(text, "default");
    assert_int_equal(control_request_text(request, "t", 4, &text), 0);
    assert_string_equal(text, "four");
    assert_int_equal(control_request_text(request, "yes", 4, &text), -EINVAL);
    cJSON_Delete(request);
}

/* ---- the log ---- */

struct lines {
    char text[3][LOG_RING_TEXT_SIZE];
    unsigned count; /* of all, the last three are kept */
};

static int keep(void *context, const struct log_ring_line *line)
{
    struct lines *lines = context;

    memcpy(lines->text[lines->count++ % 3], line->text, sizeof(lines->text[0]));
    return 0;
}

static void say_nothing(enum tfs_log_level level, const char *message)
{
    (void)level;
    (void)message;
}

static void the_log_keeps_its_newest_lines_and_hides_names(void **state)
{
    struct lines lines = {.count = 0};

    (void)state;
    tfs_log_set_sink(say_nothing);
    log_ring_install();
    for (int i = 0; i < 3 * LOG_RING_LINES; i++)
        tfs_warn("line %d", i);
    tfs_warn("file 'it's/a \"name\"' chunk 7");
    tfs_warn("file '%0*d' is cut", LOG_RING_TEXT_SIZE, 7);
    tfs_warn("no name");
    assert_int_equal(log_ring_visit(false, keep, &lines), 0);
    assert_int_equal(lines.count, LOG_RING_LINES);
    assert_string_equal(lines.text[(LOG_RING_LINES - 3) % 3], "file '...' chunk 7");
    assert_string_equal(lines.text[(LOG_RING_LINES - 2) % 3], "file '...'");
    assert_string_equal(lines.text[(LOG_RING_LINES - 1) % 3], "no name");
    lines.count = 0;
    assert_int_equal(log_ring_visit(true, keep, &lines), 0);
    assert_string_equal(lines.text[(LOG_RING_LINES - 3) % 3], "file 'it's/a \"name\"' chunk 7");
    tfs_log_set_tap(NULL);
    tfs_log_set_sink(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_an_object_with_a_command),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_request_may_be_so_long_and_no_longer),
        cmocka_unit_test(a_request_may_be_so_deep_and_no_deeper),
        cmocka_unit_test(members_are_checked_before_they_are_used),
        cmocka_unit_test(the_log_keeps_its_newest_lines_and_hides_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
