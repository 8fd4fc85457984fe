/*
 * Complaints about data: one line for each frame that cannot be read, with the file's name, and not
 * again each time that somebody tries.
 */
#ifndef TFS_COMPLAINT_H
#define TFS_COMPLAINT_H

#include "store/base/lock.h"
#include "store/inode/path.h"
#include "store/tables/row.h"

struct tfs_volume;

enum { COMPLAINTS_KEPT = 64 };

/* Writes what a message calls the inode: path_for_message(). Handed over, because looking for names
 * is above all that may find damage. */
typedef void complaint_name(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE]);

/* What was complained about lately. */
struct complaints {
    complaint_name *name_of; /* immutable */
    struct tfs_mutex lock;   /* rank TFS_RANK_LEAF */
    struct complaint_place {
        uint64_t container; /* a segment, or an inode whose row is meant, counted from the end */
        uint64_t offset;
    } places[COMPLAINTS_KEPT]; /* guarded by lock; a ring */
    unsigned count;            /* guarded by lock; ever */
};

void complaints_init(struct complaints *complaints, complaint_name *name_of);
void complaints_release(struct complaints *complaints);

/*
 * Byte `offset` of the file cannot be read because of `error`, of the frame there or, with NULL, of
 * its row. Errors that mean damage (-EBADMSG, -EUCLEAN, -ENOENT, -EIO) are logged, unless that was
 * done lately for this frame, and become -EIO; others are returned as they are.
 */
TFS_MUST_CHECK int complaint_unreadable(struct tfs_volume *volume, uint64_t inode, uint64_t offset,
                                        const struct frame_ref *frame, int error);

/* Bytes that somebody wanted of a chunk. */
struct complaint_wanted {
    uint64_t inode;
    uint64_t start;  /* of the chunk in its file */
    uint32_t offset; /* in the chunk */
    uint32_t size;
    uint32_t block_size;
};

/* The same for what the chunk's row shows, with NULL for a row that cannot be read. The damaged
 * block and its frame are looked for among the bytes that were wanted. Blocks on disk. */
TFS_MUST_CHECK int complaint_row(struct tfs_volume *volume, const struct complaint_wanted *wanted,
                                 const struct tfs_row *row, int error);

#endif
