/*
 * Goal: thresholds are looked up where they say, places in JSON files are found, and the loads of
 * the cache test are what they are called. Method: small documents; large samples of requests
 * against shares that can be computed.
 */
#include "bench_fixture.h"
#include "tools/bench/json/json_place.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/report/check.h"
#include "tools/bench/report/results.h"
#include "tools/bench/workload/request_lru.h"
#include "tools/bench/workload/request_order.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char results_text[] = "{\n"
                                   " \"runs\": 3, \"ok\": true,\n"
                                   " \"tests\": [\n"
                                   "  {\"name\": \"a\", \"save\": {\"mean\": 2.5}},\n"
                                   "  {\"name\": \"/mnt/x.y\", \"save\": {\"mean\": 7}}\n"
                                   " ]\n"
                                   "}\n";

static void paths_name_members_elements_and_names(void **state)
{
    cJSON *root = cJSON_Parse(results_text);

    (void)state;
    assert_true(cJSON_GetNumberValue(json_place_resolve(root, "runs")) == 3);
    assert_true(cJSON_GetNumberValue(json_place_resolve(root, "tests[a].save.mean")) == 2.5);
    assert_true(cJSON_GetNumberValue(json_place_resolve(root, "tests[/mnt/x.y].save.mean")) == 7);
    assert_true(cJSON_GetNumberValue(json_place_resolve(root, "tests[1].save.mean")) == 7);
    assert_null(json_place_resolve(root, "tests[2].save.mean"));
    assert_null(json_place_resolve(root, "tests[b]"));
    assert_null(json_place_resolve(root, "runs.x"));
    assert_null(json_place_resolve(root, "tests["));
    assert_null(json_place_resolve(root, ".."));
    cJSON_Delete(root);
}

static void values_are_found_again_in_the_text(void **state)
{
    cJSON *root = cJSON_Parse(results_text);
    struct json_document document = {"x.json", results_text, root};
    struct json_place place;

    (void)state;
    json_place_find(&document, json_place_resolve(root, "tests[1].save"), &place);
    assert_int_equal(place.line, 5);
    assert_string_equal(place.path, "tests[1].save");
    json_place_find(&document, json_place_resolve(root, "ok"), &place);
    assert_int_equal(place.line, 2);
    json_place_find(&document, root, &place);
    assert_int_equal(place.line, 1);
    assert_string_equal(place.path, "");
    cJSON_Delete(root);
}

static void strings_with_brackets_and_quotes_do_not_mislead(void **state)
{
    static const char text[] = "{\"a\": \"}],\\\"{[:\",\n\"b\": [\"x\", -1.5e3, null,\n {}]}";
    cJSON *root = cJSON_Parse(text);
    struct json_document document = {"x.json", text, root};
    struct json_place place;

    (void)state;
    json_place_find(&document, json_place_resolve(root, "b"), &place);
    assert_int_equal(place.line, 2);
    json_place_find(&document, json_place_resolve(root, "b[3]"), &place);
    assert_int_equal(place.line, 3);
    assert_string_equal(place.path, "b[3]");
    cJSON_Delete(root);
}

static int check_text(const char *text)
{
    char path[] = "/tmp/test_bench_results.XXXXXX";
    cJSON *results = cJSON_Parse(results_text);
    FILE *out = fopen("/dev/null", "w");
    int fd = mkstemp(path);
    int err;

    assert_true(fd >= 0 && out && results);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    err = check_file(path, results, out);
    (void)close(fd);
    (void)unlink(path);
    (void)fclose(out);
    cJSON_Delete(results);
    return err;
}

static void thresholds_that_are_met_pass(void **state)
{
    (void)state;
    assert_int_equal(check_text("{\"checks\": [{\"metric\": \"tests[a].save.mean\", \"min\": 2.5,"
                                "\"max\": 2.5}, {\"metric\": \"ok\", \"min\": 1}]}"),
                     0);
}

static void thresholds_that_are_missed_fail(void **state)
{
    (void)state;
    assert_int_equal(check_text("{\"checks\": [{\"metric\": \"runs\", \"min\": 3.1}]}"), -ERANGE);
    assert_int_equal(check_text("{\"checks\": [{\"metric\": \"runs\", \"max\": 2.9}]}"), -ERANGE);
}

static void what_was_not_measured_fails(void **state)
{
    (void)state;
    assert_int_equal(check_text("{\"checks\": [{\"metric\": \"nothing\", \"max\": 1}]}"), -ERANGE);
    assert_int_equal(check_text("{\"checks\": [{\"metric\": \"tests\", \"max\": 1}]}"), -ERANGE);
}

