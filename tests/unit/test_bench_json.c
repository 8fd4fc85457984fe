/*
 * Goal: JSON is read from files that may be anything and written to files that may refuse it, and a
 * look-up of what is not there shows. Method: files of every kind in a directory of the test's own;
 * what is said about the wrong ones is compared.
 */
#include "bench_fixture.h"
#include "said.h"
#include "tools/bench/json/json_file.h"
#include "tools/bench/json/json_place.h"
#include "tools/bench/json/json_value.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES_MAX (64ull << 20)

static void members_are_found_by_name_and_group(void **state)
{
    cJSON *root = cJSON_Parse("{\"a\": {\"n\": 2.5, \"t\": \"x\"}, \"n\": 7}");

    (void)state;
    assert_true(json_number(root, "n") == 7);
    assert_true(json_number_in(root, "a", "n") == 2.5);
    assert_string_equal(json_text(json_member(root, "a"), "t"), "x");
    json_delete_p(&root);
}

static void what_is_missing_or_of_another_kind_shows(void **state)
{
    cJSON *root = cJSON_Parse("{\"t\": \"2.5\", \"n\": 7, \"list\": [1]}");

    (void)state;
    assert_true(isnan(json_number(root, "none")));
    assert_true(isnan(json_number(root, "t")));
    assert_true(isnan(json_number(NULL, "n")));
    assert_true(isnan(json_number_in(root, "none", "n")));
    assert_true(isnan(json_number_in(root, "n", "n")));
    assert_string_equal(json_text(root, "n"), "");
    assert_string_equal(json_text(root, "none"), "");
    assert_null(json_member(root, "T")); /* names are told apart by case */
    json_delete_p(&root);
    root = NULL;
    json_delete_p(&root);
}

static void what_is_written_is_read_again(void **state)
{
    cJSON *written = cJSON_Parse("{\"a\": [1, 2.25, true, null], \"b\": {\"c\": \"d\"}}");
    char *text = NULL;
    cJSON *found;

    (void)state;
    assert_int_equal(json_file_write(written, bench_path("x.json")), 0);
    assert_int_equal(json_file_read(bench_path("x.json"), &text, &found), 0);
    assert_true(cJSON_Compare(written, found, true));
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
    cJSON_Delete(found);
    cJSON_Delete(written);
}

static void a_written_file_replaces_the_one_before_it(void **state)
{
    cJSON *small = cJSON_CreateNumber(1);
    char *text;

    (void)state;
    bench_write("x.json", "something much longer than what comes");
    assert_int_equal(json_file_write(small, bench_path("x.json")), 0);
    text = bench_read("x.json");
    assert_string_equal(text, "1\n");
    free(text);
    cJSON_Delete(small);
}

/* A path is bytes, and JSON is UTF-8. */
static void bytes_that_are_no_character_are_written_as_the_replacement(void **state)
{
    cJSON *root = cJSON_CreateString("a\xff");
    char *text;

    (void)state;
    assert_int_equal(json_file_write(root, bench_path("x.json")), 0);
    text = bench_read("x.json");
    assert_string_equal(text, "\"a\xef\xbf\xbd\"\n");
    free(text);
    cJSON_Delete(root);
}

static void a_file_that_cannot_be_written_is_named(void **state)
{
    cJSON *root = cJSON_CreateNumber(1);
    struct said said;
    int no_folder;
    int full;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    no_folder = json_file_write(root, bench_path("none/x.json"));
    full = json_file_write(root, "/dev/full");
    said_end(&said);
    assert_int_equal(no_folder, -ENOENT);
    assert_int_equal(full, -ENOSPC);
    said_assert(&said, "/none/x.json': No such file");
    said_assert(&said, "'/dev/full': No space left");
    cJSON_Delete(root);
}

static void assert_refused(const char *path, const char *why)
{
    struct said said;
    char *text = NULL;
    int err;

    said_begin(&said, STDERR_FILENO);
    err = json_file_read_text(path, &text);
    said_end(&said);
    assert_int_equal(err, -EINVAL);
    assert_null(text);
    said_assert(&said, path);
    said_assert(&said, why);
}

static void what_is_no_text_file_is_refused_with_its_reason(void **state)
{
    (void)state;
    assert_refused(bench_path("none"), "No such file");
    assert_refused(bench_dir, "is a directory");
    bench_write("zero", "x");
    assert_int_equal(truncate(bench_path("zero"), 2), 0);
    assert_refused(bench_path("zero"), "it holds a byte 0");
}

