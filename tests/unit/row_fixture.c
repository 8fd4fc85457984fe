#include "row_fixture.h"

#include "store/codec/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

uint64_t dice(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 33;
}

struct extent stored(uint64_t number, uint32_t first, uint32_t visible)
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

struct extent inlined(uint8_t fill, uint32_t first, uint32_t visible, uint8_t *bytes)
{
    struct extent extent = stored(0, first, visible);

    extent.frame.segment = 0;
    extent.frame.offset = 0;
    extent.inline_bytes = bytes;
    memset(bytes, fill, extent.frame.stored_size);
    return extent;
}

struct tfs_row *replace(struct tfs_row *row, const struct extent *extent, uint32_t blocks)
{
    struct tfs_row *next = NULL;

    assert_int_equal(row_replace(row, extent, extent->start + blocks * BLOCK, &next), 0);
    row_unref(row);
    return next;
}

struct tfs_row *punch(struct tfs_row *row, uint32_t first, uint32_t blocks)
{
    struct extent hole = {.start = first * BLOCK};

    return replace(row, &hole, blocks);
}

struct tfs_row *clip(struct tfs_row *row, uint32_t size)
{
    struct tfs_row *next = NULL;

    assert_int_equal(row_clip(row, size, &next), 0);
    row_unref(row);
    return next;
}