static void wrong_files_of_thresholds_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"checks\": []}",
        "{\"checks\": [{\"metric\": \"runs\"}]}",
        "{\"checks\": [{\"min\": 1}]}",
        "{\"checks\": [{\"metric\": \"runs\", \"mni\": 1}]}",
        "{\"checks\": [{\"metric\": \"runs\", \"min\": \"1\"}]}",
        "{\"checks\": [3]}",
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++)
        assert_int_equal(check_text(texts[i]), -EINVAL);
}

/* In the order of a command: what is wrong is known before anything was measured. */
static void thresholds_can_be_tried_without_results(void **state)
{
    char path[] = "/tmp/test_bench_results.XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "{\"checks\": [{\"metric\": \"not yet measured\", \"min\": 1}]}";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(check_file_try(path), -EINVAL);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(check_file_try(path), 0);
    (void)close(fd);
    (void)unlink(path);
    assert_int_equal(check_file_try(path), -EINVAL);
    assert_int_equal(check_file_try("/tmp"), -EINVAL);
}

/* 1, 2 and 6: mean 3, median 2, deviation sqrt((4 + 1 + 9) / 2) = 2.6457513. */
static void a_summary_keeps_the_runs_in_their_order_and_names_its_figures(void **state)
{
    static const double values[] = {6, 1, 2};
    cJSON *object = cJSON_CreateObject();
    struct stats_summary summary = results_add_summary(object, "save", values, 3);
    const cJSON *entry = json_member(object, "save");

    (void)state;
    assert_int_equal(summary.count, 3);
    assert_int_equal(cJSON_GetArraySize(json_member(entry, "runs")), 3);
    assert_true(cJSON_GetNumberValue(cJSON_GetArrayItem(json_member(entry, "runs"), 0)) == 6);
    assert_true(json_number(entry, "min") == 1);
    assert_true(json_number(entry, "median") == 2);
    assert_true(json_number(entry, "mean") == 3);
    assert_true(json_number(entry, "max") == 6);
    assert_true(fabs(json_number(entry, "stddev") - 2.6457513) < 1e-6);
    cJSON_Delete(object);
}

static void latencies_of_none_are_left_out(void **state)
{
    cJSON *object = cJSON_CreateObject();
    double us[] = {30, 10, 20};

    (void)state;
    assert_int_equal(results_add_latencies(object, NULL, 0).count, 0);
    assert_int_equal(cJSON_GetArraySize(object), 0);
    assert_true(results_add_latencies(object, us, 3).max == 30);
    assert_true(json_number(object, "mean_us") == 20);
    assert_true(json_number(object, "p50_us") == 20);
    assert_true(fabs(json_number(object, "p99_us") - 29.8) < 1e-9); /* rank 1.98 of 0, 1, 2 */
    cJSON_Delete(object);
}

static void a_single_run_has_no_deviation_in_tables(void **state)
{
    cJSON *one = cJSON_Parse("{\"runs\": [1], \"stddev\": 0}");
    cJSON *two = cJSON_Parse("{\"runs\": [1, 2], \"stddev\": 0.70711}");

    (void)state;
    assert_string_equal(results_deviation(one).text, "-");
    assert_string_equal(results_deviation(two).text, "0.707");
    assert_string_equal(results_deviation(NULL).text, "-");
    cJSON_Delete(one);
    cJSON_Delete(two);
}

static void improvements_have_a_sign_and_brackets_where_they_may_be_chance(void **state)
{
    cJSON *test = cJSON_Parse("{\"save_improvement_percent\": 12.4, \"save_may_be_chance\": false,"
                              " \"load_improvement_percent\": -3, \"load_may_be_chance\": true}");

    (void)state;
    assert_string_equal(results_improvement(test, "save").text, "+12");
    assert_string_equal(results_improvement(test, "load").text, "(-3)");
    cJSON_Delete(test);
}

static void the_table_of_thresholds_says_what_was_measured_and_asked(void **state)
{
    cJSON *results = cJSON_Parse(results_text);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    bench_write("checks.json",
                "{\"checks\": [{\"metric\": \"runs\", \"min\": 3, \"description\": \"why\"},"
                "{\"metric\": \"tests[a].save.mean\", \"min\": 1, \"max\": 2},"
                "{\"metric\": \"tests[b].save.mean\", \"max\": 2}]}");
    assert_int_equal(check_file(bench_path("checks.json"), results, out), -ERANGE);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "\n"
                              "check                   measured  min  max        \n"
                              "--------------------------------------------------\n"
                              "runs                           3    3    -      ok\n"
                              "tests[a].save.mean           2.5    1    2  MISSED\n"
                              "tests[b].save.mean  not measured    -    2  MISSED\n");
    free(text);
    cJSON_Delete(results);
}

