/*
 * What programs stored through a mapping and the kernel could not hand over: on a full disk, above
 * all. The kernel takes its pages for written and does not come again, and who stored has no call
 * that could fail. So the file remembers the range for as long as somebody has it open: reading it
 * is EIO (SIGBUS through a mapping) and not whatever was there before, until it is stored again.
 */
#ifndef TFS_LOST_H
#define TFS_LOST_H

#include "store/base/defs.h"

struct tfs_inode;
struct tfs_volume;

/* Of a file in memory, guarded by the inode's lock: from the first byte to the last one that is
 * lost; from == to: none. */
struct lost_range {
    uint64_t from;
    uint64_t to;
};

/* [from, to) is lost. Every open file is told the error at its next write, sync or close; the first
 * time there is a line in the log. Without the inode's lock. */
void lost_note(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t from, uint64_t to,
               int error);

/* Whether some of [from, to) is lost. */
static inline bool lost_range_has(const struct lost_range *lost, uint64_t from, uint64_t to)
{
    return from < lost->to && to > lost->from;
}

/* [from, to) was stored, or is a hole now. With the inode's lock. */
void lost_forget_locked(struct tfs_inode *inode, uint64_t from, uint64_t to);

#endif
