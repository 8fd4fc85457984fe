/*
 * One chunk's dirty bytes into frames: the work of a flush, without its bookkeeping.
 */
#ifndef TFS_ENCODE_H
#define TFS_ENCODE_H

#include "store/inode/chunk.h"

/* One run of dirty bytes that became a frame, or a hole when it was all zeros. */
struct encoded_run {
    struct extent extent; /* extent.visible_size 0: a hole; inline_bytes point into `inline_copy` */
    uint32_t end;         /* of what the run covers of the chunk: whole units of the row */
    uint32_t first_slot;
    uint32_t slot_count;
    bool on_unit_boundary; /* the run begins where its first buffer begins */
    uint8_t inline_copy[ROW_INLINE_SIZE_MAX];
};

struct encoded_chunk {
    uint32_t run_count;
    uint64_t raw_bytes;
    uint64_t stored_bytes;
    struct encoded_run runs[CHUNK_SLOTS_MAX];
};

/*
 * Complete the pages at the edges of what is dirty, encode every run and append the frames. The
 * chunk is in flight: nobody changes it. Errors: of reading the old bytes and of the segments.
 * Frames that were appended before an error are given back.
 */
TFS_MUST_CHECK int encode_chunk(struct tfs_volume *volume, struct tfs_chunk *chunk,
                                struct tfs_scratch *scratch, struct encoded_chunk *ret);

/*
 * Append the frame that stands at the beginning of the scratch, ref->stored_size bytes. On success
 * the ref has its place, and the frame counts as appended and not committed: it is to be committed,
 * or handed to reclaim. Errors: of the segments.
 */
TFS_MUST_CHECK int encode_append(struct tfs_volume *volume, struct tfs_scratch *scratch,
                                 struct frame_ref *ref);

/* The frames will not be used: give their space back. */
void encode_give_back(struct tfs_volume *volume, const struct encoded_chunk *encoded);

#endif
