/*
 * Goal: the texts that users read in user.tensorfs.info and user.tensorfs.stats stay as they are:
 * scripts of others depend on names, order and form of the members.
 * Method: structs of which each field has another number, against the whole text.
 */
#include "control/attribute.h"
#include "control/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEN_ZEROS "0,0,0,0,0,0,0,0,0,0"
#define NO_TIME                                                                                    \
    "{\"count\":0,\"total_ns\":0,\"buckets_us\":[" TEN_ZEROS "," TEN_ZEROS ",0,0,0,0,0,0]}"

/* Given: value. */
static void assert_printed(cJSON *value, const char *expected)
{
    char *text = cJSON_PrintUnformatted(value);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    cJSON_Delete(value);
}

static void a_file_is_told_in_the_order_of_always(void **state)
{
    struct tfs_file_info info = {
        .size = 8388608,
        .stored_size = 2097152,
        .record_size = 67108864,
        .chunk_size = 4194304,
        .chunk_count = 2,
        .block_size = 262144,
        .block_count = 32,
        .frame_count = 3,
        .header_size = 392,
    };

    (void)state;
    info.kinds[CODEC_KIND_BF16] = (struct tfs_stored_bytes){8388608, 2096760};
    info.methods[CODEC_METHOD_RAW] = (struct tfs_stored_bytes){4, 4};
    info.methods[CODEC_METHOD_PLANES] = (struct tfs_stored_bytes){8388604, 2096756};
    info.codecs[CODEC_AUTO] = (struct tfs_stored_bytes){8388608, 2097152};
    assert_printed(control_json_of_file(&info),
                   "{\"logical_bytes\":8388608,\"stored_bytes\":2097152,\"ratio\":4,"
                   "\"chunk_size\":67108864,\"block_size\":262144,\"chunks\":2,"
                   "\"stored_chunk_size\":4194304,\"frames\":3,\"blocks\":32,\"header_bytes\":392,"
                   "\"kinds\":{\"bf16\":{\"raw\":8388608,\"stored\":2096760}},"
                   "\"methods\":{\"raw\":{\"raw\":4,\"stored\":4},"
                   "\"planes\":{\"raw\":8388604,\"stored\":2096756}},"
                   "\"codecs\":{\"auto\":{\"raw\":8388608,\"stored\":2097152}}}");
}

static void what_takes_no_space_has_no_ratio(void **state)
{
    const struct tfs_file_info info = {
        .size = 1, .record_size = 4096, .chunk_size = 4096, .block_size = 256};

    (void)state;
    assert_printed(control_json_of_file(&info),
                   "{\"logical_bytes\":1,\"stored_bytes\":0,\"ratio\":null,\"chunk_size\":4096,"
                   "\"block_size\":256,\"chunks\":0,\"stored_chunk_size\":4096,\"frames\":0,"
                   "\"blocks\":0,\"header_bytes\":0,\"kinds\":{},\"methods\":{},\"codecs\":{}}");
}

