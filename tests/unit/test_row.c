/*
 * Rows: what shows where after a replacement, a cut or a split, and that bytes from disk are
 * refused or make a row that keeps its promises.
 *
 * Method: rows are built block by block and compared with a plain map "which frame, which of its
 * bytes" of the chunk; random changes do the same many times over. Rows from bytes are checked the
 * way readers use them.
 */
#include "store/tables/row.h"

#include "store/base/bytes.h"
#include "store/codec/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { BLOCK = 4096, BLOCKS = 64, CHUNK = BLOCK * BLOCKS, MUTATIONS = 200000 };

static const struct row_shape shape = {.block_size = BLOCK, .chunk_size = CHUNK};

static uint64_t dice(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 33;
}

/* An extent of a frame of its own, in a segment, that shows `visible` bytes from block `first` on.
 */
static struct extent stored(uint64_t number, uint32_t first, uint32_t visible)
{
    return (struct extent){
        .start = first * BLOCK,
        .visible_size = visible,
        .frame = {.segment = 7,
                  .offset = number * 4096,
                  .raw_size = visible,
                  .block_count = frame_block_count(visible, BLOCK),
                  .stored_size = (uint32_t)frame_header_size(frame_block_count(visible, BLOCK)) + 1,
                  .header_crc = (uint32_t)number}};
}

/* The same for a frame in the row, whose bytes are `fill`. */
static struct extent inlined(uint8_t fill, uint32_t first, uint32_t visible, uint8_t *bytes)
{
    struct extent extent = stored(0, first, visible);

    extent.frame.segment = 0;
    extent.frame.offset = 0;
    extent.inline_bytes = bytes;
    memset(bytes, fill, extent.frame.stored_size);
    return extent;
}

static struct tfs_row *replace(struct tfs_row *row, const struct extent *extent, uint32_t blocks)
{
    struct tfs_row *next = NULL;

    assert_int_equal(row_replace(row, extent, extent->start + blocks * BLOCK, &next), 0);
    row_unref(row);
    return next;
}

static struct tfs_row *punch(struct tfs_row *row, uint32_t first, uint32_t blocks)
{
    struct extent hole = {.start = first * BLOCK};

    return replace(row, &hole, blocks);
}

static struct tfs_row *clip(struct tfs_row *row, uint32_t size)
{
    struct tfs_row *next = NULL;

    assert_int_equal(row_clip(row, size, &next), 0);
    row_unref(row);
    return next;
}

/* Which byte of which frame shows at a byte of the chunk: 0 for a hole. */
static uint64_t shown_at(const struct tfs_row *row, uint32_t at)
{
    const struct extent *extent = row_find(row, at);

    if (!extent || at < extent->start)
        return 0;
    return ((uint64_t)(extent->frame.header_crc + 1) << 32) + extent_in_frame(extent, at);
}

static void assert_shows(const struct tfs_row *row, const uint64_t *map)
{
    uint32_t end = 0;

    for (uint32_t at = 0; at < CHUNK; at += BLOCK / 4) {
        assert_int_equal(shown_at(row, at), map[at / (BLOCK / 4)]);
        if (map[at / (BLOCK / 4)])
            end = at + 1;
    }
    assert_true(row_end(row) >= end);
}

static void an_empty_row_shows_nothing(void **state)
{
    assert_int_equal(row_end(NULL), 0);
    assert_null(row_find(NULL, 0));
    assert_int_equal(row_stored_size(NULL), 0);
    assert_null(row_ref(NULL));
    row_unref(NULL);
    assert_null(punch(NULL, 0, BLOCKS));
    assert_null(clip(NULL, 0));
}

static void a_row_that_loses_its_last_extent_is_the_empty_row(void **state)
{
    struct extent extent = stored(1, 3, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &extent, 2);

    assert_int_equal(row->extent_count, 1);
    assert_null(punch(row_ref(row), 3, 2));
    assert_null(clip(row, 3 * BLOCK));
}

