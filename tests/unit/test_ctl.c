/*
 * Goal: tensorfsctl reads counters right, and its archives are tar's.
 * Method: made-up counters; an archive in memory, looked at byte by byte.
 */
#include "tools/ctl/stats.h"
#include "tools/ctl/tar.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_quantile_is_the_limit_of_its_bucket(void **state)
{
    cJSON *before = cJSON_Parse("{\"buckets_us\": [0, 90, 0, 0, 0]}");
    cJSON *now = cJSON_Parse("{\"buckets_us\": [0, 90, 98, 0, 2]}");

    (void)state;
    assert_true(stats_quantile_ns(NULL, now, 0.47) == 2000);
    assert_true(stats_quantile_ns(NULL, now, 0.98) == 4000);
    assert_true(stats_quantile_ns(before, now, 0.5) == 4000);
    assert_true(stats_quantile_ns(before, now, 0.99) == 16000);
    assert_true(stats_quantile_ns(now, now, 0.5) == 0);
    assert_true(stats_quantile_ns(NULL, NULL, 0.5) == 0);
    cJSON_Delete(before);
    cJSON_Delete(now);
}

/* "%" is a column's name here, not printf's. */
static void the_heading_of_times_names_percentiles(void **state)
{
    cJSON *stats = cJSON_Parse("{\"requests\": {\"READ\": {\"count\": 1, \"total_ns\": 1000,"
                               "\"buckets_us\": [1]}}}");
    FILE *saved = stdout;
    char *text = NULL;
    size_t size = 0;

    (void)state;
    stdout = open_memstream(&text, &size);
    assert_non_null(stdout);
    stats_print(stats);
    (void)fclose(stdout);
    stdout = saved;
    assert_non_null(strstr(text, " 50 %  "));
    assert_non_null(strstr(text, " 99 %  "));
    free(text);
    cJSON_Delete(stats);
}

enum { BLOCK = 512 };

static void an_archive_is_made_of_whole_blocks_with_right_sums(void **state)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    unsigned sum = 0;

    (void)state;
    assert_non_null(out);
    assert_int_equal(tar_add(out, "a/b", "hello", 5), 0);
    assert_int_equal(tar_add(out, "empty", "", 0), 0);
    assert_int_equal(tar_end(out), 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(size, 5 * BLOCK);
    assert_string_equal(bytes, "a/b");
    assert_string_equal(bytes + 124, "00000000005");
    assert_memory_equal(bytes + 257, "ustar\00000", 8);
    assert_memory_equal(bytes + BLOCK, "hello\0", 6);
    assert_string_equal(bytes + 2 * BLOCK, "empty");
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)bytes[i];
    assert_int_equal(strtoul(bytes + 148, NULL, 8), sum);
    free(bytes);
}

static void a_name_that_does_not_fit_is_refused(void **state)
{
    char name[TAR_NAME_SIZE_MAX + 2];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(tar_add(stdout, name, "", 0), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantile_is_the_limit_of_its_bucket),
        cmocka_unit_test(the_heading_of_times_names_percentiles),
        cmocka_unit_test(an_archive_is_made_of_whole_blocks_with_right_sums),
        cmocka_unit_test(a_name_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
