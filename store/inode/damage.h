/*
 * Which errors mean damage, and where in a chunk it is. Reading ahead of what was asked for, in
 * units of many blocks, a reader only knows that something of it cannot be read; the blocks are
 * looked at again one by one, from the disk, for the line in the log that a person acts on.
 *
 * Threads: any; nothing here locks. Blocks on disk.
 */
#ifndef TFS_DAMAGE_H
#define TFS_DAMAGE_H

#include "store/tables/row.h"

struct tfs_segments;

/*
 * Whether damage can be the reason of an error of reading a frame: -EBADMSG, -EUCLEAN, -ENOENT and
 * -EIO. An old row can be, too, whose frames were given back meanwhile: the error is to be believed
 * when the row is still the same.
 */
bool damage_is_reason(int error);

/* What is wrong with the frame then, for people. Static. */
const char *damage_text(int error);

struct damage_range {
    uint32_t offset; /* in the chunk */
    uint32_t size;
};

struct damage_place {
    const struct extent *extent; /* the row's */
    uint32_t offset;             /* in the chunk, of the first byte of the range in a bad block */
};

/* Find the first byte of the range whose block fails its checksum or cannot be read. Returns false
 * when there is none: it was only for a moment, or the row itself is what cannot be read. */
bool damage_find(struct tfs_segments *segments, const struct tfs_row *row, uint32_t block_size,
                 const struct damage_range *range, struct damage_place *ret);

#endif