static void an_overwrite_in_the_middle_splits_an_extent(void **state)
{
    struct extent whole = stored(1, 0, CHUNK);
    struct extent middle = stored(2, 10, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &whole, BLOCKS);

    row = replace(row, &middle, 2);
    assert_int_equal(row->extent_count, 3);
    assert_int_equal(row->extents[0].visible_size, 10 * BLOCK);
    assert_int_equal(row->extents[2].start, 12 * BLOCK);
    assert_int_equal(row->extents[2].frame_offset, 12 * BLOCK);
    assert_int_equal(row->extents[2].visible_size, CHUNK - 12 * BLOCK);
    assert_true(row_has_frame(row, &whole.frame));
    assert_true(row_shows_first(row, 0));
    assert_false(row_shows_first(row, 2));
    assert_int_equal(row_stored_size(row), whole.frame.stored_size + middle.frame.stored_size);
    row_unref(row);
}

static void a_full_overwrite_forgets_the_old_frames(void **state)
{
    struct extent one = stored(1, 0, 10 * BLOCK);
    struct extent two = stored(2, 20, 10 * BLOCK);
    struct extent all = stored(3, 0, CHUNK);
    struct tfs_row *row = replace(replace(replace(NULL, &one, 10), &two, 10), &all, BLOCKS);

    assert_int_equal(row->extent_count, 1);
    assert_false(row_has_frame(row, &one.frame));
    assert_false(row_has_frame(row, &two.frame));
    row_unref(row);
}

static void bytes_behind_a_short_last_block_are_a_hole(void **state)
{
    struct extent extent = stored(1, 0, BLOCK + 100);
    struct tfs_row *row = replace(NULL, &extent, 2);

    assert_int_equal(row_end(row), BLOCK + 100);
    assert_int_equal(extent_end(&row->extents[0]), BLOCK + 100);
    assert_non_null(row_find(row, BLOCK + 99));
    assert_null(row_find(row, BLOCK + 100));
    row_unref(row);
}

static void a_cut_inside_of_a_block_keeps_the_bytes_before_it(void **state)
{
    struct extent one = stored(1, 0, 2 * BLOCK);
    struct extent two = stored(2, 2, 2 * BLOCK);
    struct tfs_row *row = replace(replace(NULL, &one, 2), &two, 2);

    row = clip(row, 2 * BLOCK + 1);
    assert_int_equal(row->extent_count, 2);
    assert_int_equal(row_end(row), 2 * BLOCK + 1);
    row = clip(row, 2 * BLOCK);
    assert_int_equal(row->extent_count, 1);
    row = clip(row, 1);
    assert_int_equal(row_end(row), 1);
    assert_null(clip(row, 0));
}

static void a_cut_at_or_behind_the_end_changes_nothing(void **state)
{
    struct extent extent = stored(1, 1, 2 * BLOCK);
    struct tfs_row *row = replace(NULL, &extent, 2);

    row = clip(clip(row, 3 * BLOCK), UINT32_MAX);
    assert_int_equal(row->extent_count, 1);
    assert_int_equal(row_end(row), 3 * BLOCK);
    row_unref(row);
}

static void both_parts_of_a_split_inline_frame_have_its_bytes(void **state)
{
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    struct extent extent = inlined(0x5a, 0, 8 * BLOCK, bytes);
    size_t size = extent.frame.stored_size;
    struct tfs_row *row = replace(NULL, &extent, 8);

    memset(bytes, 0, sizeof(bytes)); /* the row has a copy */
    row = punch(row, 3, 1);
    assert_int_equal(row->extent_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_ptr_not_equal(row->extents[i].inline_bytes, bytes);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(row->extents[i].inline_bytes[at], 0x5a);
    }
    assert_ptr_not_equal(row->extents[0].inline_bytes, row->extents[1].inline_bytes);
    assert_false(frame_ref_equal(&row->extents[0].frame, &row->extents[1].frame));
    assert_int_equal(frame_ref_disk_size(&row->extents[0].frame), 0);
    row_unref(row);
}

static void a_frame_on_disk_takes_whole_units(void **state)
{
    struct frame_ref frame = {.segment = 1, .stored_size = 1};

    assert_int_equal(frame_ref_disk_size(&frame), 4096);
    frame.stored_size = 4096;
    assert_int_equal(frame_ref_disk_size(&frame), 4096);
    frame.stored_size = 4097;
    assert_int_equal(frame_ref_disk_size(&frame), 8192);
}

