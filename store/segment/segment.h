/*
 * Segments: append-only stores of payload by number. An engine is below it (engine.h), today files
 * of a local directory, and nothing above this header knows which.
 *
 * What is appended never changes and is addressed by (number, offset, size). One active segment
 * takes all appends, or a few take them where the filesystem lets only one write into a file at a
 * time; when one has grown to segment_size_max, a new one follows. Which bytes are still needed is
 * the caller's knowledge: it gives back ranges by punching holes and removes whole segments.
 *
 * Threads: every function may be called from any thread at any time, except segments_close().
 */
#ifndef TFS_SEGMENT_H
#define TFS_SEGMENT_H

#include "store/base/defs.h"

#include <sys/uio.h>

/* What rows can say of places (docs/FORMAT.md): the store appends in multiples of this, from memory
 * that is aligned to it. No engine needs more: segments_alignment(). */
enum { SEGMENT_ALIGNMENT = 4096 };

/* Pieces of memory that one append or read may have: a frame's header, its buffers, its end. */
enum { SEGMENT_PIECES_MAX = 18 };

/* A piece that is only read. struct iovec knows no const. */
static inline struct iovec segment_piece(const void *data, size_t size)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
}

struct segment_engine;
struct tfs_segments;

struct segments_options {
    const struct segment_engine *engine; /* NULL: local files */
    const char *path;                    /* the directory, exists */
    bool read_only;
    bool direct; /* try O_DIRECT; where it is refused, buffered writes with early write-back */
    uint64_t segment_size_max; /* bytes; an append never straddles two segments */

    /* Bytes of the disk that appends leave free for the index: a 64th of it, between these. */
    uint64_t reserve_size_min;
    uint64_t reserve_size_max;

    /*
     * Returns a number that was never used before, or a negative errno. Called with a lock of rank
     * SEGMENT held.
     */
    int (*take_number)(void *context, uint64_t *ret);
    void *context;
};

struct segment_position {
    uint64_t number; /* >= 1 */
    uint64_t offset; /* bytes, a multiple of SEGMENT_ALIGNMENT for an append */
};

/* Errors: those of opening the directory, -ENOMEM, -EINVAL (segment_size_max). */
TFS_MUST_CHECK int segments_open(const struct segments_options *options, struct tfs_segments **ret);

/* Makes everything durable, frees preallocated space. Accepts NULL. Returns the first error. */
int segments_close(struct tfs_segments *segments);

/* The folder of a store in which the files of an engine are (NULL: the local engine's). NULL: it
 * has none there. */
const char *segments_engine_folder(const struct segment_engine *engine);

/* Memory, sizes and places of appends are multiples of this, and what is punched are whole units of
 * it: a power of two, at most SEGMENT_ALIGNMENT. */
uint32_t segments_alignment(const struct tfs_segments *segments);

/*
 * Go on appending to an existing segment, from `offset` on (aligned; what lies behind is
 * discarded). Call before the first append; without it the first append starts a new segment.
 *
 * Errors: -ENOENT (no such file), -EUCLEAN (it is shorter than that, or no regular file, or nothing
 *         can be appended there), -EBUSY (one is active already), -EIO, -EROFS, -EOPNOTSUPP (the
 *         engine always begins a new one).
 */
TFS_MUST_CHECK int segments_resume(struct tfs_segments *segments, uint64_t number, uint64_t offset);

/*
 * Write pieces of memory, one behind the other, at the end of an active segment and return where
 * they are. Several threads append at the same time. The data is on its way to the disk, but not
 * durable before segments_sync().
 *
 * pieces: 1..SEGMENT_PIECES_MAX, only read; each aligned, its size a multiple of
 *         segments_alignment(). Buffers of huge pages make fewer and larger requests, a third
 *         faster with half the CPU.
 * Errors: -ENOSPC (also when the reserve would be touched), -EIO, -EROFS, -ENOMEM, -EINVAL (count,
 *         size or alignment), -EUCLEAN (there is a segment of the new number), those of
 *         take_number. The space of a failed append is not reused before the next open.
 */
TFS_MUST_CHECK int segments_appendv(struct tfs_segments *segments, const struct iovec *pieces,
                                    int piece_count, struct segment_position *ret);

/*
 * All appends that returned before this call become durable, the names of their segments included.
 * Concurrent callers share the work.
 *
 * Errors: -EIO. After an fdatasync failed the pages may be lost (fsyncgate), so every later sync
 *         of what is not durable reports it too, until the segments are closed. -ETIMEDOUT (the
 *         engine is out of reach) does not stay: again later.
 */
TFS_MUST_CHECK int segments_sync(struct tfs_segments *segments);

/* 0, or the error of the first sync that failed for good: nothing more can be made durable then. */
TFS_MUST_CHECK int segments_health(struct tfs_segments *segments);

