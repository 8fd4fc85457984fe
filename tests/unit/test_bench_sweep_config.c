/*
 * Goal: configurations of a sweep: the default one says what it is known to say, and every mistake
 * is named with its line and key. Method: small texts are parsed; what is said on standard error is
 * caught in a file and compared.
 */
#include "tools/bench/sweep/sweep_config.h"
#include "tools/common/console.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int caught_fd;
static int real_stderr;

static int catch_stderr(void **state)
{
    char path[] = "/tmp/test_bench_sweep_config.XXXXXX";

    (void)state;
    console_init(false);
    caught_fd = mkstemp(path);
    if (caught_fd < 0 || unlink(path) < 0)
        return -1;
    real_stderr = dup(STDERR_FILENO);
    return real_stderr < 0 ? -1 : 0;
}

static int restore_stderr(void **state)
{
    (void)state;
    (void)close(caught_fd);
    (void)close(real_stderr);
    return 0;
}

/* Parse a text that is wrong and return what was said about it. */
static const char *complaint_about(const char *text)
{
    static char said[4096];
    struct sweep_config *config = NULL;
    ssize_t size;
    int err;

    (void)fflush(stderr);
    assert_int_equal(ftruncate(caught_fd, 0), 0);
    assert_int_equal(lseek(caught_fd, 0, SEEK_SET), 0);
    assert_true(dup2(caught_fd, STDERR_FILENO) >= 0);
    err = sweep_config_parse("x.json", text, &config);
    (void)fflush(stderr);
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    size = pread(caught_fd, said, sizeof(said) - 1, 0);
    assert_true(size >= 0);
    said[size] = '\0';
    assert_int_equal(err, -EINVAL);
    assert_null(config);
    return said;
}

static void assert_complaint(const char *text, const char *expected)
{
    const char *said = complaint_about(text);

    if (!strstr(said, expected))
        fail_msg("said '%s', expected '%s'", said, expected);
}

static void default_configuration_has_the_eight_tests(void **state)
{
    static const struct {
        const char *name;
        const char *options;
    } expected[] = {
        {"baseline", "chunk_size=256,concurrency=1,compression=none"},
        {"concurrency_128", "chunk_size=256,concurrency=128,compression=none"},
        {"chunks_1mb", "chunk_size=1048576,concurrency=1,compression=none"},
        {"compression_gzip", "chunk_size=256,concurrency=1,compression=gzip"},
        {"concurrency_chunks", "chunk_size=1048576,concurrency=128,compression=none"},
        {"t5x_full", "chunk_size=1048576,concurrency=128,compression=gzip"},
        {"auto", ""},
        {"auto_full", "chunk_size=4194304,concurrency=128,compression=auto"},
    };
    struct sweep_config *config;

    (void)state;
    assert_int_equal(sweep_config_read(NULL, &config), 0);
    assert_int_equal(config->runs, 3);
    assert_string_equal(config->baseline, "baseline");
    for (size_t i = 0; i < TFS_ARRAY_COUNT(expected); i++) {
        assert_string_equal(config->tests[i].name, expected[i].name);
        assert_string_equal(config->tests[i].options, expected[i].options);
        assert_int_equal(config->tests[i].axis, SWEEP_AXIS_NONE);
    }
    assert_int_equal(config->tests[8].axis, SWEEP_AXIS_CHUNK_SIZE);
    assert_string_equal(config->tests[8].options, "chunk_size=16384");
    assert_int_equal(config->test_count, 8 + 5 + 7 + 7);
    sweep_config_free(config);
}

static void scan_may_stand_before_the_tests(void **state)
{
    struct sweep_config *config;

    (void)state;
    assert_int_equal(sweep_config_parse("x.json",
                                        "{\"parameter_scan\": {\"concurrency\": [4]},"
                                        " \"test_configurations\": [{\"name\": \"a\"}]}",
                                        &config),
                     0);
    assert_int_equal(config->test_count, 2);
    assert_string_equal(config->tests[0].name, "a");
    assert_string_equal(config->tests[1].name, "concurrency=4");
    assert_string_equal(config->baseline, "a"); /* the first, when none is named */
    sweep_config_free(config);
}

static void other_mount_options_are_passed_on(void **state)
{
    struct sweep_config *config;

    (void)state;
    assert_int_equal(
        sweep_config_parse("x.json",
                           "{\"test_configurations\": [{\"name\": \"a\", \"threads\": 4,"
                           "\"memory\": \"1G\", \"compression\": \"zstd:3\","
                           "\"mount_options\": {\"noatime\": true, \"depth\": 7}}]}",
                           &config),
        0);
    assert_string_equal(config->tests[0].options,
                        "threads=4,memory=1073741824,compression=zstd:3,noatime,depth=7");
    sweep_config_free(config);
}

static void model_is_given_by_parameters_and_mix(void **state)
{
    struct sweep_config *config;

    (void)state;
    assert_int_equal(sweep_config_parse("x.json",
                                        "{\"testing\": {\"model\": {\"parameters\": 1000000,"
                                        "\"mix\": {\"bf16\": 1, \"adam_v\": 0.5}}},"
                                        "\"test_configurations\": [{\"name\": \"a\"}]}",
                                        &config),
                     0);
    assert_int_equal(config->model.parameters, 1000000);
    assert_true(model_bytes_per_parameter(&config->model) == 2 + 0.5 * 4);
    sweep_config_free(config);
}

