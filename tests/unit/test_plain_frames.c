/*
 * What does not compress is written from the chunks' buffers and read into the cache's: every byte
 * comes back, none that is not the file's reaches the disk, and damage costs no more than it hits.
 *
 * Method: files of random bytes, and volumes closed and opened again, so that nothing is cached.
 * The codec is wrapped, so that it makes packed frames when told to, as programs before did.
 */
#include "store_fixture.h"

#include "store/check/scrub.h"
#include "store/codec/frame.h"
#include "store/report.h"
#include "store/segment/segment.h"
#include "store/space/gc.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = SEGMENT_ALIGNMENT, UNIT = FRAME_BUFFER_SIZE, PLACES_MAX = 64 };

static bool always_packed;

int64_t __real_frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                            const struct frame_source *source, void *dst, size_t capacity);
int64_t __wrap_frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                            const struct frame_source *source, void *dst, size_t capacity);

int64_t __wrap_frame_encode(struct codec_ctx *ctx, const struct codec_spec *spec,
                            const struct frame_source *source, void *dst, size_t capacity)
{
    struct frame_source changed = *source;

    if (always_packed)
        changed.plain = false;
    return __real_frame_encode(ctx, spec, &changed, dst, capacity);
}

struct places {
    struct tfs_frame_place items[PLACES_MAX];
    size_t count;
};

static int keep_place(void *context, const struct tfs_frame_place *place)
{
    struct places *places = context;

    assert_true(places->count < PLACES_MAX);
    places->items[places->count++] = *place;
    return 0;
}

static struct places places_of(struct fixture *fixture, const char *name)
{
    struct places places = {.count = 0};
    struct tfs_frame_visitor visitor = {keep_place, &places};

    assert_int_equal(tfs_volume_visit_frames(
                         fixture->volume, fixture_lookup(fixture, TFS_ROOT_INODE, name), &visitor),
                     0);
    return places;
}

static bool is_plain(const struct tfs_frame_place *place)
{
    return place->stored_size == frame_plain_offset(place->block_count) + place->raw_size;
}

/* ---- every byte ---- */

/* Reads [from, from + size) in one request and compares it with what the file was made of. */
static void assert_range(struct tfs_file *file, const uint8_t *wanted, uint64_t from, uint32_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    assert_int_equal(fixture_read(file, from, bytes, size), size);
    assert_memory_equal(bytes, wanted + from, size);
    free(bytes);
}

/* Sizes around those of pages, units and chunks. */
static uint32_t size_number(size_t number)
{
    static const uint32_t sizes[] = {UNIT,      UNIT + PAGE, 2 * UNIT, 3 * UNIT + 5 * PAGE,
                                     16 * UNIT, 17 * UNIT};

    assert_true(number < 3 * TFS_ARRAY_COUNT(sizes));
    return sizes[number / 3] + (uint32_t)(number % 3) - 1;
}

enum { SIZE_COUNT = 18 };

static const char *file_name(uint32_t size)
{
    static char name[32];

    (void)snprintf(name, sizeof(name), "file-%u", size);
    return name;
}

static void make_files(struct fixture *fixture)
{
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        uint32_t size = size_number(i);
        struct places places;

        fixture_make_file(fixture, file_name(size), size, size);
        places = places_of(fixture, file_name(size));
        assert_true(places.count > 0);
        for (size_t k = 0; k < places.count; k++)
            assert_int_equal(is_plain(&places.items[k]), places.items[k].raw_size >= UNIT);
    }
}

static void assert_files_from_their_ends(struct fixture *fixture)
{
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        uint32_t size = size_number(i);
        struct tfs_file *file = fixture_open_file(fixture, file_name(size));
        uint8_t *wanted = malloc(size);

        assert_non_null(wanted);
        fixture_fill(wanted, size, size);
        assert_range(file, wanted, size - 1, 1);
        assert_range(file, wanted, size / 2, size - size / 2);
        assert_range(file, wanted, 0, size);
        tfs_file_close(file);
        free(wanted);
    }
}

static void files_of_every_size_read_back(struct fixture *fixture)
{
    fixture_open(fixture);
    make_files(fixture);
    fixture_reopen(fixture);
    for (size_t i = 0; i < SIZE_COUNT; i++)
        fixture_assert_file(fixture, file_name(size_number(i)), size_number(i), size_number(i));
    fixture_reopen(fixture);
    assert_files_from_their_ends(fixture);
}

static void every_size_reads_back_with_direct_io(void **state)
{
    files_of_every_size_read_back(*state);
}

static void every_size_reads_back_without_direct_io(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.direct = false;
    files_of_every_size_read_back(fixture);
}

static void small_blocks_read_back(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.chunk_size = PAGE;
    fixture->options.compression = (struct codec_spec){CODEC_NONE, 0};
    files_of_every_size_read_back(fixture);
}

static void blocks_of_less_than_a_page_are_packed(void **state)
{
    struct fixture *fixture = *state;
    struct places places;

    fixture->options.chunk_size = PAGE / 2;
    fixture_open(fixture);
    fixture_make_file(fixture, "file", 2 * UNIT, 1);
    places = places_of(fixture, "file");
    assert_int_equal(places.count, 2);
    for (size_t i = 0; i < places.count; i++)
        assert_false(is_plain(&places.items[i]));
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "file", 2 * UNIT, 1);
}

