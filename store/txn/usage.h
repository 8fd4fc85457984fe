/*
 * What of the segments is in use: live bytes of each segment, and the number of users of each frame
 * that has several.
 *
 * Both are kept in the index and change in the same batch as the rows that use the frames. A frame
 * that one row uses has no count; the last user that goes makes it dead.
 *
 * A change is made in four steps, all with volume->metadata held: begin, add/share/drop for each
 * frame, finish (writes the counts into the batch), and after the commit apply or cancel.
 */
#ifndef TFS_USAGE_H
#define TFS_USAGE_H

#include "store/tables/row.h"

struct index_batch;
struct tfs_index;
struct tfs_usage;

TFS_MUST_CHECK int usage_new(struct tfs_index *index, struct tfs_usage **ret);
void usage_free(struct tfs_usage *usage); /* accepts NULL */

/* Around an append, so that no segment is taken for empty while one is on its way into it: the end
 * is told what the beginning returned. Threads: any. */
unsigned usage_append_begin(struct tfs_usage *usage);
void usage_append_end(struct tfs_usage *usage, unsigned epoch);

/* Waits until all appends that are on their way now have ended; others may begin meanwhile, and are
 * not waited for. Threads: one at a time. */
void usage_wait_for_appends(struct tfs_usage *usage);

/* A frame was appended, but no row in the index has it yet; and: it never will. Threads: any. */
void usage_appended(struct tfs_usage *usage, const struct frame_ref *frame);
void usage_abandoned(struct tfs_usage *usage, const struct frame_ref *frame);

struct usage_delta {
    uint64_t segment;
    int64_t live;
};

struct usage_share {
    struct frame_ref frame;
    uint64_t count; /* of users; 1: no row */
};

struct usage_change {
    struct tfs_usage *usage;
    struct usage_delta *deltas;
    size_t delta_count;
    struct usage_share *shares;
    size_t share_count;
    uint32_t *share_slots; /* where each of them is: see usage.c */
    size_t share_slot_count;
    struct frame_ref *added;
    size_t added_count;
    struct frame_ref *dead; /* after apply: what may be given back once the batch is durable */
    size_t dead_count;
    int error; /* the first one; finish reports it */
};

void usage_begin(struct tfs_usage *usage, struct usage_change *change);
void usage_add(struct usage_change *change,
               const struct frame_ref *frame); /* the frame's first row */
void usage_share(struct usage_change *change, const struct frame_ref *frame); /* one more row */
void usage_drop(struct usage_change *change, const struct frame_ref *frame);  /* one row less */

/* All of a row's frames at once; NULL is the empty row. Frames in both rows stay as they are.
 * Inline frames have no usage. */
void usage_replace_row(struct usage_change *change, const struct tfs_row *before,
                       const struct tfs_row *after);

/* Errors: -ENOMEM, and of the index. */
TFS_MUST_CHECK int usage_finish(struct usage_change *change, struct index_batch *batch);

/* The batch was committed as `commit_number`. change->dead stays until usage_end(). */
void usage_apply(struct usage_change *change, uint64_t commit_number);
void usage_end(struct usage_change *change);

struct usage_segment {
    uint64_t segment;
    uint64_t live;
    uint64_t uncommitted;
    uint64_t commit_number; /* of the last change */
};

/* Up to `count` segments that hold nothing any more, with the number of the commit that made them
 * so. Returns how many. */
size_t usage_empty_segments(struct tfs_usage *usage, struct usage_segment *ret, size_t count);

/* The segment was removed; so is its row, in this batch. */
void usage_forget_segment(struct tfs_usage *usage, uint64_t segment);

/* False when the index does not know the segment, and nothing was appended to it. */
bool usage_segment(struct tfs_usage *usage, uint64_t segment, struct usage_segment *ret);

/* True when the index knows the segment. */
bool usage_knows_segment(struct tfs_usage *usage, uint64_t segment);

/* Live bytes of one segment; 0 when it is not known. */
uint64_t usage_live_of(struct tfs_usage *usage, uint64_t segment);

/* Live bytes of all segments. */
uint64_t usage_live_bytes(struct tfs_usage *usage);

#endif
