#include "store/inode/chunk_row.h"

bool chunk_row_is_committed_locked(const struct tfs_chunk *chunk)
{
    return !chunk->row_changed && !chunk->commits;
}

void chunk_row_exchange_locked(struct tfs_chunk *chunk, struct tfs_row *row)
{
    if (!chunk->row_known)
        return;
    row_unref(chunk->row);
    row_unref(chunk->committed);
    chunk->row = row_ref(row);
    chunk->committed = row_ref(row);
}

void chunk_row_forget_locked(struct tfs_chunk *chunk)
{
    if (!chunk->row_known)
        return;
    row_unref(chunk->row);
    row_unref(chunk->committed);
    chunk->row = NULL;
    chunk->committed = NULL;
    chunk->row_known = false;
}
