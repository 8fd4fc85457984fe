/*
 * What a volume tells of its files and of itself adds up: sizes, chunks as they are stored beside
 * the size that the user set, counters that move with what was done.
 */
#include "store_fixture.h"

#include "store/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct tfs_file_info info_of(struct fixture *fixture, uint64_t inode)
{
    struct tfs_file_info info;

    assert_int_equal(tfs_volume_get_file_info(fixture->volume, inode, &info), 0);
    return info;
}

static struct tfs_stored_bytes sum_of(const struct tfs_stored_bytes *bytes, size_t count)
{
    struct tfs_stored_bytes sum = {0};

    for (size_t i = 0; i < count; i++) {
        sum.raw += bytes[i].raw;
        sum.stored += bytes[i].stored;
    }
    return sum;
}

/* Whatever a file is made of: the tables are its bytes told three times. */
static void assert_adds_up(const struct tfs_file_info *info, uint64_t data_size)
{
    struct tfs_stored_bytes kinds = sum_of(info->kinds, CODEC_KIND_COUNT);
    struct tfs_stored_bytes methods = sum_of(info->methods, CODEC_METHOD_COUNT);
    struct tfs_stored_bytes codecs = sum_of(info->codecs, CODEC_ID_COUNT);

    assert_int_equal(kinds.raw, data_size);
    assert_int_equal(methods.raw, data_size);
    assert_int_equal(codecs.raw, data_size);
    assert_int_equal(kinds.stored, methods.stored);
    assert_int_equal(codecs.stored, kinds.stored + info->header_size);
    assert_int_equal(codecs.stored, info->stored_size);
    assert_true(info->chunk_count * info->chunk_size >= data_size);
    assert_true((info->chunk_count - 1) * info->chunk_size < data_size);
    assert_true(info->block_count * info->block_size >= data_size);
}

static void what_is_told_of_a_file_adds_up(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_file_info info;

    fixture_write_random(file, 0, 5 * TFS_MIB, 1); /* not written back yet */
    info = info_of(fixture, tfs_file_inode(file));
    assert_int_equal(info.size, 5 * TFS_MIB);
    assert_in_range(info.stored_size, 5 * TFS_MIB, 5 * TFS_MIB + 8192); /* and two headers */
    assert_int_equal(info.record_size, TFS_CHUNK_SIZE_DEFAULT);
    assert_int_equal(info.chunk_count, 2);
    assert_int_equal(info.frame_count, 2);
    assert_adds_up(&info, 5 * TFS_MIB);
    tfs_file_close(file);
}

/* Records above 4 MiB are stored in parts, small ones together. */
static void chunks_are_counted_as_they_are_stored_beside_the_size_that_was_set(void **state)
{
    static const struct {
        uint64_t record_size;
        uint64_t chunk_size;
        uint64_t chunk_count; /* of a file of 8 MiB */
    } cases[] = {
        {64 * TFS_MIB, 4 * TFS_MIB, 2},
        {4 * TFS_MIB, 4 * TFS_MIB, 2},
        {TFS_MIB, TFS_MIB, 8},
        {256 * TFS_KIB, 256 * TFS_KIB, 32},
        {4 * TFS_KIB, 256 * TFS_KIB, 32},
        {256, 256 * TFS_KIB, 32},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < TFS_ARRAY_COUNT(cases); i++) {
        struct tfs_file_info info;

        fixture_close(fixture);
        fixture->options.chunk_size = cases[i].record_size;
        fixture_open(fixture);
        fixture_make_file(fixture, "file", 8 * TFS_MIB, i);
        info = info_of(fixture, fixture_lookup(fixture, TFS_ROOT_INODE, "file"));
        assert_int_equal(info.record_size, cases[i].record_size);
        assert_int_equal(info.chunk_size, cases[i].chunk_size);
        assert_int_equal(info.chunk_count, cases[i].chunk_count);
        assert_adds_up(&info, 8 * TFS_MIB);
        fixture_remove_file(fixture, "file");
    }
}

static void holes_are_no_chunks(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_file_info info;

    fixture_truncate(fixture, tfs_file_inode(file), TFS_GIB);
    info = info_of(fixture, tfs_file_inode(file));
    assert_int_equal(info.size, TFS_GIB);
    assert_int_equal(info.stored_size, 0);
    assert_int_equal(info.chunk_count, 0);
    assert_int_equal(info.frame_count, 0);
    fixture_write_random(file, 512 * TFS_MIB, TFS_MIB, 1);
    info = info_of(fixture, tfs_file_inode(file));
    assert_int_equal(info.chunk_count, 1);
    assert_adds_up(&info, TFS_MIB);
    tfs_file_close(file);
}

