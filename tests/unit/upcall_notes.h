/*
 * Stands for the mount: takes notes of what a volume tells of itself.
 */
#ifndef TFS_TEST_UPCALL_NOTES_H
#define TFS_TEST_UPCALL_NOTES_H

#include "store/base/lock.h"
#include "store/store.h"

enum { UPCALL_NOTES_MAX = 1024 };

struct upcall_notes {
    struct tfs_mutex lock;
    struct tfs_inode_change changes[UPCALL_NOTES_MAX]; /* guarded by lock */
    unsigned count;                                    /* guarded by lock */
};

/* For the volume's options. Begins without notes. */
struct tfs_upcalls upcall_notes_begin(struct upcall_notes *notes);

unsigned upcall_notes_count(struct upcall_notes *notes);

/* The note that was taken last; of zeros when there is none. */
struct tfs_inode_change upcall_notes_last(struct upcall_notes *notes);

#endif
