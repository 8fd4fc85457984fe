/*
 * Goal: requests are counted under their names, in the right bucket, over all lanes.
 * Method: made-up requests.
 */
#include "fs/counters.h"

#include <cjson/cJSON.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void lanes_are_added_up(void **state)
{
    struct tfs_histogram_sum sum;
    struct counters *counters;

    (void)state;
    assert_int_equal(counters_new(2, &counters), 0);
    counters_add(counters, 0, FUSE_READ, 500);
    counters_add(counters, 1, FUSE_READ, 1500);
    counters_add(counters, 1, FUSE_WRITE, 1);
    counters_sum(counters, FUSE_READ, &sum);
    assert_int_equal(sum.count, 2);
    assert_int_equal(sum.total_ns, 2000);
    assert_int_equal(sum.buckets[0], 1); /* less than 1 us */
    assert_int_equal(sum.buckets[1], 1); /* less than 2 us */
    counters_free(counters);
}

static void the_last_bucket_takes_everything_longer(void **state)
{
    struct tfs_histogram_sum sum;
    struct counters *counters;

    (void)state;
    assert_int_equal(counters_new(1, &counters), 0);
    counters_add(counters, 0, FUSE_FSYNC, UINT64_MAX);
    counters_add(counters, 0, FUSE_FSYNC, 1000ull << (TFS_HISTOGRAM_BUCKETS - 2));
    counters_add(counters, 0, FUSE_FSYNC, (1000ull << (TFS_HISTOGRAM_BUCKETS - 2)) - 1000);
    counters_sum(counters, FUSE_FSYNC, &sum);
    assert_int_equal(sum.buckets[TFS_HISTOGRAM_BUCKETS - 1], 2);
    assert_int_equal(sum.buckets[TFS_HISTOGRAM_BUCKETS - 2], 1);
    counters_free(counters);
}

static void unknown_requests_are_counted_together(void **state)
{
    struct tfs_histogram_sum sum;
    struct counters *counters;

    (void)state;
    assert_int_equal(counters_new(1, &counters), 0);
    counters_add(counters, 0, COUNTERS_OPCODE_COUNT, 1);
    counters_add(counters, 0, UINT32_MAX, 1);
    counters_sum(counters, 0, &sum);
    assert_int_equal(sum.count, 2);
    counters_free(counters);
}

static char *text_of(const struct counters *counters)
{
    cJSON *json = counters_to_json(counters);
    char *text = cJSON_PrintUnformatted(json);

    assert_non_null(text);
    cJSON_Delete(json);
    return text;
}

static void the_text_has_what_came_and_nothing_else(void **state)
{
    struct counters *counters;
    char *text;

    (void)state;
    assert_int_equal(counters_new(1, &counters), 0);
    text = text_of(counters);
    assert_string_equal(text, "{}");
    free(text);
    counters_add(counters, 0, FUSE_LOOKUP, 3000);
    counters_add(counters, 0, FUSE_MKDIR, 0);
    text = text_of(counters);
    assert_int_equal(strncmp(text,
                             "{\"LOOKUP\":{\"count\":1,\"total_ns\":3000,\"buckets_us\":"
                             "[0,0,1,0,",
                             57),
                     0);
    assert_non_null(strstr(text, "]},\"MKDIR\":{\"count\":1,"));
    free(text);
    counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_are_added_up),
        cmocka_unit_test(the_last_bucket_takes_everything_longer),
        cmocka_unit_test(unknown_requests_are_counted_together),
        cmocka_unit_test(the_text_has_what_came_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
