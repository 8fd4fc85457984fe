/*
 * The check counts again what can be counted, and lists what cannot be read without touching it.
 *
 * Method: as in test_check.c, for settings, counts, rows and frames.
 */
#include "check_fixture.h"

#include "store/base/bytes.h"
#include "store/index/index.h"
#include "store/segment/segment.h"
#include "store/space/reclaim.h"
#include "store/space/sweep.h"
#include "store/tables/row.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first frame of the file that is in a segment, and the row it is in. */
static struct frame_ref first_frame(struct fixture *fixture, const char *path)
{
    uint64_t inode = check_inode_of(fixture, path);
    struct tfs_index *index = check_open_index(fixture);
    struct row_geometry geometry = {256 * TFS_KIB, 4 * TFS_MIB};
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct frame_ref frame;
    struct index_value value;
    struct tfs_row *row;

    meta_extent_key(inode, 0, key);
    assert_int_equal(index_get(index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    assert_int_equal(row_decode(value.data, value.size, &geometry, &row), 0);
    frame = row->extents[0].frame;
    row_unref(row);
    index_value_release(&value);
    check_close_index(index);
    assert_true(frame.segment > 0);
    return frame;
}

static void segment_path(const struct fixture *fixture, uint64_t segment, char path[500])
{
    (void)snprintf(path, 500, "%s/segments/%016llx.seg", fixture->path,
                   (unsigned long long)segment);
}

static void damage_segment(const struct fixture *fixture, uint64_t segment, uint64_t offset)
{
    static const uint8_t noise[16] = {0x5a, 0xa5, 0x5a};
    char path[500];
    int fd;

    segment_path(fixture, segment, path);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), (off_t)offset), sizeof(noise));
    assert_int_equal(close(fd), 0);
}

/* ---- settings and counts ---- */

static void settings_that_are_missing_or_too_low_are_set(void **state)
{
    struct fixture *fixture = *state;

    check_plant_setting(fixture, "next_inode", 17);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
    check_plant_setting(fixture, "next_segment", 1);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
    check_plant_setting(fixture, "next_inode", INT64_MAX);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
    check_plant(fixture, INDEX_SUPER, "clean", 5, NULL, 0);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
    check_plant(fixture, INDEX_SUPER, "sweep_from", 10, "x", 1);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
}

/* It showed them as its own where it had holes. */
static void no_new_file_gets_the_number_of_rows_without_an_inode(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];
    struct tfs_file *file;
    struct found *found;
    uint64_t number = 0;
    uint64_t lost;
    char name[32];

    fixture_open(fixture);
    fixture_make_file(fixture, "lost", 5 * TFS_MIB, 9);
    fixture_close(fixture);
    lost = check_inode_of(fixture, "lost");
    meta_inode_key(lost, key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), NULL, 0);
    check_plant(fixture, INDEX_SUPER, "next_inode", 10, NULL, 0);
    assert_int_equal(check_run(fixture, true, &found), 0);
    (void)check_expect(found, TFS_CHECK_SETTING, TFS_CHECK_FIXED);
    free(found);
    fixture_open(fixture);
    for (int i = 0; number < lost; i++) {
        (void)snprintf(name, sizeof(name), "new-%d", i);
        number = fixture_make(fixture, TFS_ROOT_INODE, name, S_IFREG | 0644);
    }
    file = fixture_open_file(fixture, name);
    fixture_truncate(fixture, tfs_file_inode(file), 5 * TFS_MIB);
    assert_int_equal(tfs_file_flush(file), 0);
    fixture_assert_zeros(file, 4 * TFS_MIB, TFS_MIB);
    assert_true(number > lost);
    tfs_file_close(file);
    fixture_close(fixture);
}

/* The next mount would cut the segment there. */
static void appending_does_not_go_on_inside_of_frames_in_use(void **state)
{
    struct fixture *fixture = *state;

    assert_true(check_setting_of(fixture, "resume_segment") > 0);
    check_plant_setting(fixture, "resume_offset", 4096);
    check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
}

