/*
 * Goal: what tensorfsctl answers of a store and of a mount, for people and with --json, has the
 * members that CONTROL.md and the man page name, and they agree with each other.
 * Method: a store of one file and one folder, not mounted and behind a control socket.
 */
#include "tests/unit/ctl_fixture.h"

#include "control/address.h"
#include "tools/ctl/answer.h"
#include "tools/ctl/stats.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INFO_MEMBERS                                                                               \
    "inode:n logical_bytes:n stored_bytes:n ratio:z chunk_size:n block_size:n chunks:n "           \
    "stored_chunk_size:n frames:n blocks:n header_bytes:n kinds:o methods:o codecs:o"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- a store that nobody has mounted ---- */

static void status_of_a_store_tells_what_it_is(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *status = ctl_run_json(ctl_status, "status", "--json", fixture->path, NULL);

    assert_members(status, "store:s mounted:b format:n uuid:s space:o");
    assert_members(member(status, "space"), "size:n available:n");
    assert_string_equal(answer_text(status, "store"), fixture->path);
    assert_true(cJSON_IsFalse(member(status, "mounted")));
    assert_int_equal(strlen(answer_text(status, "uuid")), 36);
    assert_int_equal(ctl_run(ctl_status, "status", fixture->path, NULL), 0);
    assert_ctl_output_has("not mounted\n");
    assert_ctl_output_has(answer_text(status, "uuid"));
    assert_ctl_errors_are("");
    cJSON_Delete(status);
}

static void a_store_is_found_through_a_link(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *status;
    char link[500];

    (void)snprintf(link, sizeof(link), "%s/link", fixture->directory);
    assert_int_equal(symlink(fixture->path, link), 0);
    status = ctl_run_json(ctl_status, "status", "--json", link, NULL);
    assert_string_equal(answer_text(status, "store"), fixture->path);
    cJSON_Delete(status);
}

static void info_of_a_file_adds_up_with_its_frames(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *info = ctl_run_json(ctl_info, "info", "--json", "--frames", "--store", fixture->path,
                               "/file", NULL);
    const cJSON *place;
    double end = 0;
    int count = 0;

    assert_members(info, INFO_MEMBERS " places:a");
    cJSON_ArrayForEach(place, member(info, "places"))
    {
        assert_members(place, "offset:n size:n chunk:n segment:n segment_offset:n raw:n stored:n "
                              "blocks:n");
        assert_true(answer_number(place, "offset") == end);
        end += answer_number(place, "size");
        count++;
    }
    assert_true(end == answer_number(info, "logical_bytes"));
    assert_true(count == (int)answer_number(info, "frames"));
    assert_true(answer_number(info, "logical_bytes") == 3.0 * TFS_MIB);
    cJSON_Delete(info);
}

static void info_for_people_names_records_and_chunks_apart(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.chunk_size = 64 * TFS_MIB;
    fixture_open(fixture);
    fixture_make_file(fixture, "large", 8 * TFS_MIB, 2);
    fixture->options.chunk_size = 4 * TFS_KIB;
    fixture_close(fixture);
    fixture_open(fixture);
    fixture_make_file(fixture, "small", TFS_MIB, 3);
    fixture_close(fixture);
    assert_int_equal(ctl_run(ctl_info, "info", "--store", fixture->path, "large", NULL), 0);
    assert_ctl_output_has("\nrecord size 64.0 MiB\nchunks      2 of up to 4.0 MiB\n");
    assert_int_equal(ctl_run(ctl_info, "info", "--store", fixture->path, "small", NULL), 0);
    assert_ctl_output_has("\nrecord size 4.0 KiB\nchunks      4 of up to 256.0 KiB\n");
    assert_int_equal(ctl_run(ctl_info, "info", "--frames", "--store", fixture->path, "small", NULL),
                     0);
    assert_ctl_output_has("frame       bytes 0+262144  chunk 0  segment ");
}

static void du_counts_what_info_tells(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *usage = ctl_run_json(ctl_du, "du", "--json", "--store", fixture->path, "/", NULL);
    cJSON *of_file = ctl_run_json(ctl_du, "du", "--json", "--store", fixture->path, "file", NULL);

    assert_members(usage, "logical_bytes:n stored_bytes:n files:n directories:n others:n");
    assert_true(answer_number(usage, "logical_bytes") == 3.0 * TFS_MIB);
    assert_true(answer_number(usage, "files") == 1);
    assert_true(answer_number(usage, "directories") == 2); /* with the root */
    assert_true(answer_number(of_file, "stored_bytes") == answer_number(usage, "stored_bytes"));
    assert_true(answer_number(of_file, "directories") == 0);
    cJSON_Delete(of_file);
    cJSON_Delete(usage);
    assert_int_equal(ctl_run(ctl_du, "du", "--store", fixture->path, "file", NULL), 0);
    assert_ctl_output_has("logical     3.0 MiB\n");
    assert_ctl_output_has("ratio       0.99");
}

