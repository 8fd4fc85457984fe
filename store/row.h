/*
 * A row: what the index knows of one chunk, the list of its extents. An extent shows a run of
 * blocks of one frame at some place of the chunk; what no extent shows reads as zeros. Layout on
 * disk: docs/FORMAT.md.
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
    /* More extents than this in a chunk that is one buffer are made one again at the next
       write-back. */
    ROW_EXTENTS_COMFORTABLE = 32,
    ROW_EXTENTS_MAX = 1024,     /* as many as a chunk has blocks */
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
    uint32_t first_block;  /* in the chunk, where it begins to show */
    uint32_t frame_block;  /* in the frame, what shows there */
    uint32_t visible_size; /* bytes that show; what follows up to the next extent is zeros */
    struct frame_ref frame;
    const uint8_t *inline_bytes; /* frame.segment == 0: frame.stored_size bytes, the row's */
};

struct tfs_row {
    atomic_uint references;
    uint32_t extent_count;
    struct extent extents[]; /* by first_block, never overlapping */
};

struct row_shape {
    uint32_t block_size;
    uint32_t chunk_size; /* of the row's chunk in memory and on disk, see chunk.h */
};

struct tfs_row *row_ref(struct tfs_row *row); /* NULL gives NULL */
void row_unref(struct tfs_row *row);          /* accepts NULL */
void row_unref_p(struct tfs_row **row);

/* The block of the chunk behind the last one that the extent shows. */
uint32_t extent_end_block(const struct extent *extent, uint32_t block_size);

/* The chunk-relative byte behind the last one that any extent shows. 0 for an empty row. */
uint32_t row_end(const struct tfs_row *row, uint32_t block_size);

/* The extent that shows byte `offset`, or the first behind it; NULL when there is none. */
const struct extent *row_find(const struct tfs_row *row, uint32_t block_size, uint32_t offset);

/*
 * Make a row in which the blocks from extent->first_block on, `block_count` of them, are shown by
 * `extent` alone; with extent->visible_size 0 they become a hole. *ret is the caller's; NULL when
 * the result is empty. Inline bytes are copied.
 */
TFS_MUST_CHECK int row_replace(const struct tfs_row *row, const struct row_shape *shape,
                               const struct extent *extent, uint32_t block_count,
                               struct tfs_row **ret);

/* Make a row that shows nothing from byte `size` of the chunk on. */
TFS_MUST_CHECK int row_clip(const struct tfs_row *row, const struct row_shape *shape, uint32_t size,
                            struct tfs_row **ret);

/* A row of its own with the same extents, for its maker to change before anybody else knows it. */
TFS_MUST_CHECK int row_copy(const struct tfs_row *row, struct tfs_row **ret);

/* Bytes that row_encode() needs. */
size_t row_encoded_size(const struct tfs_row *row);
void row_encode(const struct tfs_row *row, uint8_t *dst);

/* Hostile bytes are refused. Errors: -EUCLEAN, -ENOMEM. */
TFS_MUST_CHECK int row_decode(const uint8_t *bytes, size_t size, const struct row_shape *shape,
                              struct tfs_row **ret);

/* Whether both show the same blocks of the same frames. NULL is an empty row. */
bool row_equal(const struct tfs_row *a, const struct tfs_row *b);

bool frame_ref_equal(const struct frame_ref *a, const struct frame_ref *b);

/* Whether the row shows anything of this frame. */
bool row_has_frame(const struct tfs_row *row, const struct frame_ref *frame);

/* Whether extent `index` is the first of the row to show its frame; to visit each frame once. */
bool row_shows_first(const struct tfs_row *row, uint32_t index);

/* Bytes of inline frames in extents that show anything outside of the blocks [from, to). */
size_t row_inline_size(const struct tfs_row *row, const struct row_shape *shape, uint32_t from,
                       uint32_t to);

/* It is of a chunk that is one buffer, and in so many pieces, or with so many copies of a split
 * frame in it, that the next write-back makes it one piece again. */
bool row_is_fragmented(const struct tfs_row *row, const struct row_shape *shape);

/* What it takes in memory. */
size_t row_memory_size(const struct tfs_row *row);

/* Stored bytes of all frames that the row shows, each once. */
int64_t row_stored_size(const struct tfs_row *row);

/* The same of what they take on disk; shared ones too. */
int64_t row_disk_size(const struct tfs_row *row);

/* What the frame takes on disk: padded to the segments' alignment; 0 for an inline one. */
uint64_t frame_ref_disk_size(const struct frame_ref *frame);

#endif