static void appending_goes_on_where_a_frame_can_begin(void **state)
{
    struct fixture *fixture = *state;
    uint64_t offset = check_setting_of(fixture, "resume_offset");
    const uint64_t offsets[] = {offset + 100, offset + 2 * TFS_GIB, UINT64_MAX};

    for (size_t i = 0; i < TFS_ARRAY_COUNT(offsets); i++) {
        check_plant_setting(fixture, "clean", 1);
        check_plant_setting(fixture, "resume_segment", 1);
        check_plant_setting(fixture, "resume_offset", offsets[i]);
        check_assert_content(fixture, NULL); /* a mount does without */
        check_plant_setting(fixture, "resume_segment", 1);
        check_plant_setting(fixture, "resume_offset", offsets[i]);
        check_assert_repairs_all(fixture, TFS_CHECK_SETTING);
    }
}

static void a_mount_does_not_cut_off_what_is_in_use(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(check_setting_of(fixture, "resume_segment"), 1);
    check_plant_setting(fixture, "resume_offset", 4096);
    check_assert_content(fixture, NULL);
    check_assert_clean(fixture);
}

static void numbers_far_out_leave_numbers_for_new_files_and_segments(void **state)
{
    static const uint64_t far[] = {INT64_MAX - 1, INT64_MAX - 5000, 1ull << 56};
    struct fixture *fixture = *state;
    struct meta_inode record = check_record_of(fixture, check_inode_of(fixture, "copy"));
    uint64_t next = check_setting_of(fixture, "next_inode");
    uint8_t key[META_EXTENT_KEY_SIZE];

    record.size = 0;
    record.stored_bytes = 0;
    record.nlink = 1;
    for (size_t i = 0; i < TFS_ARRAY_COUNT(far); i++) {
        check_plant_record(fixture, far[i], &record);
        check_assert_repairs(fixture, TFS_CHECK_LOST);
    }
    meta_segment_key(INT64_MAX, key);
    check_plant_number(fixture, INDEX_SEGMENT, key, META_SEGMENT_KEY_SIZE, 0);
    meta_extent_key(INT64_MAX - 2, 0, key); /* stays, as a row of nobody */
    check_plant(fixture, INDEX_EXTENT, key, sizeof(key), "nonsense", 8);
    check_plant(fixture, INDEX_SUPER, "next_inode", 10, NULL, 0);
    check_plant(fixture, INDEX_SUPER, "next_segment", 12, NULL, 0);
    for (int i = 0; i < 2; i++) {
        struct found *found;

        assert_int_equal(check_run(fixture, true, &found), 0);
        assert_int_equal(found->result.left, 0);
        assert_true(i == 0 || found->result.fixed == 0);
        free(found);
    }
    assert_true(check_setting_of(fixture, "next_inode") < next + 16);
    assert_true(check_setting_of(fixture, "next_segment") < 100);
    fixture_open(fixture);
    fixture_make_file(fixture, "new", TFS_MIB, 3);
    fixture_assert_file(fixture, "new", TFS_MIB, 3);
    fixture_close(fixture);
    check_assert_content(fixture, NULL);
}

static void a_row_with_an_impossible_segment_number_is_none(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "dir/large");
    struct tfs_index *index = check_open_index(fixture);
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct index_value value;
    uint8_t bytes[4096];
    size_t size;

    meta_extent_key(inode, 1, key);
    assert_int_equal(index_get(index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    size = value.size;
    assert_true(size <= sizeof(bytes));
    memcpy(bytes, value.data, size);
    index_value_release(&value);
    check_close_index(index);
    for (int i = 0; i < 2; i++) {
        struct found *found;

        tfs_put_le64(bytes + 8 + 24, i ? INT64_MAX : UINT64_MAX); /* of the first entry */
        check_plant(fixture, INDEX_EXTENT, key, sizeof(key), bytes, size);
        assert_int_equal(check_run(fixture, true, &found), 0);
        (void)check_expect(found, i ? TFS_CHECK_FRAME : TFS_CHECK_ROW, TFS_CHECK_UNREADABLE);
        free(found);
        assert_int_equal(check_run(fixture, true, &found), 0); /* it converges */
        assert_int_equal(found->result.left + found->result.fixed, 0);
        free(found);
    }
    assert_true(check_setting_of(fixture, "next_segment") < 1000);
    fixture_open(fixture);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    fixture_make_file(fixture, "new", TFS_MIB, 3);
    fixture_close(fixture);
    check_assert_content(fixture, "dir/large");
}

static void an_unknown_setting_is_noted_and_kept(void **state)
{
    struct fixture *fixture = *state;
    struct found *found;

    check_plant_setting(fixture, "of_tomorrow", 1);
    assert_int_equal(check_run(fixture, true, &found), 0);
    (void)check_expect(found, TFS_CHECK_SETTING, TFS_CHECK_NOTE);
    assert_int_equal(found->result.fixed + found->result.left, 0);
    free(found);
    assert_int_equal(check_setting_of(fixture, "of_tomorrow"), 1);
}

static void live_bytes_are_counted_again(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_SEGMENT_KEY_SIZE];

    meta_segment_key(first_frame(fixture, "copy").segment, key);
    check_plant_number(fixture, INDEX_SEGMENT, key, sizeof(key), 12345);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
    check_plant(fixture, INDEX_SEGMENT, key, sizeof(key), NULL, 0);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
    check_plant(fixture, INDEX_SEGMENT, key, sizeof(key), "odd", 3);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
}