static void a_part_that_is_overwritten_reads_back_with_the_rest(void **state)
{
    enum { SIZE = 9 * UNIT + 777 };
    struct fixture *fixture = *state;
    uint8_t *wanted = malloc(SIZE);
    struct tfs_file *file;

    assert_non_null(wanted);
    fixture_fill(wanted, SIZE, 1);
    fixture_open(fixture);
    fixture_make_file(fixture, "file", SIZE, 1);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    fixture_fill(wanted + UNIT + 100, 2 * UNIT, 2); /* its edges are completed from the frame */
    fixture_write(file, UNIT + 100, wanted + UNIT + 100, 2 * UNIT);
    fixture_fill(wanted + SIZE - 1000, 1000, 3);
    fixture_write(file, SIZE - 1000, wanted + SIZE - 1000, 1000);
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    fixture_reopen(fixture);
    file = fixture_open_file(fixture, "file");
    assert_range(file, wanted, 0, SIZE);
    tfs_file_close(file);
    free(wanted);
}

static void packed_frames_of_programs_before_are_read_beside_plain_ones(void **state)
{
    enum { SIZE = 20 * UNIT + 5000 };
    struct fixture *fixture = *state;
    struct tfs_file *file;
    struct places places;

    fixture_open(fixture);
    always_packed = true;
    fixture_make_file(fixture, "packed", SIZE, 1);
    fixture_make_file(fixture, "both", SIZE, 1);
    always_packed = false;
    places = places_of(fixture, "packed");
    for (size_t i = 0; i < places.count; i++)
        assert_false(is_plain(&places.items[i]));
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "packed", SIZE, 1);

    file = fixture_open_file(fixture, "both");
    fixture_write_random(file, 0, 2 * UNIT, 1); /* the same bytes, plain */
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    places = places_of(fixture, "both");
    assert_true(is_plain(&places.items[0]) && !is_plain(&places.items[1]));
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "both", SIZE, 1);
}

/* ---- nothing else ---- */

static void behind_the_last_byte_there_are_zeros_on_the_disk(void **state)
{
    enum { LONG = 2 * UNIT, SIZE = LONG - PAGE - 100 };
    struct fixture *fixture = *state;
    struct tfs_file *file;
    struct places places;
    uint8_t page[PAGE];
    int fd;

    fixture_open(fixture);
    file = fixture_create(fixture, "file");
    fixture_write_random(file, 0, LONG, 1);
    fixture_truncate(fixture, tfs_file_inode(file), SIZE); /* the buffer has had more */
    assert_int_equal(tfs_file_sync(file, false), 0);
    tfs_file_close(file);
    places = places_of(fixture, "file");
    assert_int_equal(places.count, 1);
    assert_true(is_plain(&places.items[0]));
    assert_int_equal(places.items[0].raw_size, SIZE);

    fd = fixture_open_segment(fixture, places.items[0].segment);
    assert_int_equal(pread(fd, page, PAGE, (off_t)places.items[0].segment_offset), PAGE);
    for (size_t at = frame_header_size(2); at < PAGE; at++)
        assert_int_equal(page[at], 0);
    assert_int_equal(
        pread(fd, page, PAGE, (off_t)(places.items[0].segment_offset + PAGE + SIZE / PAGE * PAGE)),
        PAGE);
    for (size_t at = SIZE % PAGE; at < PAGE; at++)
        assert_int_equal(page[at], 0);
    (void)close(fd); /* only read */
}

static void a_file_made_longer_reads_zeros_behind_its_old_end(void **state)
{
    enum { SIZE = UNIT + 2 * PAGE + 100, LONG = 3 * UNIT };
    struct fixture *fixture = *state;
    struct tfs_file *file;

    fixture_open(fixture);
    fixture_make_file(fixture, "other", 8 * UNIT, 2); /* bytes in the buffers */
    fixture_make_file(fixture, "file", SIZE, 1);
    fixture_truncate(fixture, fixture_lookup(fixture, TFS_ROOT_INODE, "file"), LONG);
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "other", 8 * UNIT, 2);
    file = fixture_open_file(fixture, "file");
    fixture_assert_random(file, 0, SIZE, 1);
    fixture_assert_zeros(file, SIZE, LONG - SIZE);
    tfs_file_close(file);
}

/* ---- damage ---- */

static bool reads(struct tfs_file *file, uint64_t from, uint32_t size)
{
    struct tfs_read read;
    int err = tfs_file_read(file, from, size, &read);
    size_t got;

    if (err) {
        assert_int_equal(err, -EIO);
        return false;
    }
    got = read.size;
    tfs_read_release(&read);
    assert_int_equal(got, size);
    return true;
}

static uint64_t damaged_bytes(struct fixture *fixture)
{
    struct tfs_scrub_options options = {0};
    struct tfs_scrub_result result;

    assert_int_equal(tfs_scrub(fixture->volume, &options, &result), 0);
    return result.damaged_bytes;
}

