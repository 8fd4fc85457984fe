/*
 * Goal: the data that pictures are drawn from are the numbers of the results, the script stands
 * beside them, and what gnuplot does is told. Method: results of a few tests; a program that stands
 * in for gnuplot and notes how it was called.
 */
#include "bench_fixture.h"
#include "said.h"
#include "store/base/defs.h"
#include "tools/bench/report/plot.h"
#include "tools/common/console.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Two tests and, with a scan, three values on two of the three axes. */
static const char tests_text[] =
    "{\"tests\": ["
    "{\"name\": \"baseline\", \"save\": {\"mean\": 2, \"stddev\": 0.5},"
    " \"load\": {\"mean\": 1, \"stddev\": 0.25}, \"stored\": {\"mean\": 1048576, \"stddev\": 0},"
    " \"save_improvement_percent\": 0, \"load_improvement_percent\": 0,"
    " \"stored_improvement_percent\": 0},"
    "{\"name\": \"auto\", \"save\": {\"mean\": 1, \"stddev\": 0.1},"
    " \"load\": {\"mean\": 3, \"stddev\": 0}, \"stored\": {\"mean\": 524288, \"stddev\": 0},"
    " \"save_improvement_percent\": 50, \"save_may_be_chance\": true,"
    " \"load_improvement_percent\": -200, \"stored_improvement_percent\": 50}]";
static const char scan_text[] =
    ", \"parameter_scan\": ["
    "{\"axis\": \"chunk_size\", \"value\": \"64K\", \"save_gb_per_s\": 2, \"load_gb_per_s\": 4,"
    " \"stored_percent\": 66.5, \"save\": {\"mean\": 10, \"stddev\": 1},"
    " \"load\": {\"mean\": 10, \"stddev\": 5}},"
    "{\"axis\": \"compression\", \"value\": \"none\", \"save_gb_per_s\": 1, \"load_gb_per_s\": 1,"
    " \"stored_percent\": 100, \"save\": {\"mean\": 1, \"stddev\": 0},"
    " \"load\": {\"mean\": 1, \"stddev\": 0}}]";

static cJSON *results_new_for(const char *scan)
{
    char text[4096];
    cJSON *results;

    (void)snprintf(text, sizeof(text), "%s%s}", tests_text, scan);
    results = cJSON_Parse(text);
    assert_non_null(results);
    return results;
}

/* Draw into the directory; what is said goes to *said. */
static int draw(const char *scan, struct said *said)
{
    cJSON *results = results_new_for(scan);
    int err;

    said_begin(said, STDERR_FILENO);
    err = plot_sweep(results, bench_dir);
    said_end(said);
    cJSON_Delete(results);
    return err;
}

/* Each is called in the directory with the name of a script, and may end as it likes. */
static void stand_in_for_gnuplot(const char *script)
{
    assert_int_equal(mkdir(bench_path("bin"), 0700), 0);
    bench_write_program("bin/gnuplot", script);
    assert_int_equal(setenv("PATH", bench_path("bin"), 1), 0);
}

static void assert_file_has(const char *name, const char *part)
{
    char *text = bench_read(name);

    if (!strstr(text, part))
        fail_msg("%s is '%s', expected '%s'", name, text, part);
    free(text);
}

static void data_are_the_means_deviations_and_improvements(void **state)
{
    struct said said;

    (void)state;
    stand_in_for_gnuplot("exit 0");
    assert_int_equal(draw("", &said), 0);
    assert_file_has("optimization_analysis.dat",
                    "baseline\t2.000000\t0.500000\t1.000000\t0.250000\t1.000\t0.000\t0.000\t0.000"
                    "\t0.000\t+0\t+0\n"
                    "auto\t1.000000\t0.100000\t3.000000\t0.000000\t0.500\t0.000\t50.000\t-200.000"
                    "\t50.000\t(+50)\t-200\n");
}

static void the_heat_map_has_a_row_for_each_test_and_a_column_for_each_figure(void **state)
{
    struct said said;

    (void)state;
    stand_in_for_gnuplot("exit 0");
    assert_int_equal(draw("", &said), 0);
    assert_file_has("optimization_analysis.dat", "\n\n\nbaseline\t0\t0\t0.000\t+0\n");
    assert_file_has("optimization_analysis.dat", "auto\t0\t1\t50.000\t(+50)\n"
                                                 "auto\t1\t1\t-200.000\t-200\n"
                                                 "auto\t2\t1\t50.000\t+50\n");
}

