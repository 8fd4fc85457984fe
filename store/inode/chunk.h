/*
 * Chunks in memory: dirty buffers over a row.
 *
 * A file's data is cut into chunks of geometry.chunk_size bytes, stored as blocks of
 * geometry.block_size bytes. For a file of chunk size c
 *
 *     block_size = min(c, 256 KiB)
 *     chunk_size = min(max(c, 256 KiB), 4 MiB)
 *
 * A block is the unit of encoding, of checksums and of reading, a chunk that of write-back and of
 * index rows, so that many tiny chunks share a buffer, a frame and a row, and a huge one is written
 * back in parts.
 *
 * A chunk object exists while somebody uses it, it has dirty data, or its row differs from the
 * index:
 *
 *     (none) ----- chunk_get --------> clean
 *     clean ------ chunk_mark_dirty -> dirty
 *     dirty ------ flush starts -----> in flight
 *     in flight -- flush fails ------> dirty
 *     in flight -- flush ends -------> clean, row changed
 *     clean, row changed -- commit --> clean
 *
 * Buffers are written by one exclusive holder, and read by shared holders; a chunk in flight is
 * read only. Holds are given in the order in which they were asked for, so that no stream of
 * readers keeps a writer or a flush waiting, nor the other way round. All fields are guarded by the
 * inode's lock, except that the holder of a chunk uses the slots' contents without it.
 */
#ifndef TFS_CHUNK_H
#define TFS_CHUNK_H

#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/base/workers.h"
#include "store/codec/frame.h"
#include "store/tables/row.h"

struct tfs_inode;
struct tfs_scratch;
struct tfs_volume;

enum { CHUNK_SLOTS_MAX = FRAME_RAW_SIZE_MAX / FRAME_BUFFER_SIZE };

/* One buffer of a chunk. Bytes [from, to) are newer than the row; with `whole`, all bytes are what
 * a reader should see. A slot that is `stuck` can only be written back as bytes [keep_from,
 * keep_to), if any: what the others share a block with is damaged. See stuck.h. */
struct chunk_slot {
    uint8_t *buffer; /* NULL: nothing is dirty here */
    uint32_t from;
    uint32_t to;
    uint32_t keep_from;
    uint32_t keep_to;
    bool whole;
    bool stuck;
};

struct tfs_chunk {
    uint64_t index;
    struct tfs_inode *inode;
    struct tfs_chunk *next; /* in its bucket */
    unsigned users;         /* operations, and the queues that it stands in */

    bool exclusive;      /* a writer has it */
    unsigned shared;     /* readers that have it */
    bool in_flight;      /* a flush has it */
    bool landing;        /* the flush waits until the readers have left, and no more may come */
    struct list waiting; /* who waits to hold it, in order */
    bool queued;         /* a flush will come */
    bool dirty;
    struct list unflushed_node; /* on data->unflushed while dirty */
    uint64_t dirty_sequence;    /* data->sequence when it became dirty */
    struct list pressure_node;  /* see dirty_list.h; guarded by its lock */
    int error;                  /* of the last flush; 0 when it succeeded or was not tried since */
    bool stuck_told;            /* an error was counted for what is stuck in it */
    uint64_t reserved_size;     /* of the disk, for its flush */
    uint64_t lent_size;         /* of that, what the file's allocation has lent */
    struct tfs_job flush_job;

    bool row_known;
    struct tfs_row *row;       /* where flushed data is, committed or not */
    struct tfs_row *committed; /* what the index has */
    struct tfs_row
        *committing;    /* what a commit in progress writes: clipped to the size it commits */
    bool row_changed;   /* row differs from committed */
    bool commits;       /* `committing` is valid */
    uint64_t row_bytes; /* that it is counted for: see row_budget.h */

    struct chunk_slot slots[CHUNK_SLOTS_MAX];
};

/* What its holder, or who has the inode's lock, may look at. The row is known: chunk_load_row(). */
static inline const struct chunk_slot *chunk_slot(const struct tfs_chunk *chunk, uint32_t index)
{
    return &chunk->slots[index];
}

static inline struct tfs_row *chunk_row(const struct tfs_chunk *chunk)
{
    return chunk->row;
}

static inline bool chunk_is_dirty(const struct tfs_chunk *chunk)
{
    return chunk->dirty;
}

/* The chunk's object, made when there is none; one more user. Called with the inode's lock. NULL:
 * no memory. */
struct tfs_chunk *chunk_get_locked(struct tfs_inode *inode, uint64_t index);

/* The same if there is an object, else NULL. */
struct tfs_chunk *chunk_find_locked(struct tfs_inode *inode, uint64_t index);

/* One user less; the object goes when it is not needed any more. Called with the inode's lock. */
void chunk_put_locked(struct tfs_chunk *chunk);