static void users_of_frames_are_counted_again(void **state)
{
    struct fixture *fixture = *state;
    struct frame_ref frame = first_frame(fixture, "copy");
    uint8_t key[META_SHARE_KEY_SIZE];

    meta_share_key(frame.segment, frame.offset, key);
    check_plant_number(fixture, INDEX_SHARE, key, sizeof(key), 7);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
    check_plant(fixture, INDEX_SHARE, key, sizeof(key), NULL, 0);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
    meta_share_key(frame.segment, frame.offset + (1ull << 29), key);
    check_plant_number(fixture, INDEX_SHARE, key, sizeof(key), 2);
    check_assert_repairs_all(fixture, TFS_CHECK_USAGE);
}

static void keys_that_nobody_asks_for_are_removed(void **state)
{
    struct fixture *fixture = *state;

    for (int table = 0; table < INDEX_TABLE_COUNT; table++) {
        uint64_t before = check_sum_of_index(fixture);

        if (table == INDEX_SUPER)
            continue; /* a setting of another version */
        check_plant(fixture, (enum index_table)table, "key", 3, "value", 5);
        check_assert_repairs(fixture, table == INDEX_DENTRY ? TFS_CHECK_NAME : TFS_CHECK_KEY);
        assert_true(check_sum_of_index(fixture) == before);
    }
    check_assert_content(fixture, NULL);
}

/* ---- rows and frames ---- */

static size_t assert_unreadable(struct fixture *fixture, enum tfs_check_kind kind, const char *path)
{
    uint64_t before = check_sum_of_index(fixture);
    size_t count = 0;

    for (int i = 0; i < 2; i++) {
        struct found *found;
        bool seen = false;

        assert_int_equal(check_run(fixture, true, &found), 0);
        (void)check_expect(found, kind, TFS_CHECK_UNREADABLE);
        for (size_t at = 0; at < found->count; at++)
            seen = seen || (found->problems[at].kind == kind && found->problems[at].size > 0 &&
                            strcmp(found->problems[at].path, path) == 0);
        assert_true(seen);
        assert_int_equal(found->result.left + found->result.fixed, 0);
        count = found->result.unreadable;
        free(found);
    }
    assert_true(check_sum_of_index(fixture) == before);
    return count;
}

static void a_damaged_header_is_listed_for_each_file_that_shows_it(void **state)
{
    struct fixture *fixture = *state;
    struct frame_ref frame = first_frame(fixture, "copy");

    damage_segment(fixture, frame.segment, frame.offset + 20);
    assert_int_equal(assert_unreadable(fixture, TFS_CHECK_FRAME, "/copy"), 2);
    (void)assert_unreadable(fixture, TFS_CHECK_FRAME, "/dir/large");
}

static void a_missing_segment_is_listed_and_all_else_is_readable(void **state)
{
    struct fixture *fixture = *state;
    char path[500];

    segment_path(fixture, first_frame(fixture, "copy").segment, path);
    assert_int_equal(unlink(path), 0);
    (void)assert_unreadable(fixture, TFS_CHECK_FRAME, "/copy");
}

static void a_cut_segment_is_listed_from_the_cut_on(void **state)
{
    struct fixture *fixture = *state;
    char path[500];
    struct frame_ref frame = first_frame(fixture, "copy");

    segment_path(fixture, frame.segment, path);
    assert_int_equal(truncate(path, (off_t)(frame.offset + frame.stored_size)), 0);
    assert_int_equal(assert_unreadable(fixture, TFS_CHECK_FRAME, "/copy"), 2);
}

