/*
 * What the two files of frames share. Nobody else includes it.
 */
#ifndef TFS_FRAMES_INTERNAL_H
#define TFS_FRAMES_INTERNAL_H

#include "store/codec/frame.h"
#include "store/read/frames.h"

struct tfs_frames {
    struct tfs_segments *segments;
    struct tfs_memory *memory;
    struct tfs_cache *cache;
    struct tfs_headers *headers;
    struct tfs_scratch_pool *request_scratches;
    struct tfs_histogram *load_time; /* may be NULL */
};

/* The header must be the very one that the index knows: its checksum covers the table, the table
 * those of the blocks. */
TFS_MUST_CHECK int frames_open_header(const struct frames_source *source, const uint8_t *bytes,
                                      size_t size, struct frame_view *ret);

#endif