/* How often that was asked for, and how often the disk was made to sync for it. */
void segments_sync_counts(struct tfs_segments *segments, uint64_t *ret_asked, uint64_t *ret_made);

/*
 * Read `size` bytes from anywhere. The engine may read the surrounding aligned range into `buffer`,
 * and *ret_data points to the first byte asked for, inside it.
 *
 * buffer:  aligned to SEGMENT_ALIGNMENT, `capacity` >= segment_read_capacity(offset, size).
 * Errors:  -ENOENT (no such segment), -EUCLEAN (it ends before offset + size), -EIO, -EINVAL.
 */
size_t segment_read_capacity(uint64_t offset, size_t size);
TFS_MUST_CHECK int segments_read(struct tfs_segments *segments, struct segment_position at,
                                 size_t size, void *buffer, size_t capacity,
                                 const uint8_t **ret_data);

/*
 * Read from an aligned place on into pieces of memory, as segments_appendv() takes them. `size`
 * bytes are wanted; what the pieces have room for behind them may change too.
 *
 * Errors: as segments_read().
 */
TFS_MUST_CHECK int segments_readv(struct tfs_segments *segments, struct segment_position at,
                                  size_t size, const struct iovec *pieces, int piece_count);

/*
 * Give back the space of a range; only whole aligned units inside it are given back.
 *
 * Errors: -EOPNOTSUPP where holes cannot be punched: the caller may then rewrite and remove the
 *         segment. -ENOENT, -EUCLEAN (an active segment ends before), -EIO, -EROFS.
 */
TFS_MUST_CHECK int segments_punch(struct tfs_segments *segments, struct segment_position at,
                                  uint64_t size);

/*
 * Remove a segment. Readers in progress finish.
 *
 * Errors: -EBUSY (it is active), -ENOENT (it is gone already), -EIO, -EROFS.
 */
TFS_MUST_CHECK int segments_remove(struct tfs_segments *segments, uint64_t number);

/*
 * Close the active segments for appends, so that they can be removed; the next append starts a new
 * one.
 *
 * Errors: -EIO, -ENOSPC: what was preallocated could not be given back; they are closed all the
 *         same.
 */
TFS_MUST_CHECK int segments_seal(struct tfs_segments *segments);

/* Whether appends may still begin in a segment. Once false, it stays so. */
bool segments_is_active(struct tfs_segments *segments, uint64_t number);

struct segment_status {
    uint64_t number;
    uint64_t size; /* end of what was appended; for a segment of an earlier mount the file's size */
    uint64_t allocated; /* bytes on the disk */
    bool active;
};

/*
 * Calls `visit` for each segment that there is, by number; a negative result ends the walk and is
 * returned.
 *
 * Errors: -EIO, -ENOMEM, those of `visit`.
 */
TFS_MUST_CHECK int segments_visit(struct tfs_segments *segments,
                                  int (*visit)(void *context, const struct segment_status *status),
                                  void *context);

/*
 * The disk beneath. Reservations and what is kept are taken off both `free` and `available`; the
 * reserve only off `available`: it is free and not for data, as are blocks that the disk keeps for
 * root.
 */
struct segment_space {
    uint64_t total;
    uint64_t free;
    uint64_t available;
};

/* Errors: -EIO. */
TFS_MUST_CHECK int segments_space(struct tfs_segments *segments, struct segment_space *ret);

/*
 * Promise room for `size` bytes that will be appended later, so that a writer hears of a full disk
 * while it can still act. Cheap: the disk is asked again only now and then. Unreserve what was
 * reserved, after the append or when it is not needed any more.
 *
 * Errors: -ENOSPC (there is not that much left), -EIO.
 */
TFS_MUST_CHECK int segments_reserve(struct tfs_segments *segments, uint64_t size);
void segments_unreserve(struct tfs_segments *segments, uint64_t size);

/*
 * Keep room for reservations to come: all others find that much less. What is unkept is free again.
 *
 * segments_keep_again() never fails: for what an earlier mount kept, and for what was given up too
 * early.
 *
 * Errors: -ENOSPC (there is not that much left), -EIO.
 */
TFS_MUST_CHECK int segments_keep(struct tfs_segments *segments, uint64_t size);
void segments_keep_again(struct tfs_segments *segments, uint64_t size);
void segments_unkeep(struct tfs_segments *segments, uint64_t size);

/*
 * The same as segments_reserve() and segments_unreserve(), with `kept` of the `size` bytes taken
 * from what is kept, and given back to it.
 *
 * Errors: -ENOSPC (also when the disk has no room for what is kept), -EIO.
 */
TFS_MUST_CHECK int segments_reserve_kept(struct tfs_segments *segments, uint64_t size,
                                         uint64_t kept);
void segments_unreserve_kept(struct tfs_segments *segments, uint64_t size, uint64_t kept);

#endif