static void wrong_keys_are_named_with_their_place(void **state)
{
    (void)state;
    assert_complaint("{\n \"testing\": {\n  \"num_run\": 3\n }\n}",
                     "x.json:3: testing.num_run: unknown key");
    assert_complaint("{\n\n \"tests\": []}", "x.json:3: tests: unknown key");
    assert_complaint("{\"test_configurations\": [\n {\"name\": \"a\"},\n {\"name\": \"b\",\n"
                     "  \"chunksize\": 1}\n]}",
                     "x.json:4: test_configurations[1].chunksize: unknown key; a test has name");
    assert_complaint("{\"testing\": {\"num_runs\": 3,\n\"num_runs\": 4}}",
                     "x.json:2: testing.num_runs: this key is there twice");
}

static void wrong_values_are_named_with_their_place(void **state)
{
    static const struct {
        const char *member;
        const char *problem;
    } cases[] = {
        {"\"chunk_size_elements\": 65", "chunk_size_elements: it must be a power of two"},
        {"\"chunk_size_elements\": 32", "chunk_size_elements: it must be a power of two"},
        {"\"chunk_size\": \"128M\"", "chunk_size: it must be a power of two"},
        {"\"chunk_size\": \"many\"", "chunk_size: it must be a size"},
        {"\"concurrency_limit\": 0", "concurrency_limit: it must be a whole number between 1"},
        {"\"concurrency_limit\": 1025", "concurrency_limit: it must be a whole number between 1"},
        {"\"concurrency_limit\": 1.5", "concurrency_limit: it must be a whole number between 1"},
        {"\"compression\": \"gzp\"", "compression: it must be auto, none, gzip"},
        {"\"compression\": \"gzip:10\"", "compression: it must be auto, none, gzip"},
        {"\"compression\": \"none:1\"", "compression: it must be auto, none, gzip"},
        {"\"compression\": 3", "compression: it must be auto, none, gzip"},
        {"\"chunk_size\": 256, \"chunk_size_elements\": 64",
         "the mount option 'chunk_size' is given"},
        {"\"mount_options\": {\"a\": \"b,c\"}",
         "mount_options.a: it must be a text without commas"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text), "{\"test_configurations\": [\n{\"name\": \"a\", %s}]}",
                       cases[i].member);
        assert_complaint(text, cases[i].problem);
        assert_complaint(text, "x.json:2: test_configurations[0].");
    }
}

static void wrong_settings_of_the_whole_are_named_with_their_place(void **state)
{
    static const struct {
        const char *member;
        const char *problem;
    } cases[] = {
        {"\"num_runs\": 0", "testing.num_runs: it must be a whole number between 1 and 100"},
        {"\"num_runs\": \"3\"", "testing.num_runs: it must be a whole number"},
        {"\"format\": \"hdf5\"", "testing.format: it must be one of: safetensors torch npy raw"},
        {"\"load\": \"fast\"", "testing.load: it must be"},
        {"\"model\": {\"mix\": {\"bf17\": 1}}", "testing.model.mix.bf17: no such kind"},
        {"\"model\": {\"mix\": {\"bf16\": 0}}", "testing.model.mix.bf16: copies per parameter"},
        {"\"model\": {\"mix\": {}}", "testing.model.mix: it must be"},
        {"\"model\": {\"size\": \"1\"}", "testing.model.size: it must be a size of at least 64K"},
        {"\"model\": {\"path\": \"/x\", \"size\": \"1M\"}",
         "testing.model.path: real files have no"},
        {"\"model\": 3", "testing.model: it must be an object"},
        {"\"baseline\": \"b\"", "testing.baseline: no test is named 'b'"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "{\"testing\": {%s}, \"test_configurations\": [{\"name\": \"a\"}]}",
                       cases[i].member);
        assert_complaint(text, cases[i].problem);
    }
}

static void tests_need_names_of_their_own(void **state)
{
    (void)state;
    assert_complaint("{\"test_configurations\": [{}]}", "a test needs a name");
    assert_complaint("{\"test_configurations\": [{\"name\": \"a\"},{\"name\": \"a\"}]}",
                     "a second test named 'a'");
    assert_complaint("{\"test_configurations\": [{\"name\": \"a.b\"}]}", "a name without");
    assert_complaint("{\"test_configurations\": []}", "it must be a list of tests");
    assert_complaint("{}", "'test_configurations' is missing");
}

static void broken_json_is_named_with_its_line(void **state)
{
    (void)state;
    assert_complaint("{\n \"testing\": {\n  \"num_runs\": }\n}", "x.json:3: not JSON at");
    assert_complaint("{} trailing", "x.json:1: not JSON at");
    assert_complaint("", "not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_configuration_has_the_eight_tests),
        cmocka_unit_test(scan_may_stand_before_the_tests),
        cmocka_unit_test(other_mount_options_are_passed_on),
        cmocka_unit_test(model_is_given_by_parameters_and_mix),
        cmocka_unit_test(wrong_keys_are_named_with_their_place),
        cmocka_unit_test(wrong_values_are_named_with_their_place),
        cmocka_unit_test(wrong_settings_of_the_whole_are_named_with_their_place),
        cmocka_unit_test(tests_need_names_of_their_own),
        cmocka_unit_test(broken_json_is_named_with_its_line),
    };

    return cmocka_run_group_tests(tests, catch_stderr, restore_stderr);
}