static void counters_are_told_in_the_order_of_always(void **state)
{
    const struct tfs_volume_stats stats = {
        .cache = {.hits = 1, .misses = 2, .evictions = 3, .bytes = 4, .bytes_max = 5},
        .names = {.hits = 6, .misses = 7},
        .rows = {.hits = 37, .misses = 38, .looked_up = 39, .bytes = 40},
        .memory = {.budget = 8,
                   .used = 9,
                   .dirty = 10,
                   .buffers = 11,
                   .index = 12,
                   .waits = 13,
                   .inodes = 14,
                   .inodes_bytes = 34,
                   .inodes_bytes_max = 35,
                   .rows_bytes = 36},
        .flush =
            {.in_flight = 15, .chunks = 16, .raw_bytes = 17, .stored_bytes = 18, .failures = 19},
        .commit = {.syncs = 20, .commits = 21, .files = 22, .pending_files = 23},
        .sync = {.segments_asked = 24, .segments_made = 25, .index_asked = 26, .index_made = 27},
        .times = {.encode = {.count = 1, .total_ns = 28, .buckets = {[0] = 1}}},
        .read_bytes = 29,
        .written_bytes = 30,
        .prefetched_chunks = 31,
        .checksum_errors = 32,
        .reclaimed_bytes = 33,
        .live_bytes = 999999999999999,
    };

    (void)state;
    assert_printed(
        control_json_of_stats(&stats),
        "{\"cache\":{\"hits\":1,\"misses\":2,\"evictions\":3,\"bytes\":4,\"bytes_max\":5},"
        "\"names\":{\"hits\":6,\"misses\":7},"
        "\"rows\":{\"hits\":37,\"misses\":38,\"looked_up\":39,\"bytes\":40},"
        "\"memory\":{\"budget\":8,\"used\":9,\"dirty\":10,\"buffers\":11,\"index\":12,"
        "\"waits\":13,\"inodes\":14,\"inodes_bytes\":34,\"inodes_bytes_max\":35,\"rows_bytes\":36},"
        "\"flush\":{\"in_flight\":15,\"chunks\":16,\"raw_bytes\":17,\"stored_bytes\":18,"
        "\"failures\":19},"
        "\"commit\":{\"syncs\":20,\"commits\":21,\"files\":22,\"pending_files\":23},"
        "\"sync\":{\"segments_asked\":24,\"segments_made\":25,\"index_asked\":26,"
        "\"index_made\":27},"
        "\"times\":{\"encode\":{\"count\":1,\"total_ns\":28,\"buckets_us\":[1,0,0,0,0,0,0,0,0,"
        "0," TEN_ZEROS ",0,0,0,0,0,0]},\"load\":" NO_TIME ",\"commit\":" NO_TIME "},"
        "\"read_bytes\":29,\"written_bytes\":30,\"prefetched_chunks\":31,\"checksum_errors\":32,"
        "\"reclaimed_bytes\":33,\"live_bytes\":999999999999999}");
}

/* ---- the attributes ---- */

static int open_volume(void **state)
{
    struct tfs_volume_options options;
    struct tfs_message message;

    tfs_volume_options_init(&options);
    options.path = "/nowhere";
    return tfs_volume_open(&options, &message, (struct tfs_volume **)state);
}

static int close_volume(void **state)
{
    return tfs_volume_close(*state);
}

static void names_are_ours_to_the_letter(void **state)
{
    static const char *const ours[] = {"user.tensorfs.control", "user.tensorfs.control.abstract",
                                       "user.tensorfs.info", "user.tensorfs.stats"};
    static const char *const others[] = {"",
                                         "user.tensorfs.",
                                         "user.tensorfs.inf",
                                         "user.tensorfs.info2",
                                         "user.tensorfs.chunk_size",
                                         "User.tensorfs.info"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(ours); i++)
        assert_true(control_attribute_is_computed(ours[i]));
    for (size_t i = 0; i < TFS_ARRAY_COUNT(others); i++)
        assert_false(control_attribute_is_computed(others[i]));
}

static void info_is_of_files_and_stats_of_the_root(void **state)
{
    const struct tfs_make make = {.mode = S_IFREG | 0600};
    struct tfs_volume *volume = *state;
    struct tfs_attr file;
    char *text = NULL;

    assert_int_equal(tfs_make(volume, TFS_ROOT_INODE, "file", &make, &file), 0);
    assert_int_equal(control_attribute_read(volume, file.inode, CONTROL_ATTRIBUTE_INFO, &text), 0);
    assert_memory_equal(text, "{\"logical_bytes\":0,", 19);
    free(TAKE_PTR(text));
    assert_int_equal(control_attribute_read(volume, TFS_ROOT_INODE, CONTROL_ATTRIBUTE_STATS, &text),
                     0);
    assert_memory_equal(text, "{\"cache\":{\"hits\":", 17);
    free(TAKE_PTR(text));
    assert_int_equal(control_attribute_read(volume, TFS_ROOT_INODE, CONTROL_ATTRIBUTE_INFO, &text),
                     -ENODATA);
    assert_int_equal(control_attribute_read(volume, file.inode, CONTROL_ATTRIBUTE_STATS, &text),
                     -ENODATA);
    assert_int_equal(control_attribute_read(volume, file.inode, CONTROL_ATTRIBUTE_ADDRESS, &text),
                     -ENODATA); /* only the mount knows */
    assert_null(text);
    tfs_forget(volume, file.inode, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_told_in_the_order_of_always),
        cmocka_unit_test(what_takes_no_space_has_no_ratio),
        cmocka_unit_test(counters_are_told_in_the_order_of_always),
        cmocka_unit_test(names_are_ours_to_the_letter),
        cmocka_unit_test_setup_teardown(info_is_of_files_and_stats_of_the_root, open_volume,
                                        close_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