/* One random change of row and map alike. */
static struct tfs_row *change(struct tfs_row *row, uint64_t *map, uint64_t number, uint64_t *seed)
{
    uint32_t first = (uint32_t)(dice(seed) % BLOCKS);
    uint32_t blocks = 1 + (uint32_t)(dice(seed) % (BLOCKS - first));
    uint32_t visible = blocks * BLOCK - (uint32_t)(dice(seed) % 4) * (BLOCK / 4);
    struct extent extent = stored(number, first, visible);
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    uint32_t size = (uint32_t)(dice(seed) % CHUNK);
    int what = (int)(dice(seed) % 8);

    if (what == 0) {
        for (uint32_t at = 0; at < CHUNK; at += BLOCK / 4)
            map[at / (BLOCK / 4)] = at < size ? map[at / (BLOCK / 4)] : 0;
        return clip(row, size);
    }
    if (what == 1)
        extent.visible_size = 0;
    if (what == 2) {
        extent = inlined((uint8_t)number, first, visible, bytes);
        extent.frame.header_crc = (uint32_t)number;
    }
    for (uint32_t at = first * BLOCK; at < (first + blocks) * BLOCK; at += BLOCK / 4)
        map[at / (BLOCK / 4)] =
            at - first * BLOCK < extent.visible_size
                ? ((uint64_t)(extent.frame.header_crc + 1) << 32) + (at - first * BLOCK)
                : 0;
    return replace(row, &extent, blocks);
}

static void a_row_shows_what_random_changes_left(void **state)
{
    uint64_t map[CHUNK / (BLOCK / 4)] = {0};
    uint64_t seed = (uint64_t)time(NULL);
    struct tfs_row *row = NULL;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t number = 1; number <= 5000; number++) {
        row = change(row, map, number, &seed);
        assert_shows(row, map);
    }
    row_unref(row);
}

static uint8_t *encode_for(const struct tfs_row *row, const struct row_shape *of, size_t *ret_size)
{
    uint8_t *bytes = malloc(row_encoded_size(row));

    assert_non_null(bytes);
    row_encode(row, of, bytes);
    *ret_size = row_encoded_size(row);
    return bytes;
}

static uint8_t *encode(const struct tfs_row *row, size_t *ret_size)
{
    return encode_for(row, &shape, ret_size);
}

/* Three extents: of a frame, of another in the row, and of the first one again. */
static struct tfs_row *sample_row(void)
{
    uint8_t bytes[ROW_INLINE_SIZE_MAX];
    struct extent whole = stored(1, 0, CHUNK - 10);
    struct extent middle = inlined(0x77, 4, 3 * BLOCK, bytes);

    return replace(replace(NULL, &whole, BLOCKS), &middle, 3);
}

static void a_decoded_row_is_the_encoded_one(void **state)
{
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);

    assert_int_equal(row_decode(bytes, size, &shape, &again), 0);
    memset(bytes, 0xff, size);
    free(bytes); /* the row has its own */
    assert_int_equal(again->extent_count, row->extent_count);
    for (uint32_t i = 0; i < row->extent_count; i++) {
        struct extent a = row->extents[i];
        struct extent b = again->extents[i];

        if (a.frame.segment == 0)
            assert_memory_equal(a.inline_bytes, b.inline_bytes, a.frame.stored_size);
        a.inline_bytes = NULL;
        b.inline_bytes = NULL;
        assert_memory_equal(&a, &b, sizeof(a));
    }
    row_unref(again);
    row_unref(row);
}

