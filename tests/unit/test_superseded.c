/*
 * What is asked of a file's frames is answered from the newer ones when they are superseded and
 * given back between the look at their row and the look at them; and damage is still told.
 *
 * Method: the read of a frame's header from the segments first has the file overwritten and the old
 * frames punched.
 */
#include "store_fixture.h"

#include "store/base/crc32c.h"
#include "store/report.h"
#include "store/segment/engine.h"
#include "store/space/reclaim.h"
#include "store/volume.h"

#include <errno.h>
#include <string.h>

enum { BLOCK_SIZE = 256 * 1024, BLOCK_COUNT = 4, FILE_SIZE = BLOCK_SIZE * BLOCK_COUNT };

static struct tfs_file *to_overwrite; /* at the next read from the segments */
static struct tfs_volume *its_volume;

static int read_segment(struct segment_store *store, struct segment_position at, size_t size,
                        const struct segment_pieces *into, size_t *ret_skip)
{
    struct tfs_file *file = TAKE_PTR(to_overwrite);

    if (file) {
        fixture_write_random(file, 0, FILE_SIZE, 2);
        assert_int_equal(tfs_file_sync(file, false), 0);
        reclaim_hurry(its_volume->reclaim);
    }
    return segment_local.read(store, at, size, into, ret_skip);
}

static int set_up(void **state)
{
    static struct segment_engine engine;

    engine = segment_local;
    engine.read = read_segment;
    return fixture_set_up_with(state, NULL, &engine);
}

static struct tfs_file *make_file(struct fixture *fixture)
{
    struct tfs_file *file = fixture_create(fixture, "file");

    fixture_write_random(file, 0, FILE_SIZE, 1);
    assert_int_equal(tfs_file_sync(file, false), 0);
    its_volume = fixture->volume;
    to_overwrite = file;
    return file;
}

static void checksums_are_the_new_ones(void **state)
{
    struct tfs_file *file = make_file(*state);
    uint8_t *bytes = malloc(FILE_SIZE);
    uint32_t checksums[BLOCK_COUNT];
    uint32_t block_size;

    assert_non_null(bytes);
    assert_int_equal(tfs_file_block_checksums(file, 0, checksums, BLOCK_COUNT, &block_size),
                     BLOCK_COUNT);
    assert_null(to_overwrite);
    assert_int_equal(block_size, BLOCK_SIZE);
    fixture_fill(bytes, FILE_SIZE, 2);
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        assert_int_equal(checksums[i], tfs_crc32c(0, bytes + i * BLOCK_SIZE, BLOCK_SIZE));
    free(bytes);
    tfs_file_close(file);
}

static void info_counts_the_new_frames_once(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    struct tfs_file_info info;

    assert_int_equal(tfs_volume_get_file_info(fixture->volume, tfs_file_inode(file), &info), 0);
    assert_null(to_overwrite);
    assert_int_equal(info.chunk_count, 1);
    assert_int_equal(info.frame_count, 1);
    assert_int_equal(info.block_count, 4);
    tfs_file_close(file);
}

static int take_place(void *context, const struct tfs_frame_place *place)
{
    *(struct tfs_frame_place *)context = *place;
    return 0;
}

static void damage_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = make_file(fixture);
    uint64_t inode = tfs_file_inode(file);
    struct tfs_frame_place place;
    const struct tfs_frame_visitor visitor = {.visit = take_place, .context = &place};
    struct tfs_file_info info;
    uint32_t checksum;
    uint32_t block_size;

    to_overwrite = NULL;
    assert_int_equal(tfs_volume_visit_frames(fixture->volume, inode, &visitor), 0);
    fixture_flip(fixture, place.segment, place.segment_offset);
    assert_int_equal(tfs_file_block_checksums(file, 0, &checksum, 1, &block_size), -EIO);
    assert_int_equal(tfs_volume_get_file_info(fixture->volume, inode, &info), -EUCLEAN);
    tfs_file_close(file);
}

#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VOLUME_TEST(checksums_are_the_new_ones),
        VOLUME_TEST(info_counts_the_new_frames_once),
        VOLUME_TEST(damage_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
