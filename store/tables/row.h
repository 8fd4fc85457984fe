/*
 * A row: what the index knows of one chunk, the list of its extents. An extent shows a range of
 * one frame's bytes at some place of the chunk; what no extent shows reads as zeros. Where extents
 * begin, in the chunk and in their frames, is a multiple of row_unit(). Layout on disk:
 * docs/FORMAT.md.
 *
 * Units: bytes; in an extent relative to the chunk's or the frame's beginning.
 *
 * Rows are immutable and counted: a reader keeps the one that it has found while a writer makes the
 * next. NULL stands for the empty row, a chunk that is one hole.
 *
 * Threads: any; nothing here locks.
 */
#ifndef TFS_ROW_H
#define TFS_ROW_H

#include "store/base/defs.h"

#include <stdatomic.h>

enum {
    /* More extents than this in what is one buffer are made one again at the next write-back of
       it. */
    ROW_EXTENTS_COMFORTABLE = 16,
    ROW_EXTENTS_MAX = 1024, /* as many as a chunk has units */
    ROW_UNIT_MAX = 4096,
    ROW_INLINE_SIZE_MAX = 4096, /* of one frame */
    /* Of all frames in a row that a write-back adds to: a row is kept in memory, and written anew
       with each commit, as a whole. */
    ROW_INLINE_SUM_MAX = 8192,
};

/* Names a frame for ever: frames are immutable and places are never used again. */
struct frame_ref {
    uint64_t segment; /* 0: the frame's bytes are in the row */
    uint64_t offset;
    uint32_t stored_size; /* bytes, without padding */
    uint32_t raw_size;
    uint32_t header_crc; /* CRC32C of the frame's header and table: proves that it is this frame */
    uint32_t block_count;
    uint16_t zero_units; /* bit i: there may be whole pages of zeros in its raw bytes from i * 256
                            KiB on; a page is 4 KiB of the file */
};

struct extent {
    uint32_t start;        /* in the chunk, where it begins to show */
    uint32_t frame_offset; /* in the frame, decoded: what shows there */
    uint32_t visible_size; /* what shows; what follows up to the next extent is zeros */
    struct frame_ref frame;
    const uint8_t *inline_bytes; /* frame.segment == 0: frame.stored_size bytes, the row's */
};

struct tfs_row {
    atomic_uint references;
    uint32_t extent_count;
    struct extent extents[]; /* by start, never overlapping */
};

struct row_geometry {
    uint32_t block_size;
    uint32_t chunk_size; /* of the row's chunk in memory and on disk, see chunk.h */
};

struct tfs_row *row_ref(struct tfs_row *row); /* NULL gives NULL */
void row_unref(struct tfs_row *row);          /* accepts NULL */
void row_unref_p(struct tfs_row **row);

/* What positions in rows are multiples of: a page, or a block where blocks are smaller. */
static inline uint32_t row_unit(const struct row_geometry *geometry)
{
    return geometry->block_size < ROW_UNIT_MAX ? geometry->block_size : ROW_UNIT_MAX;
}

/* The byte of the chunk behind the last one that the extent shows. */
static inline uint32_t extent_end(const struct extent *extent)
{
    return extent->start + extent->visible_size;
}

/* The byte of the frame that the extent shows at byte `at` of the chunk. */
static inline uint32_t extent_in_frame(const struct extent *extent, uint32_t at)
{
    return extent->frame_offset + (at - extent->start);
}

/* The first byte of the chunk at which the extent shows the frame's bytes from `offset` on. */
static inline uint32_t extent_shows_from(const struct extent *extent, uint32_t offset)
{
    return extent->start + (offset > extent->frame_offset ? offset - extent->frame_offset : 0);
}

/* The byte behind the last one that any extent shows. 0 for an empty row. */
uint32_t row_end(const struct tfs_row *row);

/* The extent that shows byte `offset`, or the first behind it; NULL when there is none. */
const struct extent *row_find(const struct tfs_row *row, uint32_t offset);

/*
 * Make a row in which the bytes from extent->start up to `end`, a multiple of the unit or the
 * chunk's end, are shown by `extent` alone; with extent->visible_size 0 they become a hole. *ret is
 * the caller's; NULL when the result is empty. Inline bytes are copied. Errors: -ENOMEM.
 */
TFS_MUST_CHECK int row_replace(const struct tfs_row *row, const struct extent *extent, uint32_t end,
                               struct tfs_row **ret);

/* Make a row that shows nothing from byte `size` of the chunk on. Errors: -ENOMEM. */
TFS_MUST_CHECK int row_clip(const struct tfs_row *row, uint32_t size, struct tfs_row **ret);

/* A row of its own with the same extents, for its maker to change before anybody else knows it.
 * Errors: -ENOMEM. */
TFS_MUST_CHECK int row_copy(const struct tfs_row *row, struct tfs_row **ret);

/* Bytes that row_encode() needs. */
size_t row_encoded_size(const struct tfs_row *row);
void row_encode(const struct tfs_row *row, const struct row_geometry *geometry, uint8_t *dst);

/* Hostile bytes are refused. Errors: -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int row_decode(const uint8_t *bytes, size_t size,
                              const struct row_geometry *geometry, struct tfs_row **ret);

/* Whether both show the same bytes of the same frames. NULL is an empty row. */
bool row_equal(const struct tfs_row *a, const struct tfs_row *b);

bool frame_ref_equal(const struct frame_ref *a, const struct frame_ref *b);

/* Whether the row shows anything of this frame. */
bool row_has_frame(const struct tfs_row *row, const struct frame_ref *frame);

/* Whether extent `index` is the first of the row to show its frame; to visit each frame once. */
bool row_shows_first(const struct tfs_row *row, uint32_t index);

/* Bytes of inline frames in extents that show anything outside of bytes [from, to). */
size_t row_inline_size(const struct tfs_row *row, uint32_t from, uint32_t to);

/* Whether bytes [from, to) of the chunk, those of one buffer, are shown in so many pieces, or by so
 * many frames inside of the row, that the next write-back makes them one piece again. */
bool row_is_fragmented(const struct tfs_row *row, uint32_t from, uint32_t to);

/* What it takes in memory. */
size_t row_memory_size(const struct tfs_row *row);

/* Stored bytes of all frames that the row shows, each once. */
int64_t row_stored_size(const struct tfs_row *row);

/* The same of what they take on disk; shared ones too. */
int64_t row_disk_size(const struct tfs_row *row);

/* What the frame takes on disk: padded to the segments' alignment; 0 for an inline one. */
uint64_t frame_ref_disk_size(const struct frame_ref *frame);

#endif