enum { BLOCKS = 1000, REQUESTS = 200000 };

/* The share of requests that go to the `top` most requested blocks. */
static double share_of_top(enum request_load load, int top)
{
    static uint64_t counts[BLOCKS];
    struct request_popularity popularity;
    struct request_order order;
    uint64_t sum = 0;

    memset(counts, 0, sizeof(counts));
    assert_int_equal(request_popularity_init(&popularity, BLOCKS, 5), 0);
    request_order_init(&order, &popularity, load, 6);
    for (int i = 0; i < REQUESTS; i++) {
        uint64_t block = request_order_next(&order);

        assert_true(block < BLOCKS);
        counts[block]++;
    }
    for (int rank = 0; rank < top; rank++)
        sum += counts[popularity.blocks[rank]];
    request_popularity_release(&popularity);
    return (double)sum / REQUESTS;
}

static void uniform_requests_have_no_favourites(void **state)
{
    (void)state;
    assert_true(fabs(share_of_top(REQUEST_UNIFORM, 200) - 0.2) < 0.01);
}

static void zipf_requests_follow_the_law(void **state)
{
    double top = 0;
    double all = 0;

    (void)state;
    for (int rank = 1; rank <= BLOCKS; rank++) {
        all += pow(rank, -0.99);
        top += rank <= 200 ? pow(rank, -0.99) : 0;
    }
    assert_true(fabs(share_of_top(REQUEST_ZIPF, 200) - top / all) < 0.01);
}

/* Half of the requests scan, and a scan has no favourites. */
static void scans_take_half_of_the_requests(void **state)
{
    double zipf = share_of_top(REQUEST_ZIPF, 200);

    (void)state;
    assert_true(fabs(share_of_top(REQUEST_SCAN, 200) - (zipf + 0.2) / 2) < 0.02);
}

static void scans_go_through_blocks_in_order(void **state)
{
    struct request_popularity popularity;
    struct request_order order;
    uint64_t previous;

    (void)state;
    assert_int_equal(request_popularity_init(&popularity, BLOCKS, 5), 0);
    request_order_init(&order, &popularity, REQUEST_SCAN, 6);
    previous = request_order_next(&order);
    for (int i = 1; i < REQUEST_SCAN_BLOCKS; i++) {
        uint64_t block;

        (void)request_order_next(&order); /* every second one is Zipf's */
        block = request_order_next(&order);
        assert_int_equal(block, (previous + 1) % BLOCKS);
        previous = block;
    }
    request_popularity_release(&popularity);
}

/* Two places: 0 and 1 go in; 0 is used again, so 2 pushes 1 out, and 1 then pushes out 0. */
static void lru_forgets_what_was_not_used_for_longest(void **state)
{
    static const struct {
        uint64_t block;
        bool hit;
    } requests[] = {{0, false}, {1, false}, {0, true}, {2, false}, {0, true},
                    {1, false}, {2, false}, {1, true}, {2, true},  {0, false}};
    struct request_lru *lru;

    (void)state;
    assert_int_equal(request_lru_new(3, 2, &lru), 0);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(requests); i++)
        assert_int_equal(request_lru_get(lru, requests[i].block), requests[i].hit);
    request_lru_free(lru);
}

static int start(void **state)
{
    (void)state;
    console_init(true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_members_elements_and_names),
        cmocka_unit_test(values_are_found_again_in_the_text),
        cmocka_unit_test(strings_with_brackets_and_quotes_do_not_mislead),
        cmocka_unit_test(thresholds_that_are_met_pass),
        cmocka_unit_test(thresholds_that_are_missed_fail),
        cmocka_unit_test(what_was_not_measured_fails),
        cmocka_unit_test(wrong_files_of_thresholds_are_refused),
        cmocka_unit_test(thresholds_can_be_tried_without_results),
        cmocka_unit_test(a_summary_keeps_the_runs_in_their_order_and_names_its_figures),
        cmocka_unit_test(latencies_of_none_are_left_out),
        cmocka_unit_test(a_single_run_has_no_deviation_in_tables),
        cmocka_unit_test(improvements_have_a_sign_and_brackets_where_they_may_be_chance),
        cmocka_unit_test_setup_teardown(the_table_of_thresholds_says_what_was_measured_and_asked,
                                        bench_setup, bench_teardown),
        cmocka_unit_test(uniform_requests_have_no_favourites),
        cmocka_unit_test(zipf_requests_follow_the_law),
        cmocka_unit_test(scans_take_half_of_the_requests),
        cmocka_unit_test(scans_go_through_blocks_in_order),
        cmocka_unit_test(lru_forgets_what_was_not_used_for_longest),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
