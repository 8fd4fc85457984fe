/*
 * Chunk rows of any bytes: decoding ends with a row that holds the promises of row.c, or an error.
 *
 * The first byte of an input is the file's chunk size, as a logarithm; the next two choose what is
 * done with a row that was accepted: it is cut, and a run of units becomes a hole. A row encodes
 * to exactly the bytes that it came from, so nothing in them may go unread.
 */
#include "store/base/bytes.h"
#include "store/tables/row.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 3, BLOCK_MAX = 256 * 1024, CHUNK_MAX = 4 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As docs/FORMAT.md has it, for chunk sizes from 2^8 to 2^26. */
static struct row_geometry shape_of(uint8_t byte)
{
    uint64_t size = 1ull << (8 + byte % 19);

    return (struct row_geometry){
        .block_size = (uint32_t)tfs_min_u64(size, BLOCK_MAX),
        .chunk_size = (uint32_t)tfs_min_u64(tfs_max_u64(size, BLOCK_MAX), CHUNK_MAX),
    };
}

/* Touches all that a reader would. */
static void check(const struct tfs_row *row, const struct row_geometry *geometry)
{
    uint32_t free_from = 0;
    unsigned sum = 0;

    assert(row->extent_count > 0 && row->extent_count <= ROW_EXTENTS_MAX);
    for (uint32_t i = 0; i < row->extent_count; i++) {
        const struct extent *extent = &row->extents[i];
        const struct frame_ref *frame = &extent->frame;

        assert(extent->start >= free_from && extent->visible_size > 0);
        assert(extent->start % row_unit(geometry) == 0 &&
               extent->frame_offset % row_unit(geometry) == 0);
        free_from = extent_end(extent);
        assert((uint64_t)extent->frame_offset + extent->visible_size <= frame->raw_size);
        for (uint32_t at = 0; !frame->segment && at < frame->stored_size; at++)
            sum += extent->inline_bytes[at];
        assert(row_has_frame(row, frame) == (frame->segment != 0));
        assert(frame_ref_disk_size(frame) <= 2 * CHUNK_MAX);
    }
    assert(row_end(row) <= geometry->chunk_size);
    assert(row_find(row, 0) == &row->extents[0]);
    assert(row_stored_size(row) > 0 && sum < UINT32_MAX);
}

/* The row's bytes; the caller's. */
static uint8_t *encode(const struct tfs_row *row, const struct row_geometry *geometry,
                       size_t *ret_size)
{
    uint8_t *bytes;

    *ret_size = row_encoded_size(row);
    bytes = malloc(*ret_size);
    assert(bytes);
    row_encode(row, geometry, bytes);
    return bytes;
}

/* A row that was derived (given; NULL is the empty one) is as good as one from disk. */
static void check_derived(struct tfs_row *row, const struct row_geometry *geometry)
{
    struct tfs_row *again;
    uint8_t *bytes;
    size_t size;

    if (!row)
        return;
    check(row, geometry);
    bytes = encode(row, geometry, &size);
    if (row_decode(bytes, size, geometry, &again) < 0)
        abort();
    row_unref(again);
    row_unref(row);
    free(bytes);
}

static void change(const struct tfs_row *row, const struct row_geometry *geometry,
                   const uint8_t *head)
{
    uint32_t unit = row_unit(geometry);
    uint32_t unit_count = geometry->chunk_size / unit;
    uint32_t first = head[1] * 4 % unit_count;
    uint32_t end = first + 1 + head[2] % (unit_count - first);
    struct extent hole = {.start = first * unit};
    uint32_t size = geometry->chunk_size / 256 * head[2] + head[1];
    struct tfs_row *derived;

    if (row_clip(row, (uint32_t)tfs_min_u64(size, geometry->chunk_size), &derived) < 0)
        abort();
    check_derived(derived, geometry);
    if (row_replace(row, &hole, end * unit, &derived) < 0)
        abort();
    check_derived(derived, geometry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row_geometry geometry;
    struct tfs_row *row;
    uint8_t *bytes;
    size_t again;

    if (size < HEAD_SIZE)
        return 0;
    geometry = shape_of(data[0]);
    if (row_decode(data + HEAD_SIZE, size - HEAD_SIZE, &geometry, &row) < 0)
        return 0;
    check(row, &geometry);
    bytes = encode(row, &geometry, &again);
    assert(again == size - HEAD_SIZE && memcmp(bytes, data + HEAD_SIZE, again) == 0);
    free(bytes);
    change(row, &geometry, data);
    row_unref(row);
    return 0;
}