static void scrub_and_gc_of_a_whole_store_find_nothing(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *scrub = ctl_run_json(ctl_scrub, "scrub", "--json", "--deep", fixture->path, NULL);
    cJSON *gc = ctl_run_json(ctl_gc, "gc", "--json", fixture->path, NULL);

    assert_members(scrub, "bytes:n frames:n damaged:n damaged_bytes:n resumed:b damage:a");
    assert_true(answer_number(scrub, "bytes") >= 3.0 * TFS_MIB);
    assert_true(answer_number(scrub, "damaged") == 0);
    assert_int_equal(cJSON_GetArraySize(member(scrub, "damage")), 0);
    assert_members(gc, "bytes_before:n bytes_after:n segments_before:n segments_after:n "
                       "moved_frames:n moved_bytes:n kept_rows:n");
    cJSON_Delete(gc);
    cJSON_Delete(scrub);
    assert_int_equal(ctl_run(ctl_scrub, "scrub", fixture->path, NULL), 0);
    assert_ctl_output_has("verified, 0 ranges (0 B) cannot be read\n");
    assert_int_equal(ctl_run(ctl_gc, "gc", fixture->path, NULL), 0);
    assert_ctl_output_has("segments: ");
}

/* Where the first frame of the file lies, from the tool itself. */
static void flip_first_frame(const struct fixture *fixture)
{
    cJSON *info = ctl_run_json(ctl_info, "info", "--json", "--frames", "--store", fixture->path,
                               "file", NULL);
    const cJSON *place = cJSON_GetArrayItem(member(info, "places"), 0);

    /* behind the header, in its middle */
    fixture_flip(
        fixture, (uint64_t)answer_number(place, "segment"),
        (uint64_t)(answer_number(place, "segment_offset") + answer_number(place, "stored") / 2));
    cJSON_Delete(info);
}

static void damage_is_listed_and_makes_the_command_fail(void **state)
{
    const struct fixture *fixture = *state;
    const cJSON *damage;
    cJSON *answer;

    flip_first_frame(fixture);
    assert_int_equal(ctl_run(ctl_scrub, "scrub", fixture->path, NULL), CTL_FAILED);
    assert_ctl_output_has("/file: bytes ");
    assert_ctl_output_has("cannot be read\n");
    assert_int_equal(ctl_run(ctl_scrub, "scrub", "--json", fixture->path, NULL), CTL_FAILED);
    answer = cJSON_Parse(ctl_output.text);
    damage = cJSON_GetArrayItem(member(answer, "damage"), 0);
    assert_members(damage, "path:s inode:n offset:n size:n reason:s");
    assert_true(answer_number(answer, "damaged") == 1);
    assert_true(answer_number(answer, "damaged_bytes") == answer_number(damage, "size"));
    cJSON_Delete(answer);
}

static void check_answers_with_the_status_of_fsck(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *answer = ctl_run_json(ctl_check, "check", "--json", fixture->path, NULL);

    assert_members(answer, "store:s status:n files:n directories:n others:n names:n rows:n "
                           "frames:n segments:n live_bytes:n notes:n corrected:n left:n "
                           "unreadable:n unreadable_bytes:n contents_read:b problems:a");
    assert_true(answer_number(answer, "status") == 0);
    assert_true(answer_number(answer, "files") == 1);
    assert_true(cJSON_IsFalse(member(answer, "contents_read")));
    cJSON_Delete(answer);
    assert_int_equal(ctl_run(ctl_check, "check", fixture->path, NULL), 0);
    assert_ctl_output_has("clean; contents were not read");
    assert_int_equal(ctl_run(ctl_check, "check", "--repair", fixture->path, NULL), 0);
}

