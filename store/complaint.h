/*
 * Complaints about data: one line for each frame that cannot be read, with the file's name, and not
 * again each time that somebody tries.
 */
#ifndef TFS_COMPLAINT_H
#define TFS_COMPLAINT_H

#include "store/base/lock.h"
#include "store/row.h"

struct tfs_volume;

enum { COMPLAINTS_KEPT = 64 };

/* Frames complained about lately. */
struct complaints {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF */
    struct {
        uint64_t segment;
        uint64_t offset;
    } frames[COMPLAINTS_KEPT]; /* guarded by lock; a ring */
    unsigned count;            /* guarded by lock; ever */
};

void complaints_init(struct complaints *complaints);
void complaints_release(struct complaints *complaints);

/* Log that byte `offset` of the file cannot be read, and why, unless that was said of this frame
 * lately. */
void complaint_unreadable(struct tfs_volume *volume, uint64_t inode, uint64_t offset,
                          const struct frame_ref *frame, int error);

#endif