/* Wait until nobody else writes (and with exclusive: reads or flushes), then hold. Called with the
 * inode's lock. The turn of a flush comes in the same order; it then takes what it finds dirty. */
void chunk_hold_shared_locked(struct tfs_chunk *chunk);
void chunk_hold_exclusive_locked(struct tfs_chunk *chunk);
void chunk_wait_for_flight_locked(struct tfs_chunk *chunk);
void chunk_release_shared_locked(struct tfs_chunk *chunk);
void chunk_release_exclusive_locked(struct tfs_chunk *chunk);

/* Make sure that chunk->row is known. Called without the inode's lock, by a holder or user. */
TFS_MUST_CHECK int chunk_load_row(struct tfs_volume *volume, struct tfs_chunk *chunk);

/* The row that the index has, *ret is the caller's, NULL for a hole. What the file shows may be
 * newer, and in memory: chunk_map.h. */
TFS_MUST_CHECK int chunk_read_row(struct tfs_volume *volume, struct tfs_inode *inode,
                                  uint64_t index, struct tfs_row **ret);

/*
 * Copy chunk-relative bytes [offset, offset + size) as the row shows them, holes as zeros. Without
 * the inode's lock, by a holder.
 */
TFS_MUST_CHECK int chunk_copy_row(struct tfs_volume *volume, const struct tfs_row *row,
                                  const struct row_geometry *geometry, uint32_t offset,
                                  uint32_t size, struct tfs_scratch *scratch, void *dst);

/* The row, or something that it shows of `size` bytes from the chunk-relative offset on, cannot be
 * read: says so. Returns the
 * error for who asked: see complaint.h. Without the inode's lock, by a holder. */
TFS_MUST_CHECK int chunk_unreadable(struct tfs_volume *volume, struct tfs_chunk *chunk,
                                    uint32_t offset, uint32_t size, int error);

/* Complete a dirty slot from the row, so that all its bytes are right. By the exclusive holder. */
TFS_MUST_CHECK int chunk_fill_slot(struct tfs_volume *volume, struct tfs_chunk *chunk,
                                   uint32_t slot, struct tfs_scratch *scratch);

/*
 * The exclusive holder, the flush that has the chunk, or a resize with the gate closed
 * changes what is in a slot; others look at the slot with the inode's lock meanwhile, so buffer and
 * bounds change with it. Called without the lock.
 *
 * begin: a buffer (given) for an empty slot, with no dirty bytes yet, where the first will stand.
 * show: bytes next to its dirty ones are there: from now on they are dirty too, or with `whole`
 * right. What was stuck is so no longer, until the next flush says it again.
 */
void chunk_begin_slot(struct tfs_chunk *chunk, uint32_t slot, void *buffer, uint32_t at);
void chunk_show_slot(struct tfs_chunk *chunk, uint32_t slot, uint32_t from, uint32_t to,
                     bool whole);

/* The slots have dirty bytes: note it for flush and commit. Called with the inode's lock. */
void chunk_mark_dirty_locked(struct tfs_volume *volume, struct tfs_chunk *chunk);

/* All its dirty bytes reach without a gap to its end, so that nothing more is likely to come. */
bool chunk_is_complete(const struct tfs_chunk *chunk);

/* Set a new row (given); frames that no committed row has are dead at once. Called with the inode's
 * lock. */
void chunk_set_row_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, struct tfs_row *row);

/* The commit that had `committing` failed, or was not needed. The row stays its owner's. Called
 * with the inode's lock. */
void chunk_commit_failed_locked(struct tfs_volume *volume, struct tfs_chunk *chunk);

/* Forget dirty bytes from chunk-relative `offset` on, and give their buffers back. By the exclusive
 * holder or with the gate closed; with the inode's lock. */
void chunk_discard_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t offset);

/* The same with what is outside of bytes [from, to) of one slot that has a buffer. */
void chunk_trim_slot_locked(struct tfs_volume *volume, struct tfs_chunk *chunk, uint32_t slot,
                            uint32_t from, uint32_t to);

/*
 * The chunks [first, end) become holes in memory: what is dirty is forgotten, and their rows, also
 * those in the index, which are the caller's to remove. With the gate closed; with the inode's
 * lock.
 */
void chunk_drop_locked(struct tfs_volume *volume, struct tfs_inode *inode, uint64_t first,
                       uint64_t end);

/*
 * Forget everything of the file that is not committed, at the end of a mount that could not write
 * it back. Nobody uses the file any more. Returns how many chunks had something. With the inode's
 * lock.
 */
uint64_t chunk_abandon_all_locked(struct tfs_volume *volume, struct tfs_inode *inode);

/* Visit every chunk object of the inode. Called with the inode's lock; `visit` must not get or put
 * chunks. */
void chunk_visit_locked(struct tfs_inode *inode,
                        void (*visit)(struct tfs_chunk *chunk, void *context), void *context);

#endif
