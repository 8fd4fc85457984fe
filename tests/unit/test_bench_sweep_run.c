/*
 * Goal: what a sweep says of its samples: means, rates, shares and improvements on the baseline,
 * also where it ended early. Method: samples of known times are put in the place of measured ones.
 */
#include "bench_fixture.h"
#include "said.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/sweep/sweep_run.h"
#include "tools/bench/target/target_settings.h"
#include "tools/common/console.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char config_text[] =
    "{\"testing\": {\"num_runs\": 2, \"ranks\": 2, \"model\": {\"size\": \"128K\","
    " \"mix\": \"bf16\"}, \"baseline\": \"plain\"},"
    " \"test_configurations\": [{\"name\": \"fast\", \"compression\": \"none\"},"
    " {\"name\": \"plain\"}],"
    " \"parameter_scan\": {\"concurrency\": [4]}}";

static struct sweep_config *config;
static struct sweep sweep;
static struct target_settings settings;

static int setup(void **state)
{
    int err = bench_setup(state);

    settings = (struct target_settings){.store_dir = bench_dir};
    if (err == 0)
        err = sweep_config_parse("x.json", config_text, &config);
    return err == 0 ? sweep_init(&sweep, &settings, config, true) : err;
}

static int teardown(void **state)
{
    sweep_release(&sweep);
    sweep_config_free(config);
    return bench_teardown(state);
}

/* One complete run of a test: what it took to save and load, and what it stored. */
static void run_add(size_t test, double save_s, double load_s, double stored)
{
    struct sweep_samples *samples = &sweep.samples[test];

    samples->values[SWEEP_SAVE][samples->count] = save_s;
    samples->values[SWEEP_LOAD][samples->count] = load_s;
    samples->values[SWEEP_STORED][samples->count] = stored;
    samples->count++;
}

static cJSON *results_of(void)
{
    cJSON *results = cJSON_CreateObject();

    assert_non_null(results);
    sweep_add_results(&sweep, results);
    return results;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) < 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%.12g, expected %.12g", value, expected);
}

static void tests_and_scan_are_told_apart(void **state)
{
    const cJSON *test;
    cJSON *results;

    (void)state;
    assert_int_equal(sweep.test_count, 3);
    for (size_t test_index = 0; test_index < 3; test_index++) {
        run_add(test_index, 1, 1, 1000);
        run_add(test_index, 1, 1, 1000);
    }
    results = results_of();
    assert_int_equal(cJSON_GetArraySize(json_member(results, "tests")), 2);
    assert_int_equal(cJSON_GetArraySize(json_member(results, "parameter_scan")), 1);
    test = cJSON_GetArrayItem(json_member(results, "parameter_scan"), 0);
    assert_string_equal(json_text(test, "axis"), "concurrency");
    assert_string_equal(json_text(test, "value"), "4");
    assert_string_equal(json_text(test, "mount_options"), "concurrency=4");
    test = cJSON_GetArrayItem(json_member(results, "tests"), 0);
    assert_null(json_member(test, "axis"));
    assert_true(cJSON_IsTrue(json_member(results, "complete")));
    cJSON_Delete(results);
}

/* 128 KiB, saved in 1 s and 3 s: 131072 / 2 / 1e9 GB/s. The baseline took 4 s: 50 % better. */
static void figures_are_of_the_means(void **state)
{
    const cJSON *fast;
    cJSON *results;
    double bytes = (double)sweep.checkpoint->bytes;

    (void)state;
    run_add(0, 1, 0.5, bytes / 2);
    run_add(0, 3, 0.5, bytes / 2);
    run_add(1, 4, 0.25, bytes);
    run_add(1, 4, 0.25, bytes);
    results = results_of();
    fast = cJSON_GetArrayItem(json_member(results, "tests"), 0);
    assert_string_equal(json_text(fast, "name"), "fast");
    assert_near(json_number_in(fast, "save", "mean"), 2);
    assert_near(json_number_in(fast, "save", "stddev"), sqrt(2));
    assert_near(json_number(fast, "save_gb_per_s"), bytes / 2 / 1e9);
    assert_near(json_number(fast, "stored_percent"), 50);
    assert_near(json_number(fast, "save_improvement_percent"), 50);
    assert_near(json_number(fast, "load_improvement_percent"), -100); /* twice the time */
    assert_near(json_number(fast, "stored_improvement_percent"), 50);
    assert_true(cJSON_IsTrue(json_member(fast, "save_may_be_chance")));  /* 1 and 3 beside 4 */
    assert_true(cJSON_IsFalse(json_member(fast, "load_may_be_chance"))); /* no spread at all */
    cJSON_Delete(results);
}

