/*
 * A volume of which nothing but FORMAT is on a disk: both engines are those in memory. So it is a
 * volume whose segments cannot be punched and in which no mount goes on where another ended.
 *
 * Method: a crash is a copy of what both engines would have left, opened as another store.
 */
#include "store_fixture.h"

#include "memory_index.h"
#include "memory_segments.h"
#include "store/space/gc.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_SIZE = 3 << 20, FILES = 20 };

static int set_up(void **state)
{
    int err = fixture_set_up_closed(state);
    struct fixture *fixture = *state;

    fixture->options.index_engine = &index_memory;
    fixture->options.segment_engine = &segment_memory;
    if (!err)
        fixture_open(fixture);
    return err;
}

static int tear_down(void **state)
{
    int err = fixture_tear_down(state);

    memory_index_forget_all();
    memory_segments_forget_all();
    return err;
}

/* The volume that a mount after a crash would find. */
static struct fixture *crash(const struct fixture *fixture, size_t unsynced_kept)
{
    struct fixture *after;
    char command[2000];

    assert_int_equal(fixture_set_up_closed((void **)&after), 0);
    after->options.index_engine = &index_memory;
    after->options.segment_engine = &segment_memory;
    memory_index_crash(fixture->path, after->path, unsynced_kept);
    memory_segments_crash(fixture->path, after->path);
    (void)snprintf(command, sizeof(command), "mkdir '%s' && cp '%s/FORMAT' '%s'", after->path,
                   fixture->path, after->path);
    assert_int_equal(system(command), 0);
    fixture_open(after);
    return after;
}

static void the_stores_directory_has_nothing_but_its_format(void **state)
{
    struct fixture *fixture = *state;
    const struct dirent *entry;
    DIR *directory = opendir(fixture->path);

    assert_non_null(directory);
    while ((entry = readdir(directory)))
        assert_true(entry->d_name[0] == '.' || strncmp(entry->d_name, "FORMAT", 6) == 0 ||
                    strncmp(entry->d_name, "LOCK", 4) == 0);
    assert_int_equal(closedir(directory), 0);
}

static void files_are_there_after_the_volume_was_closed(void **state)
{
    struct fixture *fixture = *state;

    fixture_make_file(fixture, "large", FILE_SIZE, 1);
    fixture_make_file(fixture, "small", 100, 2);
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "large", FILE_SIZE, 1);
    fixture_assert_file(fixture, "small", 100, 2);
    fixture_make_file(fixture, "later", FILE_SIZE, 3); /* in a segment of its own */
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "large", FILE_SIZE, 1);
    fixture_assert_file(fixture, "later", FILE_SIZE, 3);
}

static void what_was_synced_is_there_after_a_crash(void **state)
{
    struct fixture *fixture = *state;
    struct fixture *after;

    for (uint64_t i = 0; i < FILES; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", (unsigned)i);
        fixture_make_file(fixture, name, 1 + i * 40000, i);
    }
    for (size_t kept = 0; kept < 3; kept++) {
        struct tfs_file *file = fixture_create(fixture, "not synced");

        fixture_write_random(file, 0, FILE_SIZE, 99);
        after = crash(fixture, kept);
        for (uint64_t i = 0; i < FILES; i++) {
            char name[16];

            (void)snprintf(name, sizeof(name), "%u", (unsigned)i);
            fixture_assert_file(after, name, 1 + i * 40000, i);
        }
        fixture_make_file(after, "goes on", FILE_SIZE, 5);
        fixture_assert_file(after, "goes on", FILE_SIZE, 5);
        assert_int_equal(fixture_tear_down((void **)&after), 0);
        tfs_file_close(file);
        fixture_remove_file(fixture, "not synced");
    }
}

static void what_cannot_be_punched_is_compacted(void **state)
{
    struct fixture *fixture = *state;
    const struct tfs_gc_options options = {0};
    struct tfs_gc_result result;

    fixture_make_file(fixture, "kept", FILE_SIZE / 3, 1);
    fixture_make_file(fixture, "dead", 3 * FILE_SIZE, 2);
    fixture_reopen(fixture); /* the segment is one of an earlier mount */
    fixture_remove_file(fixture, "dead");
    assert_int_equal(tfs_volume_gc(fixture->volume, &options, &result), 0);
    assert_true(result.bytes_before >= 3 * FILE_SIZE);
    assert_true(result.bytes_after < FILE_SIZE);
    fixture_assert_file(fixture, "kept", FILE_SIZE / 3, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_stores_directory_has_nothing_but_its_format),
        TEST(files_are_there_after_the_volume_was_closed),
        TEST(what_was_synced_is_there_after_a_crash),
        TEST(what_cannot_be_punched_is_compacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
