/*
 * What fallocate promises: room on the disk for what is still to be stored in a range of a file.
 *
 * A store that compresses and never overwrites has no blocks to give a file in advance. It keeps
 * room instead: as many bytes as the range's holes may come to, which nobody else can take. Whoever
 * stores into the range is lent room out of it, so he finds it on a disk that is full for others;
 * what his data then takes is taken off. The room is in the inode's record, and the sum of all
 * files' in the setting `allocated`, so that a mount need not look for it.
 *
 * One range and one number a file: another fallocate makes the range reach from the first byte of
 * both to the last. What is stored between the two is lent room as well.
 *
 * Room is given back by truncation and punching, when the file is purged, and when it is closed:
 * then only what no row shows is still to be stored. Until that the room that compression saved
 * stays with the range, for parts of its blocks may come later.
 */
#ifndef TFS_ALLOCATION_H
#define TFS_ALLOCATION_H

#include "store/base/defs.h"
#include "store/segment/segment.h"
#include "store/tables/meta.h"

struct tfs_chunk;
struct tfs_data;
struct tfs_inode;
struct tfs_volume;

/* The longest table of one buffer's frame, with its header, in whole pages. */
enum { ALLOCATION_ROUNDING_SIZE = 4 * SEGMENT_ALIGNMENT };

/* Of a file in memory, guarded by the inode's lock. */
struct allocation {
    struct meta_allocation now; /* room: what is neither lent nor used up */
    uint64_t lent;              /* to dirty chunks, which give it back when they are stored */
    bool settled;               /* nothing was stored since the holes were counted */
};

/* Up to `size` bytes of the room for who stores into [from, to), to be given to reservation_take();
 * back where that failed; and back with all that was reserved, which no chunk has. */
uint64_t allocation_lend(struct tfs_inode *inode, uint64_t from, uint64_t to, uint64_t size);
void allocation_return(struct tfs_inode *inode, uint64_t lent);
void allocation_unreserve(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t size,
                          uint64_t lent);

bool allocation_has_lent(struct tfs_inode *inode);

/*
 * `size` bytes more of the disk are reserved for the chunk's flush, `lent` of them by its
 * allocation; what is more than the flush can need is given back. And all of it. With the inode's
 * lock.
 */
void allocation_chunk_reserved_locked(struct tfs_volume *volume, struct tfs_chunk *chunk,
                                      uint64_t size, uint64_t lent);
void allocation_chunk_unreserve_locked(struct tfs_volume *volume, struct tfs_chunk *chunk);

/* What is stored of [from, to) takes `delta` bytes of the disk more than before. With the inode's
 * lock. */
void allocation_stored_locked(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from,
                              uint64_t to, int64_t delta);

/* Something was stored since the holes were counted. */
bool allocation_is_to_settle(struct tfs_inode *inode);

/* What a commit writes. With the inode's lock. */
struct meta_allocation allocation_to_commit_locked(const struct tfs_data *data);
bool allocation_is_committed_locked(const struct tfs_inode *inode);

/* The object goes: what the index says counts from now on. */
void allocation_forget(struct tfs_volume *volume, struct tfs_inode *inode);

#endif