static void the_model_and_its_bound_are_told(void **state)
{
    const cJSON *model;
    cJSON *results;

    (void)state;
    run_add(1, 1, 1, 1);
    results = results_of();
    model = json_member(results, "model");
    assert_near(json_number(model, "bytes"), 128 * 1024);
    assert_near(json_number_in(model, "mix", "bf16"), 1);
    assert_true(isnan(json_number_in(model, "mix", "fp32")));
    assert_true(json_number(model, "bound_percent") > 10);
    assert_true(json_number(model, "bound_percent") < 100);
    assert_near(json_number(results, "ranks"), 2);
    assert_string_equal(json_text(results, "baseline"), "plain");
    assert_string_equal(json_text(results, "load_method"), "read");
    cJSON_Delete(results);
}

static void a_sweep_that_ended_early_says_so_and_leaves_out_what_never_ran(void **state)
{
    cJSON *results;

    (void)state;
    assert_false(sweep_has_results(&sweep));
    run_add(1, 2, 2, 2);
    assert_true(sweep_has_results(&sweep));
    results = results_of();
    assert_true(cJSON_IsFalse(json_member(results, "complete")));
    assert_int_equal(cJSON_GetArraySize(json_member(results, "tests")), 1);
    assert_int_equal(cJSON_GetArraySize(json_member(results, "parameter_scan")), 0);
    cJSON_Delete(results);
}

static void before_the_baseline_has_run_improvements_are_none(void **state)
{
    const cJSON *fast;
    cJSON *results;

    (void)state;
    run_add(0, 2, 2, 2);
    results = results_of();
    fast = cJSON_GetArrayItem(json_member(results, "tests"), 0);
    assert_near(json_number(fast, "save_improvement_percent"), 0);
    assert_true(cJSON_IsTrue(json_member(fast, "save_may_be_chance")));
    cJSON_Delete(results);
}

static void the_scan_is_left_out_unless_it_is_asked_for(void **state)
{
    struct sweep without;

    (void)state;
    assert_int_equal(sweep_init(&without, &settings, config, false), 0);
    assert_int_equal(without.test_count, 2);
    sweep_release(&without);
}

static void room_for_the_store_is_demanded_before_the_model_is_made(void **state)
{
    struct sweep large;
    struct said said;
    int err;

    (void)state;
    config->model.parameters = 1ull << 55;
    said_begin(&said, STDERR_FILENO);
    err = sweep_init(&large, &settings, config, false);
    said_end(&said);
    assert_int_equal(err, -ENOSPC);
    assert_null(large.checkpoint);
    sweep_release(&large);
}

/* The first round is for nothing and is no result. */
static void a_mount_that_fails_ends_it_without_results(void **state)
{
    char program[PATH_MAX + 256];
    struct said said;
    int err;

    (void)state;
    bench_write_program("program", "echo refused: \"$3\"; exit 1");
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    settings.tensorfs = program;
    settings.mount_options = "threads=2";
    said_begin(&said, STDERR_FILENO);
    err = sweep_measure(&sweep);
    said_end(&said);
    assert_int_equal(err, -EIO);
    said_assert(&said, "refused: concurrency=4,threads=2"); /* the last test, and -o behind it */
    assert_false(sweep_has_results(&sweep));
    assert_int_equal(bench_entry_count(bench_dir), 1);
}

static int start(void **state)
{
    (void)state;
    console_init(true);
    return 0;
}

int main(void)
{
#define OF_SWEEP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        OF_SWEEP(tests_and_scan_are_told_apart),
        OF_SWEEP(figures_are_of_the_means),
        OF_SWEEP(the_model_and_its_bound_are_told),
        OF_SWEEP(a_sweep_that_ended_early_says_so_and_leaves_out_what_never_ran),
        OF_SWEEP(before_the_baseline_has_run_improvements_are_none),
        OF_SWEEP(the_scan_is_left_out_unless_it_is_asked_for),
        OF_SWEEP(room_for_the_store_is_demanded_before_the_model_is_made),
        OF_SWEEP(a_mount_that_fails_ends_it_without_results),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