static void gnuplot_runs_in_the_directory_on_the_script_by_its_name(void **state)
{
    struct said said;
    char line[2 * PATH_MAX + 64];

    (void)state;
    stand_in_for_gnuplot("echo \"$PWD $*\" >> called");
    assert_int_equal(draw(scan_text, &said), 0);
    (void)snprintf(line, sizeof(line), "%s optimization_analysis.gp\n%s parameter_scan.gp\n",
                   bench_dir, bench_dir);
    assert_file_has("called", line);
    assert_file_has("optimization_analysis.gp", "data = 'optimization_analysis.dat'");
    assert_file_has("parameter_scan.gp", "data = 'parameter_scan.dat'");
    said_assert(&said, "/parameter_scan.png");
}

/* The deviation of a rate is that of the time, in shares: 2 GB/s with 10 s and 1 s is 0.2 GB/s. */
static void a_scan_has_a_block_for_each_axis_with_rates_and_their_spread(void **state)
{
    struct said said;

    (void)state;
    stand_in_for_gnuplot("exit 0");
    assert_int_equal(draw(scan_text, &said), 0);
    assert_file_has("parameter_scan.dat", "64K\t2.0000\t4.0000\t66.50\t0.2000\t2.0000\n\n\n"
                                          "not scanned\t0\t0\t0\t0\t0\n\n\n"
                                          "none\t1.0000\t1.0000\t100.00\t0.0000\t0.0000\n\n\n");
}

static void without_a_scan_there_is_one_picture(void **state)
{
    struct said said;

    (void)state;
    stand_in_for_gnuplot("exit 0");
    assert_int_equal(draw(", \"parameter_scan\": []", &said), 0);
    assert_true(bench_exists("optimization_analysis.dat"));
    assert_false(bench_exists("parameter_scan.dat"));
}

static void without_gnuplot_script_and_data_wait_for_it(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(setenv("PATH", bench_dir, 1), 0);
    assert_int_equal(draw(scan_text, &said), -ENOENT);
    said_assert(&said, "gnuplot (Debian: gnuplot-nox)");
    said_assert(&said, "optimization_analysis.gp' waits for it");
    assert_true(bench_exists("optimization_analysis.gp"));
    assert_true(bench_exists("optimization_analysis.dat"));
}

static void a_gnuplot_that_fails_is_told_with_its_script(void **state)
{
    struct said said;

    (void)state;
    stand_in_for_gnuplot("exit 3");
    assert_int_equal(draw(scan_text, &said), -EIO);
    said_assert(&said, "gnuplot on '");
    said_assert(&said, "/optimization_analysis.gp'");
    assert_false(bench_exists("parameter_scan.gp")); /* the first failure ends it */
}

static void results_of_another_command_are_refused(void **state)
{
    static const char *const texts[] = {"{}", "{\"tests\": []}", "{\"tests\": 3}", "[1]"};
    struct said said;

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        cJSON *results = cJSON_Parse(texts[i]);
        int err;

        said_begin(&said, STDERR_FILENO);
        err = plot_sweep(results, bench_dir);
        said_end(&said);
        assert_int_equal(err, -EINVAL);
        said_assert(&said, "these are not the results of a sweep");
        cJSON_Delete(results);
    }
    assert_int_equal(bench_entry_count(bench_dir), 0);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    cJSON *results = results_new_for("");
    struct said said;
    int err;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    err = plot_sweep(results, bench_path("none"));
    said_end(&said);
    assert_int_equal(err, -ENOENT);
    said_assert(&said, "/none/optimization_analysis.dat'");
    cJSON_Delete(results);
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
        IN_DIRECTORY(data_are_the_means_deviations_and_improvements),
        IN_DIRECTORY(the_heat_map_has_a_row_for_each_test_and_a_column_for_each_figure),
        IN_DIRECTORY(gnuplot_runs_in_the_directory_on_the_script_by_its_name),
        IN_DIRECTORY(a_scan_has_a_block_for_each_axis_with_rates_and_their_spread),
        IN_DIRECTORY(without_a_scan_there_is_one_picture),
        IN_DIRECTORY(without_gnuplot_script_and_data_wait_for_it),
        IN_DIRECTORY(a_gnuplot_that_fails_is_told_with_its_script),
        IN_DIRECTORY(results_of_another_command_are_refused),
        IN_DIRECTORY(a_directory_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
