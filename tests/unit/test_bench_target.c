/*
 * Goal: a place is measured in a directory of its own, which is gone afterwards; what cannot be
 * measured is refused before; the machine around it is described. Method: plain directories, and
 * programs that stand in for tensorfs and fail.
 */
#include "bench_fixture.h"
#include "said.h"
#include "store/base/defs.h"
#include "tools/bench/json/json_value.h"
#include "tools/bench/target/environment.h"
#include "tools/bench/target/mount.h"
#include "tools/bench/target/mount_stats.h"
#include "tools/bench/target/target.h"
#include "tools/bench/target/target_settings.h"
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

static void a_directory_is_measured_in_one_of_our_own_below_it(void **state)
{
    struct target_settings settings = {.dir = bench_dir};
    struct target target;

    (void)state;
    bench_write("theirs", "x");
    assert_int_equal(target_open(&target, &settings), 0);
    assert_null(target.mount);
    assert_string_equal(target.label, bench_dir);
    assert_memory_equal(target.work, bench_path("tensorfs-bench."), strlen(bench_dir) + 16);
    target_close(&target);
    assert_int_equal(bench_entry_count(bench_dir), 1);
    target_close(&target); /* once more does nothing */
}

static void the_end_of_a_long_path_is_its_label(void **state)
{
    static const char part[] = "/0123456789012345678901234567890123456789";
    char path[PATH_MAX + 256];
    struct target_settings settings = {.dir = path};
    struct target target;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s", bench_dir);
    for (int i = 0; i < 2; i++) {
        (void)strcat(path, part);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(target_open(&target, &settings), 0);
    assert_int_equal(strlen(target.label), sizeof(target.label) - 1);
    assert_string_equal(target.label, path + strlen(path) + 1 - sizeof(target.label));
    target_close(&target);
}

static void emptying_takes_what_is_in_the_work_directory_only(void **state)
{
    struct target_settings settings = {.dir = bench_dir};
    struct target target;
    char path[PATH_MAX + 8];

    (void)state;
    bench_write("theirs", "x");
    assert_int_equal(target_open(&target, &settings), 0);
    (void)snprintf(path, sizeof(path), "%s/ours", target.work);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(target_empty(&target), 0);
    assert_int_equal(bench_entry_count(target.work), 0);
    assert_true(bench_exists("theirs"));
    target_close(&target);
}

/* Opens both places and closes them. The error is returned, what is said kept. */
static int open_places(const struct target_settings *settings, uint64_t bytes, unsigned *ret_count,
                       struct said *said)
{
    struct target first = {.scratch = ""};
    struct target second = {.scratch = ""};
    struct target *const targets[] = {&first, &second};
    int err;

    said_begin(said, STDERR_FILENO);
    err = target_open_places(targets, settings, bytes, ret_count);
    said_end(said);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(targets); i++)
        target_close(targets[i]);
    return err;
}

static void the_baseline_is_the_second_place(void **state)
{
    struct target_settings settings = {.dir = bench_dir};
    unsigned count = 0;
    struct said said;

    (void)state;
    assert_int_equal(open_places(&settings, 0, &count, &said), 0);
    assert_int_equal(count, 1);
    settings.baseline = bench_dir;
    assert_int_equal(open_places(&settings, 0, &count, &said), 0);
    assert_int_equal(count, 2);
    assert_int_equal(bench_entry_count(bench_dir), 0);
}

static void a_place_without_room_is_refused_and_left_as_it_was(void **state)
{
    struct target_settings settings = {.dir = bench_dir, .baseline = bench_dir};
    unsigned count = 77;
    struct said said;

    (void)state;
    assert_int_equal(open_places(&settings, 1ull << 60, &count, &said), -ENOSPC);
    assert_int_equal(count, 77);
    said_assert(&said, "this needs 1101004.8 TiB");
    assert_int_equal(bench_entry_count(bench_dir), 0);
}