static void a_row_that_is_none_is_listed_and_nothing_it_may_use_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_EXTENT_KEY_SIZE];

    meta_extent_key(check_inode_of(fixture, "dir/large"), 0, key);
    check_plant(fixture, INDEX_EXTENT, key, sizeof(key), "nonsense", 8);
    (void)assert_unreadable(fixture, TFS_CHECK_ROW, "/dir/large");
    check_assert_content(fixture, "dir/large");
    (void)assert_unreadable(fixture, TFS_CHECK_ROW, "/dir/large");
}

static void plant_copy_of_row(struct fixture *fixture, uint64_t inode, uint64_t number)
{
    struct tfs_index *index = check_open_index(fixture);
    uint8_t key[META_EXTENT_KEY_SIZE];
    struct index_value value;
    uint8_t bytes[4096];
    size_t size;

    meta_extent_key(inode, 0, key);
    assert_int_equal(index_get(index, INDEX_EXTENT, key, sizeof(key), &value), 0);
    size = value.size;
    assert_true(size <= sizeof(bytes));
    memcpy(bytes, value.data, size);
    index_value_release(&value);
    check_close_index(index);
    meta_extent_key(inode, number, key);
    check_plant(fixture, INDEX_EXTENT, key, sizeof(key), bytes, size);
}

static void a_row_far_behind_the_end_makes_no_file_longer(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    uint64_t size = check_record_of(fixture, inode).size;
    struct found *found;

    plant_copy_of_row(fixture, inode, 1ull << 30); /* at 4 PiB */
    for (int i = 0; i < 2; i++) {
        size_t at;

        assert_int_equal(check_run(fixture, true, &found), 0);
        at = check_expect(found, TFS_CHECK_ROW, TFS_CHECK_UNREADABLE);
        assert_true(found->problems[at].offset == 1ull << 52);
        assert_int_equal(found->result.left, 0);
        assert_true(i == 0 || found->result.fixed == 0);
        free(found);
    }
    assert_int_equal(check_record_of(fixture, inode).size, size);
    check_assert_content(fixture, NULL);
    fixture_open(fixture); /* it goes with the file, and its frame with it */
    fixture_remove_file(fixture, "copy");
    fixture_close(fixture);
    check_assert_clean(fixture);
}

static void rows_not_far_behind_the_end_are_data_that_a_size_hides(void **state)
{
    struct fixture *fixture = *state;
    uint64_t inode = check_inode_of(fixture, "copy");
    struct meta_inode record = check_record_of(fixture, inode);

    plant_copy_of_row(fixture, inode, 100);
    plant_copy_of_row(fixture, inode, 300);
    record.size = 0; /* lost: the rows tell */
    check_plant_record(fixture, inode, &record);
    check_assert_repairs(fixture, TFS_CHECK_SIZE);
    assert_int_equal(check_record_of(fixture, inode).size, 301 * 4 * TFS_MIB);
}

/* Files in segments of their own, two of them in each; and what is wrong with some of that. */
static void fill_and_damage_segments(struct fixture *fixture)
{
    uint8_t key[META_SHARE_KEY_SIZE];
    char path[500];

    fixture_open(fixture);
    for (int i = 0; i < 12; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "file-%d", i);
        fixture_make_file(fixture, name, TFS_MIB + 5000, (uint64_t)i);
        if (i % 2)
            assert_int_equal(segments_seal(fixture->volume->segments), 0);
    }
    fixture_close(fixture);
    segment_path(fixture, first_frame(fixture, "file-3").segment, path);
    assert_int_equal(truncate(path, 8192), 0);
    segment_path(fixture, first_frame(fixture, "file-6").segment, path);
    assert_int_equal(unlink(path), 0);
    meta_segment_key(first_frame(fixture, "file-8").segment, key);
    check_plant_number(fixture, INDEX_SEGMENT, key, META_SEGMENT_KEY_SIZE, 4096);
    meta_share_key(first_frame(fixture, "file-9").segment, 0, key);
    check_plant_number(fixture, INDEX_SHARE, key, META_SHARE_KEY_SIZE, 3);
    meta_share_key(first_frame(fixture, "copy").segment, first_frame(fixture, "copy").offset, key);
    check_plant(fixture, INDEX_SHARE, key, META_SHARE_KEY_SIZE, NULL, 0);
    check_plant(fixture, INDEX_SHARE, key, 3, "", 0);
    meta_share_key(INT64_MAX, 4096, key);
    check_plant_number(fixture, INDEX_SHARE, key, META_SHARE_KEY_SIZE, 2);
}