/* Text behind a byte 0 was once left out without a word. */
static void a_byte_0_does_not_end_a_file(void **state)
{
    FILE *file = fopen(bench_path("x.json"), "we");
    static const char bytes[] = "{}\0{\"more\": 1}";

    (void)state;
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes) - 1, file), sizeof(bytes) - 1);
    assert_int_equal(fclose(file), 0);
    assert_refused(bench_path("x.json"), "it holds a byte 0");
}

static void files_past_the_limit_are_refused(void **state)
{
    (void)state;
    bench_write("large", "");
    assert_int_equal(truncate(bench_path("large"), FILE_BYTES_MAX + 1), 0);
    assert_refused(bench_path("large"), "is larger than 64.0 MiB");
}

static void a_text_of_any_length_is_read_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 100000};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(sizes); i++) {
        char *written = malloc(sizes[i] + 1);
        char *found;

        assert_non_null(written);
        memset(written, 'a', sizes[i]);
        written[sizes[i]] = '\0';
        bench_write("text", written);
        assert_int_equal(json_file_read_text(bench_path("text"), &found), 0);
        assert_string_equal(found, written);
        free(found);
        free(written);
    }
}

static void what_is_not_json_is_named_with_its_line(void **state)
{
    static const char *const texts[] = {"{\n\"a\": 1,\n}", "[1,\n2\n3]", "\n\n", "{}\n\n}"};
    struct said said;
    char *text;
    cJSON *root;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        int err;

        bench_write("x.json", texts[i]);
        said_begin(&said, STDERR_FILENO);
        err = json_file_read(bench_path("x.json"), &text, &root);
        said_end(&said);
        assert_int_equal(err, -EINVAL);
        said_assert(&said, "x.json:3: not JSON");
    }
}

static void a_place_deep_in_a_document_has_a_path_that_is_cut(void **state)
{
    char text[4096] = "";
    struct json_document document = {.file = "x.json", .text = text};
    const cJSON *node;
    struct json_place place;
    cJSON *root;

    (void)state;
    for (int i = 0; i < 100; i++)
        (void)strcat(text, "{\"member\":");
    (void)strcat(text, "\n1");
    for (int i = 0; i < 100; i++)
        (void)strcat(text, "}");
    root = cJSON_Parse(text);
    assert_non_null(root);
    document.root = root;
    for (node = root; node->child; node = node->child)
        continue;
    json_place_find(&document, node, &place);
    assert_int_equal(place.line, 1); /* the line of its key */
    assert_true(strlen(place.path) < sizeof(place.path));
    assert_memory_equal(place.path, "member.member.", 14);
    cJSON_Delete(root);
}

static void what_is_wrong_is_told_with_file_line_and_path(void **state)
{
    static const char text[] = "{\n\"a\": [1,\n2]}";
    cJSON *root = cJSON_Parse(text);
    struct json_document document = {"x.json", text, root};
    struct said said;
    int element;
    int whole;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    element = json_place_reject(&document, json_place_resolve(root, "a[1]"), "not %d", 2);
    whole = json_place_reject(&document, root, "no");
    said_end(&said);
    assert_int_equal(element, -EINVAL);
    assert_int_equal(whole, -EINVAL);
    said_assert(&said, "x.json:3: a[1]: not 2\n");
    said_assert(&said, "x.json:1: no\n");
    cJSON_Delete(root);
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
        cmocka_unit_test(members_are_found_by_name_and_group),
        cmocka_unit_test(what_is_missing_or_of_another_kind_shows),
        IN_DIRECTORY(what_is_written_is_read_again),
        IN_DIRECTORY(a_written_file_replaces_the_one_before_it),
        IN_DIRECTORY(bytes_that_are_no_character_are_written_as_the_replacement),
        IN_DIRECTORY(a_file_that_cannot_be_written_is_named),
        IN_DIRECTORY(what_is_no_text_file_is_refused_with_its_reason),
        IN_DIRECTORY(a_byte_0_does_not_end_a_file),
        IN_DIRECTORY(files_past_the_limit_are_refused),
        IN_DIRECTORY(a_text_of_any_length_is_read_whole),
        IN_DIRECTORY(what_is_not_json_is_named_with_its_line),
        cmocka_unit_test(what_is_wrong_is_told_with_file_line_and_path),
        cmocka_unit_test(a_place_deep_in_a_document_has_a_path_that_is_cut),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
