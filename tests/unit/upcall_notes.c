#include "upcall_notes.h"

/* The lock's rank allows no other lock to be held, which is the contract. */
static void note(void *context, const struct tfs_inode_change *change)
{
    struct upcall_notes *notes = context;

    tfs_mutex_lock(&notes->lock);
    if (notes->count < UPCALL_NOTES_MAX)
        notes->changes[notes->count++] = *change;
    tfs_mutex_unlock(&notes->lock);
}

struct tfs_upcalls upcall_notes_begin(struct upcall_notes *notes)
{
    tfs_mutex_init(&notes->lock, TFS_RANK_FS_UPCALL);
    notes->count = 0;
    return (struct tfs_upcalls){.inode_changed = note, .context = notes};
}

unsigned upcall_notes_count(struct upcall_notes *notes)
{
    unsigned count;

    tfs_mutex_lock(&notes->lock);
    count = notes->count;
    tfs_mutex_unlock(&notes->lock);
    return count;
}

struct tfs_inode_change upcall_notes_last(struct upcall_notes *notes)
{
    struct tfs_inode_change last = {.inode = 0};

    tfs_mutex_lock(&notes->lock);
    if (notes->count > 0)
        last = notes->changes[notes->count - 1];
    tfs_mutex_unlock(&notes->lock);
    return last;
}