static void only_a_regular_file_can_be_told_of(void **state)
{
    struct fixture *fixture = *state;
    uint64_t link = fixture_make(fixture, TFS_ROOT_INODE, "link", S_IFLNK);
    struct tfs_file_info info = {.size = 42};

    assert_int_equal(tfs_volume_get_file_info(fixture->volume, TFS_ROOT_INODE, &info), -ENODATA);
    assert_int_equal(tfs_volume_get_file_info(fixture->volume, link, &info), -ENODATA);
    assert_int_equal(tfs_volume_get_file_info(fixture->volume, 4711, &info), -ESTALE);
    assert_int_equal(info.size, 42);
}

static struct tfs_volume_stats stats_of(struct fixture *fixture)
{
    struct tfs_volume_stats stats;

    tfs_volume_get_stats(fixture->volume, &stats);
    return stats;
}

static void counters_follow_what_is_done(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_volume_stats before = stats_of(fixture);
    struct tfs_volume_stats now;

    fixture_make_file(fixture, "file", 5 * TFS_MIB, 1);
    now = stats_of(fixture);
    assert_int_equal(now.written_bytes - before.written_bytes, 5 * TFS_MIB);
    assert_int_equal(now.flush.chunks - before.flush.chunks, 2);
    assert_int_equal(now.flush.raw_bytes - before.flush.raw_bytes, 5 * TFS_MIB);
    assert_in_range(now.flush.stored_bytes - before.flush.stored_bytes, 5 * TFS_MIB, 6 * TFS_MIB);
    assert_int_equal(now.times.encode.count - before.times.encode.count, 2);
    assert_true(now.commit.syncs > before.commit.syncs);
    assert_true(now.sync.segments_made > before.sync.segments_made);
    assert_true(now.sync.segments_made <= now.sync.segments_asked);
    assert_true(now.live_bytes >= before.live_bytes + 5 * TFS_MIB);
    fixture_reopen(fixture);
    assert_int_equal(stats_of(fixture).written_bytes, 0); /* since the volume was opened */
    fixture_assert_file(fixture, "file", 5 * TFS_MIB, 1);
    now = stats_of(fixture);
    assert_int_equal(now.read_bytes, 5 * TFS_MIB);
    assert_true(now.cache.misses > 0);
    assert_true(now.cache.bytes <= now.cache.bytes_max);
    assert_true(now.times.load.count > 0);
}

static void gauges_stay_within_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct tfs_file *file = fixture_create(fixture, "file");
    struct tfs_volume_stats stats;

    fixture_write_random(file, 0, TFS_MIB, 1);
    stats = stats_of(fixture);
    assert_int_equal(stats.memory.budget, fixture->options.memory_size);
    assert_true(stats.memory.dirty >= TFS_MIB);
    assert_true(stats.memory.dirty <= stats.memory.used);
    assert_true(stats.memory.used <= stats.memory.buffers);
    assert_true(stats.memory.inodes >= 1);
    tfs_file_close(file);
}

struct layout {
    unsigned segments;
    uint64_t live;
    unsigned properties;
    int answer; /* to the first segment */
};

static int take_segment(void *context, const struct tfs_segment_info *segment)
{
    struct layout *layout = context;

    assert_true(segment->live <= segment->size);
    layout->segments++;
    layout->live += segment->live;
    return layout->answer;
}

static void take_property(void *context, const char *name, const char *value)
{
    struct layout *layout = context;

    assert_true(name[0] != '\0');
    assert_non_null(value);
    layout->properties++;
}

static void the_segments_hold_what_is_live(void **state)
{
    struct fixture *fixture = *state;
    struct layout layout = {.answer = 0};

    fixture_make_file(fixture, "file", 5 * TFS_MIB, 1);
    assert_int_equal(tfs_volume_visit_segments(fixture->volume, take_segment, &layout), 0);
    assert_true(layout.segments > 0);
    assert_int_equal(layout.live, stats_of(fixture).live_bytes);
    tfs_volume_visit_index(fixture->volume, take_property, &layout);
    assert_true(layout.properties > 0);
    layout.answer = -ECANCELED;
    layout.segments = 0;
    assert_int_equal(tfs_volume_visit_segments(fixture->volume, take_segment, &layout), -ECANCELED);
    assert_int_equal(layout.segments, 1);
}

#define VOLUME_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VOLUME_TEST(what_is_told_of_a_file_adds_up),
        VOLUME_TEST(chunks_are_counted_as_they_are_stored_beside_the_size_that_was_set),
        VOLUME_TEST(holes_are_no_chunks),
        VOLUME_TEST(only_a_regular_file_can_be_told_of),
        VOLUME_TEST(counters_follow_what_is_done),
        VOLUME_TEST(gauges_stay_within_each_other),
        VOLUME_TEST(the_segments_hold_what_is_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