static void a_baseline_that_is_not_there_is_refused(void **state)
{
    struct target_settings settings = {.dir = bench_dir, .baseline = "/none"};
    struct said said;
    unsigned count;

    (void)state;
    assert_int_equal(open_places(&settings, 0, &count, &said), -ENOENT);
    said_assert(&said, "making a directory in '/none'");
    assert_int_equal(bench_entry_count(bench_dir), 0);
}

static void what_was_done_to_caches_is_told_in_words(void **state)
{
    struct target target = {.work = "/"};
    static const struct {
        int cold;
        const char *words;
    } cases[] = {
        {TARGET_COLD_ADVISED, "fadvise, not root"},
        {TARGET_COLD_DROPPED, "kernel caches dropped"},
        {TARGET_COLD_REMOUNTED, "tensorfs remounted; the store's own files may be"},
        {TARGET_COLD_REMOUNTED | TARGET_COLD_DROPPED, "tensorfs remounted, kernel caches dropped"},
    };

    (void)state;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        const char *text = target_cold_text(&target, cases[i].cold);

        assert_non_null(strstr(text, cases[i].words));
        assert_true(strlen(text) <= 96); /* so that a table's line holds it */
    }
}

/* Mounts a program that stands in for tensorfs. The error is returned, what is said kept. */
static int open_mounted(const char *script, const char *options, struct said *said)
{
    struct target_settings settings = {.store_dir = bench_dir, .mount_options = options};
    struct target target;
    char program[PATH_MAX + 256];
    int err;

    bench_write_program("program", script);
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    settings.tensorfs = program;
    said_begin(said, STDERR_FILENO);
    err = target_open(&target, &settings);
    said_end(said);
    target_close(&target);
    assert_int_equal(bench_entry_count(bench_dir), 1); /* the program */
    return err;
}

static void a_daemon_that_ends_is_told_with_its_status_and_its_words(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(open_mounted("echo no such option; exit 4", "x=1", &said), -EIO);
    said_assert(&said, "no such option\n");
    said_assert(&said, "program -o x=1' ended with status 4 before it was mounted");
    assert_int_equal(open_mounted("kill -9 $$", NULL, &said), -EIO);
    said_assert(&said, "ended with status 137 before it was mounted");
}

static void a_daemon_gets_options_store_and_mountpoint_in_order(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(open_mounted("for w; do echo \"<$w>\"; done; exit 1", "a=1,b", &said), -EIO);
    said_assert(&said, "<-f>\n<-o>\n<a=1,b>\n<");
    said_assert(&said, "/store>\n<");
    said_assert(&said, "/mnt>\n");
    assert_int_equal(open_mounted("for w; do echo \"<$w>\"; done; exit 1", NULL, &said), -EIO);
    assert_null(strstr(said.text, "<-o>"));
}

static void of_a_long_log_the_end_is_shown(void **state)
{
    struct said said;

    (void)state;
    assert_int_equal(open_mounted("echo first; i=0; while [ $i -lt 500 ]; do echo 0123456789;"
                                  " i=$((i+1)); done; echo last; exit 1",
                                  NULL, &said),
                     -EIO);
    assert_null(strstr(said.text, "first"));
    said_assert(&said, "last\n");
}

static void a_binary_that_is_not_there_is_told_with_the_option_for_it(void **state)
{
    struct target_settings settings = {.store_dir = bench_dir, .tensorfs = "/none"};
    struct target target;
    struct said said;
    int err;

    (void)state;
    said_begin(&said, STDERR_FILENO);
    err = target_open(&target, &settings);
    said_end(&said);
    target_close(&target);
    assert_int_equal(err, -ENOENT);
    said_assert(&said, "the tensorfs binary '/none' (give --tensorfs=PATH)");
    assert_int_equal(bench_entry_count(bench_dir), 0);
}