static void with_little_memory_the_same_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct found *found;
    struct found *again;

    fill_and_damage_segments(fixture);
    assert_int_equal(check_run(fixture, false, &found), 0);
    assert_true(found->result.unreadable >= 3 && found->result.left >= 5);
    for (uint64_t size = 1; size < 4096; size *= 3) {
        check_frames_size_max = size;
        assert_int_equal(check_run(fixture, false, &again), 0);
        assert_memory_equal(&found->result, &again->result, sizeof(found->result));
        assert_int_equal(found->count, again->count);
        free(again);
    }
    check_frames_size_max = 1;
    assert_int_equal(check_run(fixture, true, &again), 0);
    assert_int_equal(again->result.fixed, found->result.left);
    assert_int_equal(again->result.unreadable, found->result.unreadable);
    assert_int_equal(again->result.left, 0);
    free(again);
    check_frames_size_max = 0;
    assert_int_equal(check_run(fixture, true, &again), 0);
    assert_int_equal(again->result.fixed + again->result.left, 0);
    free(again);
    free(found);
}

/* Bytes of a segment that nobody commits or gives back. */
static void append_garbage(struct fixture *fixture)
{
    void *bytes = aligned_alloc(SEGMENT_ALIGNMENT, TFS_MIB);
    struct iovec piece = segment_piece(bytes, TFS_MIB);
    struct segment_position at;

    assert_non_null(bytes);
    memset(bytes, 1, TFS_MIB);
    assert_int_equal(segments_appendv(fixture->volume->segments, &piece, 1, &at), 0);
    assert_int_equal(segments_seal(fixture->volume->segments), 0);
    free(bytes);
}

static void rows_of_an_inode_that_is_lost_are_kept(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[META_INODE_KEY_SIZE];
    atomic_bool stop = false;
    struct found *found;
    uint64_t after;

    meta_inode_key(check_inode_of(fixture, "copy"), key);
    check_plant(fixture, INDEX_INODE, key, sizeof(key), NULL, 0);
    assert_int_equal(check_run(fixture, true, &found), 0);
    (void)check_expect(found, TFS_CHECK_NAME, TFS_CHECK_FIXED);
    (void)check_expect(found, TFS_CHECK_ROW, TFS_CHECK_UNREADABLE);
    assert_int_equal(found->result.left, 0);
    free(found);
    after = check_sum_of_index(fixture);
    assert_int_equal(check_run(fixture, true, &found), 0);
    assert_int_equal(found->result.fixed + found->result.left, 0);
    free(found);
    assert_true(check_sum_of_index(fixture) == after);
    check_assert_content(fixture, "copy");
    /* Nor does a mount after a crash take their frames for garbage. */
    fixture_open(fixture);
    append_garbage(fixture); /* else there is nothing to look for */
    assert_int_equal(sweep_segments(fixture->volume, 1, UINT64_MAX, &stop), -EUCLEAN);
    fixture_close(fixture);
}

#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, check_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(settings_that_are_missing_or_too_low_are_set),
        CHECK_TEST(no_new_file_gets_the_number_of_rows_without_an_inode),
        CHECK_TEST(appending_does_not_go_on_inside_of_frames_in_use),
        CHECK_TEST(appending_goes_on_where_a_frame_can_begin),
        CHECK_TEST(a_mount_does_not_cut_off_what_is_in_use),
        CHECK_TEST(numbers_far_out_leave_numbers_for_new_files_and_segments),
        CHECK_TEST(a_row_with_an_impossible_segment_number_is_none),
        CHECK_TEST(an_unknown_setting_is_noted_and_kept),
        CHECK_TEST(live_bytes_are_counted_again),
        CHECK_TEST(users_of_frames_are_counted_again),
        CHECK_TEST(keys_that_nobody_asks_for_are_removed),
        CHECK_TEST(a_damaged_header_is_listed_for_each_file_that_shows_it),
        CHECK_TEST(a_missing_segment_is_listed_and_all_else_is_readable),
        CHECK_TEST(a_cut_segment_is_listed_from_the_cut_on),
        CHECK_TEST(a_row_that_is_none_is_listed_and_nothing_it_may_use_is_given_up),
        CHECK_TEST(a_row_far_behind_the_end_makes_no_file_longer),
        CHECK_TEST(rows_not_far_behind_the_end_are_data_that_a_size_hides),
        CHECK_TEST(with_little_memory_the_same_is_found),
        CHECK_TEST(rows_of_an_inode_that_is_lost_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