static void a_damaged_unit_is_not_read_and_all_others_are(void **state)
{
    enum { COUNT = 4, SIZE = 3 * UNIT + PAGE + 100 };
    struct fixture *fixture = *state;
    struct tfs_frame_place place;

    fixture_open(fixture);
    fixture_make_file(fixture, "file", SIZE, 1);
    place = places_of(fixture, "file").items[0];
    for (uint32_t bad = 0; bad < COUNT; bad++) {
        uint64_t at = place.segment_offset + place.stored_size - SIZE + (uint64_t)bad * UNIT + 5000;
        uint32_t bad_size = bad + 1 < COUNT ? UNIT : SIZE % UNIT;
        struct tfs_file *file;

        if (bad + 1 == COUNT)
            at = place.segment_offset + place.stored_size - 1; /* in the last page, copied apart */
        fixture_flip(fixture, place.segment, at);
        fixture_reopen(fixture);
        file = fixture_open_file(fixture, "file");
        assert_false(reads(file, 0, SIZE));
        for (uint32_t unit = 0; unit < COUNT; unit++)
            assert_int_equal(reads(file, unit * UNIT, unit + 1 < COUNT ? UNIT : SIZE % UNIT),
                             unit != bad);
        tfs_file_close(file);
        assert_int_equal(damaged_bytes(fixture), bad_size);
        fixture_flip(fixture, place.segment, at);
    }
    fixture_reopen(fixture);
    fixture_assert_file(fixture, "file", SIZE, 1);
}

static void a_damaged_header_or_table_takes_the_frame_and_what_pads_it_nothing(void **state)
{
    enum { SIZE = 2 * UNIT + 100 };
    static const struct {
        uint32_t at;
        bool matters;
    } places[] = {
        {4, true},
        {44, true},
        {FRAME_FIXED_HEADER_SIZE + 2 * FRAME_TABLE_ENTRY_SIZE + 5, true},
        {FRAME_FIXED_HEADER_SIZE + 3 * FRAME_TABLE_ENTRY_SIZE, false},
        {PAGE - 1, false},
        {PAGE + SIZE, false},                                /* behind the last byte */
        {PAGE + (SIZE + PAGE - 1) / PAGE * PAGE - 1, false}, /* to the end of its page */
    };
    struct fixture *fixture = *state;
    struct tfs_frame_place place;

    fixture_open(fixture);
    fixture_make_file(fixture, "file", SIZE, 1);
    place = places_of(fixture, "file").items[0];
    for (size_t i = 0; i < TFS_ARRAY_COUNT(places); i++) {
        struct tfs_file *file;

        fixture_flip(fixture, place.segment, place.segment_offset + places[i].at);
        fixture_reopen(fixture);
        file = fixture_open_file(fixture, "file");
        assert_int_equal(reads(file, 0, SIZE), !places[i].matters);
        assert_int_equal(reads(file, UNIT, UNIT), !places[i].matters);
        if (!places[i].matters)
            fixture_assert_random(file, 0, SIZE, 1);
        tfs_file_close(file);
        assert_int_equal(damaged_bytes(fixture), places[i].matters ? SIZE : 0);
        fixture_flip(fixture, place.segment, place.segment_offset + places[i].at);
    }
}

static void of_a_frame_that_was_cut_off_what_is_there_is_read(void **state)
{
    enum { SIZE = 2 * UNIT + 100 };
    struct fixture *fixture = *state;
    struct tfs_frame_place place;
    struct tfs_file *file;
    int fd;

    fixture_open(fixture);
    fixture_make_file(fixture, "file", SIZE, 1);
    place = places_of(fixture, "file").items[0];
    assert_int_equal(segments_seal(fixture->volume->segments), 0); /* or it is made longer again */
    fixture_reopen(fixture);
    fd = fixture_open_segment(fixture, place.segment);
    file = fixture_open_file(fixture, "file");
    assert_int_equal(ftruncate(fd, (off_t)(place.segment_offset + place.stored_size - 1)), 0);
    assert_false(reads(file, 0, SIZE));
    assert_true(reads(file, 0, 2 * UNIT));
    assert_false(reads(file, 2 * UNIT, 100));
    fixture_assert_random(file, 0, 2 * UNIT, 1);
    tfs_file_close(file);
    (void)close(fd); /* cut already */
}

static int set_up(void **state)
{
    always_packed = false;
    return fixture_set_up_closed(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_size_reads_back_with_direct_io),
        TEST(every_size_reads_back_without_direct_io),
        TEST(small_blocks_read_back),
        TEST(blocks_of_less_than_a_page_are_packed),
        TEST(a_part_that_is_overwritten_reads_back_with_the_rest),
        TEST(packed_frames_of_programs_before_are_read_beside_plain_ones),
        TEST(behind_the_last_byte_there_are_zeros_on_the_disk),
        TEST(a_file_made_longer_reads_zeros_behind_its_old_end),
        TEST(a_damaged_unit_is_not_read_and_all_others_are),
        TEST(a_damaged_header_or_table_takes_the_frame_and_what_pads_it_nothing),
        TEST(of_a_frame_that_was_cut_off_what_is_there_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