static void a_row_of_as_many_extents_as_blocks_is_decoded(void **state)
{
    struct row_shape small = {.block_size = 256, .chunk_size = 256 * ROW_EXTENTS_MAX};
    struct tfs_row *row = NULL;
    struct tfs_row *again;
    uint8_t *bytes;
    size_t size;

    for (uint32_t i = 0; i < ROW_EXTENTS_MAX; i++) {
        struct extent extent = stored(i + 1, 0, 256);
        struct tfs_row *next;

        extent.start = i * 256;
        assert_int_equal(row_replace(row, &extent, (i + 1) * 256, &next), 0);
        row_unref(row);
        row = next;
    }
    bytes = encode_for(row, &small, &size);
    assert_int_equal(row_decode(bytes, size, &small, &again), 0);
    assert_int_equal(again->extent_count, ROW_EXTENTS_MAX);
    row_unref(again);

    tfs_put_le16(bytes + 2, ROW_EXTENTS_MAX + 1);
    assert_int_equal(row_decode(bytes, size, &small, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

/* Blocks of four pages, of which extents may show one. */
static const struct row_shape coarse = {.block_size = 4 * BLOCK, .chunk_size = CHUNK};

/* A page of one frame amid blocks of another. */
static struct tfs_row *page_amid_blocks(void)
{
    struct extent whole = stored(1, 0, CHUNK);
    struct extent page = stored(2, 5, BLOCK);

    whole.frame.block_count = BLOCKS / 4;
    whole.frame.stored_size = (uint32_t)frame_header_size(BLOCKS / 4) + 1;
    return replace(replace(NULL, &whole, BLOCKS), &page, 1);
}

static void a_row_says_in_units_what_blocks_cannot_say(void **state)
{
    struct tfs_row *row = page_amid_blocks();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    assert_int_equal(bytes[0], 2);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), 0);
    assert_true(row_equal(row, again));
    assert_int_equal(again->extents[2].start, 6 * BLOCK);
    assert_int_equal(again->extents[2].frame_offset, 6 * BLOCK);
    assert_int_equal(row_unit(&coarse), 4096);
    row_unref(again);
    free(bytes);
    row_unref(row);
}

static void a_row_in_blocks_is_written_as_it_always_was(void **state)
{
    struct tfs_row *row = clip(page_amid_blocks(), 5 * BLOCK);
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    assert_int_equal(bytes[0], 1);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), 0);
    assert_true(row_equal(row, again));
    row_unref(again);
    bytes[0] = 2; /* there is one way to write a row */
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_in_units_is_refused_when_extents_overlap(void **state)
{
    struct tfs_row *row = page_amid_blocks();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode_for(row, &coarse, &size);

    tfs_put_le16(bytes + 8 + 40, 4); /* the page, where the first extent still shows */
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    tfs_put_le16(bytes + 8 + 40, BLOCKS);
    assert_int_equal(row_decode(bytes, size, &coarse, &again), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_that_is_cut_short_is_refused(void **state)
{
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);

    for (size_t short_size = 0; short_size < size; short_size++) {
        uint8_t *copy = malloc(short_size + 1); /* so that ASan sees a read behind the end */

        assert_non_null(copy);
        copy = realloc(copy, short_size ? short_size : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, short_size);
        assert_int_equal(row_decode(copy, short_size, &shape, &again), -EUCLEAN);
        free(copy);
    }
    free(bytes);
    row_unref(row);
}

static void bytes_that_have_no_meaning_are_refused(void **state)
{
    static const size_t reserved[] = {1, 4, 5, 6, 7};
    struct tfs_row *row = sample_row();
    struct tfs_row *again;
    size_t size;
    uint8_t *bytes = encode(row, &size);
    uint8_t *longer = calloc(1, size + 1);

    assert_non_null(longer);
    memcpy(longer, bytes, size);
    assert_int_equal(row_decode(longer, size + 1, &shape, &again), -EUCLEAN);
    for (size_t i = 0; i < TFS_ARRAY_COUNT(reserved); i++) {
        longer[reserved[i]] ^= 0x80;
        assert_int_equal(row_decode(longer, size, &shape, &again), -EUCLEAN);
        longer[reserved[i]] ^= 0x80;
    }
    assert_int_equal(row_decode(longer, size, &shape, &again), 0);
    row_unref(again);
    free(longer);
    free(bytes);
    row_unref(row);
}

/* One field of the first entry is set to something impossible. */
struct bad_field {
    const char *name;
    size_t at; /* in the entry; see docs/FORMAT.md */
    size_t size;
    uint64_t value;
};

static void impossible_values_are_refused(void **state)
{
    static const struct bad_field fields[] = {
        {"an extent overlaps the next one", 0, 2, 1},
        {"it begins behind the chunk", 0, 2, 0xffff},
        {"it shows bytes behind the frame", 2, 2, 1},
        {"block_count of another size", 4, 4, 2},
        {"block_count 0", 4, 4, 0},
        {"visible_size 0", 8, 4, 0},
        {"visible_size of more than the frame", 8, 4, 4 * BLOCK + 1},
        {"visible_size beyond 32 bits with the start", 8, 4, UINT32_MAX},
        {"raw_size 0", 12, 4, 0},
        {"raw_size of more than a frame", 12, 4, FRAME_RAW_SIZE_MAX + 1},
        {"stored_size of less than a header", 16, 4, 47},
        {"stored_size between a packed and a plain frame", 16, 4, 4096 + 4 * BLOCK - 1},
        {"stored_size of more than a plain frame", 16, 4, 4096 + 4 * BLOCK + 1},
        {"stored_size of more than a frame", 16, 4, UINT32_MAX},
        {"an offset that is not aligned", 32, 8, 4097},
        {"an offset at the end of numbers", 32, 8, ~0ull & ~4095ull},
        {"an offset in an inline frame", 24, 8, 0},
    };
    struct extent first = stored(1, 0, 4 * BLOCK);
    struct extent second = stored(2, 4, 4 * BLOCK);
    struct tfs_row *row = replace(replace(NULL, &first, 4), &second, 4);
    size_t size;
    uint8_t *bytes = encode(row, &size);

    for (size_t i = 0; i < TFS_ARRAY_COUNT(fields); i++) {
        uint8_t bad[200];
        uint8_t raw[8];
        struct tfs_row *again = NULL;

        assert_true(size <= sizeof(bad));
        memcpy(bad, bytes, size);
        tfs_put_le64(raw, fields[i].value);
        memcpy(bad + 8 + fields[i].at, raw, fields[i].size);
        if (row_decode(bad, size, &shape, &again) != -EUCLEAN)
            fail_msg("accepted: %s", fields[i].name);
        assert_null(again);
    }
    bytes[0] = 3;
    assert_int_equal(row_decode(bytes, size, &shape, &row), -EUCLEAN);
    free(bytes);
    row_unref(row);
}

static void a_row_with_a_plain_frame_is_decoded(void **state)
{
    struct extent extent = stored(1, 0, 4 * BLOCK - 7);
    struct tfs_row *row, *again = NULL;
    uint8_t *bytes;
    size_t size;

    extent.frame.stored_size = (uint32_t)frame_plain_size(extent.frame.raw_size, BLOCK);
    row = replace(NULL, &extent, 4);
    bytes = encode(row, &size);
    assert_int_equal(row_decode(bytes, size, &shape, &again), 0);
    assert_true(frame_ref_equal(&again->extents[0].frame, &extent.frame));
    assert_int_equal(again->extents[0].frame.stored_size, 4096 + 4 * BLOCK - 7);
    assert_int_equal(frame_ref_disk_size(&extent.frame), 5 * 4096);
    free(bytes);
    row_unref(again);
    row_unref(row);
}

static void an_inline_frame_larger_than_the_limit_is_refused(void **state)
{
    const size_t size = 8 + 40 + ROW_INLINE_SIZE_MAX;
    uint8_t *bytes = calloc(1, size + 1);
    struct tfs_row *row;

    assert_non_null(bytes);
    bytes[0] = 1;
    bytes[2] = 1;
    tfs_put_le32(bytes + 8 + 4, 1);
    tfs_put_le32(bytes + 8 + 8, BLOCK);
    tfs_put_le32(bytes + 8 + 12, BLOCK);
    tfs_put_le32(bytes + 8 + 16, ROW_INLINE_SIZE_MAX);
    assert_int_equal(row_decode(bytes, size, &shape, &row), 0);
    row_unref(row);
    tfs_put_le32(bytes + 8 + 16, ROW_INLINE_SIZE_MAX + 1);
    assert_int_equal(row_decode(bytes, size + 1, &shape, &row), -EUCLEAN);
    free(bytes);
}

/* Touches all that a reader would. */
static void assert_is_sane(const struct tfs_row *row)
{
    uint32_t free_from = 0;
    unsigned sum = 0;

    assert_true(row->extent_count > 0 && row->extent_count <= ROW_EXTENTS_MAX);
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];

        assert_true(extent->start >= free_from);
        assert_true(extent->visible_size > 0);
        free_from = extent_end(extent);
        assert_true((uint64_t)extent->frame_offset + extent->visible_size <=
                    extent->frame.raw_size);
        for (uint32_t at = 0; !extent->frame.segment && at < extent->frame.stored_size; at++)
            sum += extent->inline_bytes[at];
    }
    assert_true(free_from <= CHUNK);
    assert_true(sum < UINT32_MAX);
}

