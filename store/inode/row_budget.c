/*
 * The budget of rows that are not committed: a share of the volume's memory. Each chunk knows what
 * it was counted for; file and volume have the sums.
 *
 * Who holds next to nothing does not commit for those who hold much: they are writing too, or are
 * committed within the interval.
 */
#include "store/inode/row_budget.h"

#include "store/inode/data.h"
#include "store/volume.h"

enum {
    BUDGET_SHARE = 8, /* of the volume's memory, one part in so many */
    FILE_SHARE = 64,  /* of the budget: a file with less need not be committed */
};

void row_budget_note_locked(struct tfs_volume *volume, struct tfs_chunk *chunk)
{
    uint64_t size = 0;

    if (chunk->row_changed)
        size = sizeof(*chunk) + row_memory_size(chunk->row) + row_memory_size(chunk->committed);
    chunk->inode->data->row_bytes += size - chunk->row_bytes;
    /* relaxed: a sum to compare with a limit */
    (void)atomic_fetch_add_explicit(&volume->row_bytes, size - chunk->row_bytes,
                                    memory_order_relaxed);
    chunk->row_bytes = size;
}

uint64_t row_budget_used(struct tfs_volume *volume)
{
    return atomic_load_explicit(&volume->row_bytes, memory_order_relaxed);
}

bool row_budget_is_spent(struct tfs_volume *volume, struct tfs_inode *inode)
{
    uint64_t budget = volume->options.memory_size / BUDGET_SHARE;
    bool has_many;

    if (row_budget_used(volume) <= budget)
        return false;
    tfs_mutex_lock(&inode->lock);
    has_many = inode->data->row_bytes > budget / FILE_SHARE;
    tfs_mutex_unlock(&inode->lock);
    return has_many;
}
