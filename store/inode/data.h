/*
 * The data of a regular file in memory: its visible size, its chunks that differ from the index or
 * are in use, and the gate that keeps resizes apart from reads and writes.
 *
 * All fields are guarded by the inode's lock unless they say otherwise.
 */
#ifndef TFS_DATA_H
#define TFS_DATA_H

#include "store/inode/allocation.h"
#include "store/inode/chunk.h"
#include "store/inode/cut.h"
#include "store/inode/inode.h"
#include "store/inode/lost.h"
#include "store/inode/readahead_streams.h"

struct index_scan;

struct tfs_data {
    struct tfs_volume *volume; /* immutable, as the next three */
    struct tfs_inode *inode;
    struct row_geometry geometry;  /* of its chunks */
    struct codec_spec compression; /* of new frames */
    struct tfs_cond changed;       /* any of the states below; waiters look again */

    uint64_t size;       /* what programs see */
    uint64_t base_size;  /* up to here the file was committed or promised, and not cut since */
    uint64_t index_end;  /* up to here the rows in the index are the file's: what is committed, less
                            after a cut */
    struct cut_rows cut; /* rows in the index that are not the file's any more */
    uint64_t written_end; /* of written bytes; what truncate appended does not count */
    bool in_commit;       /* a commit image was taken, and is neither applied nor dropped yet */
    bool times_changed;   /* record has times that are not committed */
    struct list promises; /* that are neither kept nor dropped yet: see promise.h */

    bool appending;          /* a write at the end is in progress */
    unsigned active;         /* reads, writes and flushes in progress */
    bool exclusive;          /* a resize is in progress */
    unsigned exclusive_wait; /* resizes that wait; new activity lets them go first */

    struct tfs_chunk **buckets; /* chunks by index */
    size_t bucket_count;        /* a power of two */
    size_t chunk_count;
    struct list unflushed;  /* dirty chunks by dirty_sequence, oldest first */
    uint64_t sequence;      /* of the last write */
    uint64_t idle_size;     /* size and sequence at the last commit of the interval; UINT64_MAX: */
    uint64_t idle_sequence; /* there was none */
    uint64_t row_bytes;     /* of rows that are not committed: see row_budget.h */

    uint64_t error_count; /* background flushes that failed so far; opens remember how many they
                             have reported */
    int last_error;

    struct allocation allocation;
    struct lost_range lost;

    struct readahead readahead;
};

/* Holes are told to programs in such units of the file. */
enum { SEEK_PAGE_SIZE = 4096 };

/* Buckets of a file of no or few chunks, and what that file takes. */
enum {
    DATA_BUCKETS_MIN = 8,
    DATA_MEMORY_SIZE = sizeof(struct tfs_data) + DATA_BUCKETS_MIN * sizeof(struct tfs_chunk *),
};

TFS_MUST_CHECK int data_new(struct tfs_volume *volume, struct tfs_inode *inode,
                            struct tfs_data **ret);
void data_free(struct tfs_data *data); /* accepts NULL; nothing may be dirty */

/* Sizes of a file's chunks and blocks in memory and on disk, from its chunk_size: see chunk.h. */
struct row_geometry data_geometry(uint8_t chunk_size_log2);

/*
 * The geometry of the rows of an inode, by its record in the index. For walks over the table
 * `extent`: *known is the inode that *geometry is of (0: none yet), and is not read again. Errors:
 * -ENOENT (purged since the walk began), -EUCLEAN, of the index.
 */
TFS_MUST_CHECK int data_read_geometry(struct tfs_volume *volume, uint64_t inode, uint64_t *known,
                                      struct row_geometry *geometry);

/* A scan over the rows of an inode in the index, from number `first` on; with 0 also over keys that
 * are those of no row. Errors: of index_scan_open(). */
TFS_MUST_CHECK int data_scan_rows(struct tfs_volume *volume, uint64_t inode, uint64_t first,
                                  struct index_scan **ret);

/* What programs see. Takes the inode's lock; the second is called with it. */
uint64_t data_size(struct tfs_inode *inode);

static inline uint64_t data_size_locked(const struct tfs_data *data)
{
    return data->size;
}

/* The size without what truncate appended, as long as nobody asked for that to last: its end was
 * never written. */
uint64_t data_written_size_locked(const struct tfs_data *data);

/* Overwrites in *ret what programs see different from the record. */
void data_attr_locked(struct tfs_inode *inode, struct tfs_attr *ret);

/* The record has times that are not committed; notes the inode for the next commit. Called with the
 * inode's lock. */
void data_times_changed_locked(struct tfs_volume *volume, struct tfs_inode *inode);

/* Times after a change of the data. Called with the inode's lock; notes the inode for the next
 * commit. */
void data_touch_locked(struct tfs_volume *volume, struct tfs_inode *inode);

/* Forgets all dirty bytes of a file that nobody wants any more, but those of chunks that are on
 * their way. The gate is closed. Takes the inode's lock. */
void data_discard_dirty(struct tfs_volume *volume, struct tfs_inode *inode);

/*
 * The gate. Reads, writes and flushes enter together; a resize (truncate, punch, clone
 * into) waits until they have left and keeps them out. A commit that has begun is waited for too,
 * and none begins meanwhile: it is not kept waiting, but told to come again (commit_image_take()).
 * Waits; takes the inode's lock.
 */
void data_enter(struct tfs_inode *inode);

/* A read of the file, as it enters the gate. */
struct data_read {
    uint64_t offset;
    size_t size; /* as asked; behind entering what of it lies in the file */
    bool waits;
};

/* Enters to read. Errors, and the gate is not entered: -EIO, some of it is lost (lost.h); -EAGAIN,
 * the gate is not open and the read does not wait. */
TFS_MUST_CHECK int data_enter_to_read(struct tfs_inode *inode, struct data_read *read);

/*
 * For write-back, and for who keeps another gate closed: enters also while a resize waits.
 * Writers inside the gate may be waiting for the memory that only write-back gives back.
 */
void data_enter_flush(struct tfs_inode *inode);

/* For who wants the file committed: enters when neither a resize nor a commit of it is in
 * progress. */
void data_enter_for_commit(struct tfs_inode *inode);
void data_leave(struct tfs_inode *inode);
void data_leave_locked(struct tfs_inode *inode); /* with the inode's lock */
void data_enter_exclusive(struct tfs_inode *inode);
void data_leave_exclusive(struct tfs_inode *inode);

#endif