static void mutated_rows_are_refused_or_sane(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct tfs_row *row = sample_row();
    unsigned refused = 0;
    size_t size;
    uint8_t *bytes = encode(row, &size);
    uint8_t *copy = malloc(size);

    print_message("seed %llu\n", (unsigned long long)seed);
    assert_non_null(copy);
    for (int i = 0; i < MUTATIONS; i++) {
        struct tfs_row *again;
        int err;

        memcpy(copy, bytes, size);
        for (uint64_t count = 1 + dice(&seed) % 3; count > 0; count--)
            copy[dice(&seed) % 128] ^= (uint8_t)(1u << (dice(&seed) % 8));
        err = row_decode(copy, size - (dice(&seed) % 4 ? 0 : dice(&seed) % size), &shape, &again);
        if (err) {
            assert_int_equal(err, -EUCLEAN);
            refused++;
            continue;
        }
        assert_is_sane(again);
        row_unref(again);
    }
    assert_true(refused > MUTATIONS / 10 && refused < MUTATIONS); /* the loop does both */
    free(copy);
    free(bytes);
    row_unref(row);
}

/* A frame inside of its row, of so many bytes, that shows one block. */
static struct extent inside(uint32_t block, const uint8_t *bytes, uint32_t size)
{
    return (struct extent){.start = block * BLOCK,
                           .visible_size = BLOCK,
                           .frame = {.stored_size = size, .raw_size = BLOCK, .block_count = 1},
                           .inline_bytes = bytes};
}