static void a_mount_that_does_not_run_has_used_nothing(void **state)
{
    struct mount *mount;

    (void)state;
    bench_write_program("program", "exit 0");
    assert_int_equal(mount_new(bench_dir, bench_path("program"), NULL, &mount), 0);
    assert_string_equal(mount_store(mount), bench_path("store"));
    assert_string_equal(mount_point(mount), bench_path("mnt"));
    assert_true(mount_cpu_seconds(mount) == 0);
    assert_true(mount_peak_bytes(mount) == 0);
    assert_int_equal(mount_stop(mount), 0);
    mount_free(mount);
    mount_free(NULL);
}

static void a_plain_directory_has_no_counters_of_a_mount(void **state)
{
    struct mount_stats stats = {.cache_hits = 77};

    (void)state;
    assert_true(mount_stats_read(bench_dir, &stats) < 0);
    assert_int_equal(mount_stats_read(bench_path("none"), &stats), -ENOENT);
    assert_true(stats.cache_hits == 77);
    assert_false(environment_is_tensorfs(bench_dir));
    assert_false(environment_is_tensorfs(bench_path("none")));
}

static void the_environment_names_machine_versions_and_filesystems(void **state)
{
    struct target_settings settings = {.dir = bench_dir, .tensorfs = "/none"};
    struct cJSON *found = environment_json(&settings);

    (void)state;
    assert_non_null(found);
    assert_int_equal(strlen(json_text(found, "time")), strlen("2000-01-01T00:00:00Z"));
    assert_memory_equal(json_text(found, "kernel"), "Linux ", 6);
    assert_true(json_number(found, "cores") >= 1);
    assert_true(json_number(found, "memory_bytes") > (double)(64 * TFS_MIB));
    assert_string_equal(json_text(json_member(found, "versions"), "tensorfs_bench"),
                        TENSORFS_VERSION);
    assert_null(json_member(json_member(found, "versions"), "tensorfs")); /* there is no binary */
    assert_string_equal(json_text(json_member(found, "directory"), "path"), bench_dir);
    assert_string_not_equal(json_text(json_member(found, "directory"), "type"), "");
    assert_null(json_member(found, "baseline_directory"));
    cJSON_Delete(found);
}

static void the_version_is_what_the_binary_says(void **state)
{
    struct target_settings settings = {.store_dir = bench_dir, .baseline = "/none"};
    char program[PATH_MAX + 256];
    struct cJSON *found;

    (void)state;
    bench_write_program("program", "[ \"$1\" = --version ] && echo 'tensorfs 9.9' && echo more");
    (void)snprintf(program, sizeof(program), "%s", bench_path("program"));
    settings.tensorfs = program;
    found = environment_json(&settings);
    assert_string_equal(json_text(json_member(found, "versions"), "tensorfs"), "tensorfs 9.9");
    assert_string_equal(json_text(json_member(found, "directory"), "path"), bench_dir);
    assert_null(json_member(found, "baseline_directory")); /* it is not there */
    cJSON_Delete(found);
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
        IN_DIRECTORY(a_directory_is_measured_in_one_of_our_own_below_it),
        IN_DIRECTORY(the_end_of_a_long_path_is_its_label),
        IN_DIRECTORY(emptying_takes_what_is_in_the_work_directory_only),
        IN_DIRECTORY(the_baseline_is_the_second_place),
        IN_DIRECTORY(a_place_without_room_is_refused_and_left_as_it_was),
        IN_DIRECTORY(a_baseline_that_is_not_there_is_refused),
        cmocka_unit_test(what_was_done_to_caches_is_told_in_words),
        IN_DIRECTORY(a_daemon_that_ends_is_told_with_its_status_and_its_words),
        IN_DIRECTORY(a_daemon_gets_options_store_and_mountpoint_in_order),
        IN_DIRECTORY(of_a_long_log_the_end_is_shown),
        IN_DIRECTORY(a_binary_that_is_not_there_is_told_with_the_option_for_it),
        IN_DIRECTORY(a_mount_that_does_not_run_has_used_nothing),
        IN_DIRECTORY(a_plain_directory_has_no_counters_of_a_mount),
        IN_DIRECTORY(the_environment_names_machine_versions_and_filesystems),
        IN_DIRECTORY(the_version_is_what_the_binary_says),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
