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
#ifndef TFS_REFCOUNTS_H
#define TFS_REFCOUNTS_H

#include "store/tables/row.h"

struct index_batch;
struct tfs_index;
struct tfs_refcounts;

TFS_MUST_CHECK int refcounts_new(struct tfs_index *index, struct tfs_refcounts **ret);
void refcounts_free(struct tfs_refcounts *refcounts); /* accepts NULL */

/* Around an append, so that no segment is taken for empty while one is on its way into it: the end
 * is told what the beginning returned. Threads: any. */
unsigned refcounts_append_begin(struct tfs_refcounts *refcounts);
void refcounts_append_end(struct tfs_refcounts *refcounts, unsigned epoch);

/* Waits until all appends that are on their way now have ended; others may begin meanwhile, and are
 * not waited for. Threads: one at a time. */
void refcounts_wait_for_appends(struct tfs_refcounts *refcounts);

/* A frame was appended, but no row in the index has it yet; and: it never will. Threads: any. */
void refcounts_appended(struct tfs_refcounts *refcounts, const struct frame_ref *frame);
void refcounts_abandoned(struct tfs_refcounts *refcounts, const struct frame_ref *frame);

struct refcounts_delta {
    uint64_t segment;
    int64_t live;
};

struct refcounts_share {
    struct frame_ref frame;
    uint64_t count; /* of users; 1: no row */
};

struct refcounts_change {
    struct tfs_refcounts *refcounts;
    struct refcounts_delta *deltas;
    size_t delta_count;
    struct refcounts_share *shares;
    size_t share_count;
    uint32_t *share_slots; /* where each of them is: see refcounts.c */
    size_t share_slot_count;
    struct frame_ref *added;
    size_t added_count;
    struct frame_ref *dead; /* after apply: what may be given back once the batch is durable */
    size_t dead_count;
    int error; /* the first one; finish reports it */
};

void refcounts_begin(struct tfs_refcounts *refcounts, struct refcounts_change *change);
void refcounts_add(struct refcounts_change *change,
                   const struct frame_ref *frame); /* the frame's first row */
void refcounts_share(struct refcounts_change *change,
                     const struct frame_ref *frame); /* one more row */
void refcounts_drop(struct refcounts_change *change,
                    const struct frame_ref *frame); /* one row less */

/* All of a row's frames at once; NULL is the empty row. Frames in both rows stay as they are.
 * Inline frames are not counted. */
void refcounts_replace_row(struct refcounts_change *change, const struct tfs_row *before,
                           const struct tfs_row *after);

/* Errors: -ENOMEM, and of the index. */
TFS_MUST_CHECK int refcounts_finish(struct refcounts_change *change, struct index_batch *batch);

/* The batch was committed as `commit_number`. change->dead stays until refcounts_end(). */
void refcounts_apply(struct refcounts_change *change, uint64_t commit_number);
void refcounts_end(struct refcounts_change *change);

struct refcounts_segment {
    uint64_t segment;
    uint64_t live;
    uint64_t uncommitted;
    uint64_t commit_number; /* of the last change */
};

/* Up to `count` segments that hold nothing any more, with the number of the commit that made them
 * so. Returns how many. */
size_t refcounts_empty_segments(struct tfs_refcounts *refcounts, struct refcounts_segment *ret,
                                size_t count);

/* The segment was removed; so is its row, in this batch. */
void refcounts_forget_segment(struct tfs_refcounts *refcounts, uint64_t segment);

/* False when the index does not know the segment, and nothing was appended to it. */
bool refcounts_segment(struct tfs_refcounts *refcounts, uint64_t segment,
                       struct refcounts_segment *ret);

/* True when the index knows the segment. */
bool refcounts_knows_segment(struct tfs_refcounts *refcounts, uint64_t segment);

/* Live bytes of one segment; 0 when it is not known. */
uint64_t refcounts_live_of(struct tfs_refcounts *refcounts, uint64_t segment);

/* Live bytes of all segments. */
uint64_t refcounts_live_bytes(struct tfs_refcounts *refcounts);

#endif