static void inline_bytes_of_a_row_are_counted_but_for_those_that_go(void **state)
{
    static const uint8_t bytes[ROW_INLINE_SIZE_MAX] = {1, 2, 3};
    struct tfs_row *row = NULL;

    (void)state;
    assert_int_equal(row_inline_size(NULL, 0, 0), 0);
    assert_int_equal(row_memory_size(NULL), 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct extent extent = inside(2 * i, bytes, ROW_INLINE_SIZE_MAX);
        struct tfs_row *next;

        assert_int_equal(row_is_fragmented(row, &shape), i > 4);
        assert_int_equal(row_replace(row, &extent, (2 * i + 1) * BLOCK, &next), 0);
        row_unref(row);
        row = next;
        assert_int_equal(row_inline_size(row, 0, 0), (i + 1) * ROW_INLINE_SIZE_MAX);
        assert_int_equal(row_inline_size(row, 2 * i * BLOCK, (2 * i + 1) * BLOCK),
                         i * ROW_INLINE_SIZE_MAX);
    }
    assert_true(row_is_fragmented(row, &shape));
    assert_in_range(row_memory_size(row), 6 * ROW_INLINE_SIZE_MAX, 7 * ROW_INLINE_SIZE_MAX);
    row_unref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_row_shows_nothing),
        cmocka_unit_test(a_row_that_loses_its_last_extent_is_the_empty_row),
        cmocka_unit_test(an_overwrite_in_the_middle_splits_an_extent),
        cmocka_unit_test(a_full_overwrite_forgets_the_old_frames),
        cmocka_unit_test(bytes_behind_a_short_last_block_are_a_hole),
        cmocka_unit_test(a_cut_inside_of_a_block_keeps_the_bytes_before_it),
        cmocka_unit_test(a_cut_at_or_behind_the_end_changes_nothing),
        cmocka_unit_test(both_parts_of_a_split_inline_frame_have_its_bytes),
        cmocka_unit_test(a_frame_on_disk_takes_whole_units),
        cmocka_unit_test(a_row_shows_what_random_changes_left),
        cmocka_unit_test(a_decoded_row_is_the_encoded_one),
        cmocka_unit_test(a_row_of_as_many_extents_as_blocks_is_decoded),
        cmocka_unit_test(a_row_says_in_units_what_blocks_cannot_say),
        cmocka_unit_test(a_row_in_blocks_is_written_as_it_always_was),
        cmocka_unit_test(a_row_in_units_is_refused_when_extents_overlap),
        cmocka_unit_test(a_row_that_is_cut_short_is_refused),
        cmocka_unit_test(bytes_that_have_no_meaning_are_refused),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(a_row_with_a_plain_frame_is_decoded),
        cmocka_unit_test(an_inline_frame_larger_than_the_limit_is_refused),
        cmocka_unit_test(mutated_rows_are_refused_or_sane),
        cmocka_unit_test(inline_bytes_of_a_row_are_counted_but_for_those_that_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
