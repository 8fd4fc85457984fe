/*
 * Rows for tests, made piece by piece: extents of frames that hold nothing, and what changes rows.
 *
 * The chunk has BLOCKS blocks of a page each.
 */
#ifndef TFS_TEST_ROW_FIXTURE_H
#define TFS_TEST_ROW_FIXTURE_H

#include "store/tables/row.h"

enum { BLOCK = 4096, BLOCKS = 64, CHUNK = BLOCK * BLOCKS };

/* The next of a row of numbers. */
uint64_t dice(uint64_t *state);

/* An extent of a frame of its own, in a segment, that shows `visible` bytes from block `first` on.
 */
struct extent stored(uint64_t number, uint32_t first, uint32_t visible);

/* The same for a frame in the row, whose bytes, ROW_INLINE_SIZE_MAX at least, are `fill`. */
struct extent inlined(uint8_t fill, uint32_t first, uint32_t visible, uint8_t *bytes);

/* Changes of a row (given). The result is the caller's. */
struct tfs_row *replace(struct tfs_row *row, const struct extent *extent, uint32_t blocks);
struct tfs_row *punch(struct tfs_row *row, uint32_t first, uint32_t blocks);
struct tfs_row *clip(struct tfs_row *row, uint32_t size);

#endif