static void a_bundle_holds_no_names_of_files(void **state)
{
    const struct fixture *fixture = *state;
    char out[500];
    char option[520];
    char *bytes = malloc(1 << 20);
    size_t size;
    FILE *file;
    struct stat status;

    assert_non_null(bytes);
    (void)snprintf(out, sizeof(out), "%s/bundle.tar", fixture->directory);
    (void)snprintf(option, sizeof(option), "--out=%s", out);
    assert_int_equal(ctl_run(ctl_debug_bundle, "debug-bundle", option, fixture->path, NULL), 0);
    assert_ctl_output_has("/bundle.tar\n");
    assert_int_equal(stat(out, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    file = fopen(out, "r");
    assert_non_null(file);
    size = fread(bytes, 1, 1 << 20, file);
    (void)fclose(file);
    assert_int_equal(size, status.st_size);
    assert_int_equal(size % 512, 0);
    assert_string_equal(bytes, "tensorfs-debug/versions.txt");
    assert_non_null(memmem(bytes, size, "tensorfs-debug/layout.json", 26));
    assert_null(memmem(bytes, size, "folder", 6));
    free(bytes);
    assert_int_equal(ctl_run(ctl_debug_bundle, "debug-bundle", option, fixture->path, NULL),
                     CTL_FAILED); /* none is overwritten */
    assert_ctl_errors_have("File exists");
}

/* ---- a mount ---- */

static void status_of_a_mount_tells_where_and_how(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *status = ctl_run_json(ctl_status, "status", "--json", fixture->path, NULL);

    assert_members(status, "store:s mounted:b format:n uuid:s version:s mountpoint:s pid:n "
                           "start_time:n uptime_s:n options:o space:o");
    assert_true(answer_number(status, "pid") == getpid());
    cJSON_Delete(status);
    assert_int_equal(ctl_run(ctl_status, "status", fixture->path, NULL), 0);
    assert_ctl_output_has("mounted on  /nowhere\n");
    assert_ctl_output_has("options     memory=64M,ro=true\n");
}

static void stats_are_told_whole_and_as_a_table(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *stats = ctl_run_json(ctl_stats, "stats", "--json", fixture->path, NULL);

    assert_members(stats,
                   "cache:o names:o rows:o memory:o flush:o commit:o sync:o times:o read_bytes:n "
                   "written_bytes:n prefetched_chunks:n checksum_errors:n "
                   "reclaimed_bytes:n live_bytes:n time_ns:n uptime_s:n queue:o requests:o");
    cJSON_Delete(stats);
    assert_int_equal(ctl_run(ctl_stats, "stats", fixture->path, NULL), 0);
    assert_ctl_output_has("written by programs    ");
    assert_ctl_output_has("budget 64.0 MiB\n");
    assert_ctl_output_has("READ ");
    assert_int_equal(
        ctl_run(ctl_stats, "stats", "--watch", "--count=1", "--interval=1", fixture->path, NULL),
        0);
    assert_ctl_output_has("req/s");
}

static void small_commands_answer(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *answer = ctl_run_json(ctl_sync, "sync", "--json", fixture->path, NULL);

    assert_members(answer, "took_ns:n");
    cJSON_Delete(answer);
    assert_int_equal(ctl_run(ctl_sync, "sync", fixture->path, NULL), 0);
    assert_ctl_output_has("durable after ");
    answer = ctl_run_json(ctl_loglevel, "loglevel", "--json", fixture->path, "warn", NULL);
    assert_members(answer, "level:s before:s");
    assert_string_equal(answer_text(answer, "level"), "warn");
    cJSON_Delete(answer);
    assert_int_equal(ctl_run(ctl_loglevel, "loglevel", fixture->path, "info", NULL), 0);
    assert_string_equal(ctl_output.text, "info\n");
    assert_int_equal(ctl_run(ctl_loglevel, "loglevel", fixture->path, "loud", NULL), CTL_FAILED);
    assert_ctl_errors_are("tensorfsctl: a level is error, warn, info or debug\n");
    answer = ctl_run_json(ctl_metrics, "metrics", "--json", fixture->path, NULL);
    assert_members(answer, "text:s");
    assert_int_equal(ctl_run(ctl_metrics, "metrics", fixture->path, NULL), 0);
    assert_ctl_output_has("# TYPE tensorfs_info gauge\n");
    cJSON_Delete(answer);
}

static void a_mounted_store_is_asked_and_not_opened(void **state)
{
    const struct fixture *fixture = *state;
    cJSON *info = ctl_run_json(ctl_info, "info", "--json", "--store", fixture->path, "file", NULL);

    assert_members(info, INFO_MEMBERS);
    cJSON_Delete(info);
    assert_int_equal(ctl_run(ctl_check, "check", fixture->path, NULL), 8);
    assert_ctl_errors_have("in use");
}

static void a_stranger_in_place_of_the_socket_is_no_mount(void **state)
{
    const struct fixture *fixture = *state;
    char path[500];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, fixture->path);
    file = fopen(path, "w"); /* a file: nobody listens there */
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(ctl_run(ctl_status, "status", fixture->path, NULL), 0);
    assert_ctl_output_has("not mounted\n");
}

/* ---- reading answers ---- */

static void what_an_answer_lacks_reads_as_nothing(void **state)
{
    cJSON *answer = cJSON_Parse("{\"n\": 7, \"t\": \"text\", \"l\": [1], \"z\": null}");

    (void)state;
    assert_true(answer_number(answer, "n") == 7);
    assert_true(answer_number(answer, "t") == 0);
    assert_true(answer_number(answer, "absent") == 0);
    assert_true(answer_number(NULL, "n") == 0);
    assert_string_equal(answer_text(answer, "t"), "text");
    assert_string_equal(answer_text(answer, "n"), "");
    assert_string_equal(answer_text(answer, "l"), "");
    assert_string_equal(answer_text(NULL, "t"), "");
    cJSON_Delete(answer);
}

static void texts_of_others_do_nothing_to_the_terminal(void **state)
{
    (void)state;
    said_begin(&ctl_output, STDOUT_FILENO);
    answer_print_text("name", "a\033[2Jb\nc\177d\xc3\xa9");
    said_end(&ctl_output);
    assert_string_equal(ctl_output.text, "name        a?[2Jb?c?d\xc3\xa9\n");
}

static void answers_of_another_version_are_printed_as_far_as_they_go(void **state)
{
    static const char *const texts[] = {"{}", "[]", "{\"cache\": 7, \"requests\": {\"READ\": 3}}",
                                        "{\"requests\": [1, null]}",
                                        "{\"times\": {\"x\": {\"count\": 1}}}"};

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(texts); i++) {
        cJSON *stats = cJSON_Parse(texts[i]);

        said_begin(&ctl_output, STDOUT_FILENO);
        stats_print(stats);
        stats_print_difference(stats, stats);
        said_end(&ctl_output);
        assert_ctl_output_has("uptime ");
        cJSON_Delete(stats);
    }
}

