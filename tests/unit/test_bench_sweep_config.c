/*
 * Goal: configurations of a sweep: the default one says what it is known to say, and every mistake
 * is named with its line and key. Method: small texts are parsed; what is said on standard error is
 * compared.
 */
#include "said.h"
#include "tools/bench/sweep/sweep_config.h"
#include "tools/bench/sweep/sweep_values.h"
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

static void assert_complaint(const char *text, const char *expected)
{
    struct sweep_config *config = NULL;
    struct said said;
    int err;

    said_begin(&said, STDERR_FILENO);
    err = sweep_config_parse("x.json", text, &config);
    said_end(&said);
    assert_int_equal(err, -EINVAL);
    assert_null(config);
    said_assert(&said, expected);
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
        {"\"concurrency\": \"8\"", "concurrency: it must be a whole number between 1 and 1024"},
        {"\"threads\": 0", "threads: it must be a whole number between 1 and 1024"},
        {"\"threads\": 1025", "threads: it must be a whole number between 1 and 1024"},
        {"\"memory\": 0", "memory: it must be a size"},
        {"\"memory\": \"1X\"", "memory: it must be a size"},
        {"\"memory\": -1", "memory: it must be a size"},
        {"\"commit_interval\": -1", "commit_interval: it must be a number of seconds"},
        {"\"commit_interval\": \"5\"", "commit_interval: it must be a number of seconds"},
        {"\"cache\": [1]", "cache: it must be a text without commas, a whole number or true"},
        {"\"cache\": false", "cache: it must be a text without commas, a whole number or true"},
        {"\"compression\": \"zstd:\"", "compression: it must be auto, none, gzip"},
        {"\"compression\": \"zstd:20\"", "compression: it must be auto, none, gzip"},
        {"\"compression\": \"zstd:3x\"", "compression: it must be auto, none, gzip"},
        {"\"chunk_size\": 1e300", "chunk_size: it must be a size"},
        {"\"chunk_size\": 0", "chunk_size: it must be a power of two"},
        {"\"mount_options\": {\"a\": 1.5}", "mount_options.a: it must be a text without commas"},
        {"\"mount_options\": {\"a\": 1, \"a\": 2}", "the mount option 'a' is given twice"},
        {"\"mount_options\": 3", "mount_options: it must be an object"},
        {"\"memory\": \"1M\", \"mount_options\": {\"memory\": 1}",
         "the mount option 'memory' is given twice"},
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
        {"\"model\": {\"mix\": {\"bf16\": 0}}",
         "testing.model.mix.bf16: it must be above 0 and at most 16"},
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

static void wrong_scans_are_named_with_their_place(void **state)
{
    static const struct {
        const char *member;
        const char *problem;
    } cases[] = {
        {"\"threads\": [1]", "parameter_scan.threads: unknown key"},
        {"\"concurrency\": 4", "parameter_scan.concurrency: it must be a list of values"},
        {"\"concurrency\": [4, 0]", "parameter_scan.concurrency[1]: it must be a whole number"},
        {"\"chunk_size\": [\"3K\"]", "parameter_scan.chunk_size[0]: it must be a power of two"},
        {"\"compression\": [\"lzma\"]", "parameter_scan.compression[0]: it must be auto, none"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "{\"parameter_scan\": {%s}, \"test_configurations\": [{\"name\": \"a\"}]}",
                       cases[i].member);
        assert_complaint(text, cases[i].problem);
    }
    assert_complaint("{\"parameter_scan\": 3, \"test_configurations\": [{\"name\": \"a\"}]}",
                     "parameter_scan: it must be an object");
}

/* A configuration of `count` tests, and one more value in its scan. */
static char *tests_text(unsigned count)
{
    enum { BYTES_EACH = 32, BYTES_AROUND = 128 };
    size_t size = BYTES_AROUND + (size_t)count * BYTES_EACH;
    char *text = malloc(size);
    size_t used;

    assert_non_null(text);
    used = (size_t)snprintf(text, size,
                            "{\"parameter_scan\": {\"concurrency\": [1]},"
                            "\"test_configurations\": [");
    for (unsigned i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s{\"name\": \"t%u\"}",
                                 i > 0 ? "," : "", i);
    (void)snprintf(text + used, size - used, "]}");
    return text;
}

static void tests_have_a_limit_that_the_scan_shares(void **state)
{
    struct sweep_config *config;
    char *fits = tests_text(SWEEP_TESTS_MAX - 1);
    char *scan_over = tests_text(SWEEP_TESTS_MAX);
    char *over = tests_text(SWEEP_TESTS_MAX + 1);

    (void)state;
    assert_int_equal(sweep_config_parse("x.json", fits, &config), 0);
    assert_int_equal(config->test_count, SWEEP_TESTS_MAX);
    sweep_config_free(config);
    assert_complaint(scan_over, "parameter_scan.concurrency[0]: more than 256 tests");
    assert_complaint(over, "test_configurations[256]: more than 256 tests");
    free(fits);
    free(scan_over);
    free(over);
}

static void texts_have_the_limit_that_is_told(void **state)
{
    char text[1024];

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"test_configurations\": [{\"name\": \"%064d\"}]}", 0);
    assert_complaint(text, "name: it must be a text of 1 to 63 characters");
    assert_complaint("{\"test_configurations\": [{\"name\": \"\"}]}",
                     "name: it must be a text of 1 to 63 characters");
    (void)snprintf(text, sizeof(text),
                   "{\"test_configurations\": [{\"name\": \"a\", \"mount_options\": {"
                   "\"a\": \"%0120d\", \"b\": \"%0120d\", \"c\": \"%0120d\", \"d\": \"%0120d\","
                   "\"e\": \"%0120d\"}}]}",
                   1, 2, 3, 4, 5);
    assert_complaint(text, "mount_options.e: more than 511 characters of mount options");
}

static void every_key_that_messages_name_is_one(void **state)
{
    char keys[256];
    unsigned count = 0;

    (void)state;
    (void)snprintf(keys, sizeof(keys), "%s", sweep_option_keys());
    *strchr(keys, ';') = '\0'; /* behind it: where other options go */
    for (char *key = strtok(keys, ", "); key; key = strtok(NULL, ", "), count++) {
        if (!sweep_option_find(key))
            fail_msg("'%s' is no key", key);
    }
    assert_true(count >= 8);
    assert_null(sweep_option_find("chunksize"));
}

static void descriptions_may_stand_everywhere(void **state)
{
    struct sweep_config *config;

    (void)state;
    assert_int_equal(
        sweep_config_parse("x.json",
                           "{\"description\": \"a\", \"testing\": {\"description\": \"b\","
                           "\"model\": {\"description\": \"c\", \"path\": \"/x\"}},"
                           "\"parameter_scan\": {\"description\": \"d\"},"
                           "\"test_configurations\": [{\"name\": \"a\", \"description\": 1}]}",
                           &config),
        0);
    assert_string_equal(config->model.path, "/x");
    assert_string_equal(config->tests[0].options, "");
    sweep_config_free(config);
}

static void tests_need_names_of_their_own(void **state)
{
    (void)state;
    assert_complaint("{\"test_configurations\": [{}]}", "a test needs a name");
    assert_complaint("{\"test_configurations\": [{\"name\": \"a\"},{\"name\": \"a\"}]}",
                     "a second test named 'a'");
    assert_complaint("{\"test_configurations\": [{\"name\": \"a.b\"}]}",
                     "a name may not hold . [ ] tabs or quotes");
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
        cmocka_unit_test(wrong_scans_are_named_with_their_place),
        cmocka_unit_test(tests_have_a_limit_that_the_scan_shares),
        cmocka_unit_test(texts_have_the_limit_that_is_told),
        cmocka_unit_test(every_key_that_messages_name_is_one),
        cmocka_unit_test(descriptions_may_stand_everywhere),
        cmocka_unit_test(tests_need_names_of_their_own),
        cmocka_unit_test(broken_json_is_named_with_its_line),
    };

    console_init(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
