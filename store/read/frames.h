/*
 * Reading frames: from a place in a segment (or in a row) to decoded, verified bytes in the cache.
 *
 * Every byte that leaves here has passed the checksums of its block, and the block's table has
 * passed the checksum that the index keeps of it.
 *
 * Errors: -EBADMSG and -EUCLEAN (what is stored is not what was written), -ENOENT (the segment is
 * gone), -EIO, -ENOMEM. A frame that was superseded may be gone while somebody still holds its row:
 * the caller looks for a newer row before it believes an error. Threads: any; nothing of the
 * caller's may be locked.
 */
#ifndef TFS_FRAMES_H
#define TFS_FRAMES_H

#include "store/read/cache.h"
#include "store/read/headers.h"
#include "store/tables/row.h"

#include <errno.h>

struct tfs_frames;
struct tfs_scratch;
struct tfs_segments;

enum {
    FRAMES_UNITS_MAX = 16,
    FRAMES_ROW_TRIES_MAX = 5, /* how often a newer row is looked for */
};

struct tfs_histogram;

struct frames_options {
    struct tfs_segments *segments;
    struct tfs_memory *memory;
    struct tfs_cache *cache;
    unsigned request_scratch_count; /* loads by request threads at the same time */
    uint64_t header_bytes_max;
    struct tfs_histogram *load_time; /* what each load takes; may be NULL */
};

TFS_MUST_CHECK int frames_new(const struct frames_options *options, struct tfs_frames **ret);
void frames_free(struct tfs_frames *frames); /* accepts NULL */

/* What to read: a frame as an extent names it. */
struct frames_source {
    struct frame_ref frame;
    const uint8_t *inline_bytes; /* for frames in rows, else NULL */
    uint32_t block_size;
};

static inline struct frames_source frames_source_of(const struct extent *extent,
                                                    uint32_t block_size)
{
    return (struct frames_source){extent->frame, extent->inline_bytes, block_size};
}

/* A run of units of one frame. */
struct frames_range {
    uint32_t first_unit;
    uint32_t unit_count; /* at most FRAMES_UNITS_MAX */
};

/*
 * Pin the units of the range, decoded, loading what is missing. Not for inline frames.
 *
 * wait: for buffers; without it -EAGAIN when none is free now. A caller that holds pins does not
 * wait. scratch: for the loads; NULL borrows one. On success the caller unpins each unit with
 * cache_unpin().
 */
TFS_MUST_CHECK int frames_pin(struct tfs_frames *frames, const struct frames_source *source,
                              const struct frames_range *range, bool wait,
                              struct tfs_scratch *scratch, struct cache_unit **ret_units);

/* The same of units that are there, decoded. -EAGAIN when one is not; never waits. */
TFS_MUST_CHECK int frames_try_pin(struct tfs_frames *frames, const struct frames_source *source,
                                  const struct frames_range *range, struct cache_unit **ret_units);

/* Copy `size` raw bytes of the frame from `offset` on. Inline frames too. Waits for buffers: hold
 * no pin. */
TFS_MUST_CHECK int frames_copy(struct tfs_frames *frames, const struct frames_source *source,
                               uint32_t offset, uint32_t size, struct tfs_scratch *scratch,
                               void *dst);

/* The same of what is there, decoded or in the row. -EAGAIN when it is not, or when nothing is free
 * to decode it; never waits. */
TFS_MUST_CHECK int frames_try_copy(struct tfs_frames *frames, const struct frames_source *source,
                                   uint32_t offset, uint32_t size, void *dst);

/* Decode a part of the frame into the cache, if that needs no waiting; errors are left to the
 * reader who needs the data. */
void frames_prefetch(struct tfs_frames *frames, const struct frames_source *source,
                     const struct frames_range *range, struct tfs_scratch *scratch);

/* The frame's header, checked; counted for the caller. Not for inline frames, which have it in the
 * row. */
TFS_MUST_CHECK int frames_header(struct tfs_frames *frames, const struct frames_source *source,
                                 struct frame_header **ret);

#endif