static void a_difference_is_what_happened_in_each_second(void **state)
{
    cJSON *before = cJSON_Parse("{\"time_ns\": 1e9, \"read_bytes\": 1048576, \"cache\": {\"hits\": "
                                "1, \"misses\": 1}, \"requests\": {\"READ\": {\"count\": 10, "
                                "\"total_ns\": 0, \"buckets_us\": [10]}}}");
    cJSON *now = cJSON_Parse("{\"time_ns\": 3e9, \"read_bytes\": 5242880, \"cache\": {\"hits\": 4, "
                             "\"misses\": 2}, \"requests\": {\"READ\": {\"count\": 14, "
                             "\"total_ns\": 8000, \"buckets_us\": [10, 4]}}}");

    (void)state;
    said_begin(&ctl_output, STDOUT_FILENO);
    stats_print_difference(before, now);
    said_end(&ctl_output);
    assert_ctl_output_has(" 2.0 MiB "); /* 4 MiB in two seconds */
    assert_ctl_output_has(" 2.0 us ");  /* 8000 ns for four requests */
    assert_ctl_output_has(" 75.0 ");    /* three of four found */
    said_begin(&ctl_output, STDOUT_FILENO);
    stats_print_difference(now, before); /* of a mount that began again meanwhile */
    said_end(&ctl_output);
    assert_string_equal(ctl_output.text, "");
    cJSON_Delete(before);
    cJSON_Delete(now);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, ctl_set_up_store, ctl_tear_down)
#define MOUNT_TEST(name) cmocka_unit_test_setup_teardown(name, ctl_set_up_mount, ctl_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(status_of_a_store_tells_what_it_is),
        STORE_TEST(a_store_is_found_through_a_link),
        STORE_TEST(info_of_a_file_adds_up_with_its_frames),
        STORE_TEST(info_for_people_names_records_and_chunks_apart),
        STORE_TEST(du_counts_what_info_tells),
        STORE_TEST(scrub_and_gc_of_a_whole_store_find_nothing),
        STORE_TEST(damage_is_listed_and_makes_the_command_fail),
        STORE_TEST(check_answers_with_the_status_of_fsck),
        STORE_TEST(a_bundle_holds_no_names_of_files),
        STORE_TEST(a_stranger_in_place_of_the_socket_is_no_mount),
        MOUNT_TEST(status_of_a_mount_tells_where_and_how),
        MOUNT_TEST(stats_are_told_whole_and_as_a_table),
        MOUNT_TEST(small_commands_answer),
        MOUNT_TEST(a_mounted_store_is_asked_and_not_opened),
        cmocka_unit_test(what_an_answer_lacks_reads_as_nothing),
        cmocka_unit_test(texts_of_others_do_nothing_to_the_terminal),
        cmocka_unit_test(answers_of_another_version_are_printed_as_far_as_they_go),
        cmocka_unit_test(a_difference_is_what_happened_in_each_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
