/*
 * Giving back space now, for somebody who asks: what the threads in the background do, in order,
 * and until nothing more comes of it.
 */
#include "store/space/gc.h"

#include "store/file/committer.h"
#include "store/segment/segment.h"
#include "store/space/compact.h"
#include "store/space/reclaim.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

/* What the caller waits for is worth more than what happens by itself: less has to be dead. */
enum { DEAD_PERCENT_MIN = 25 };

struct gc {
    struct tfs_volume *volume;
    const struct tfs_gc_options *options;
    uint64_t allocated;
    uint64_t segments;
    bool seal; /* an active segment is mostly dead too */
};

static int add_segment(void *context, const struct segment_status *status)
{
    struct gc *gc = context;
    struct refcounts_segment counts;

    /* What an active one has in advance is not what it holds. */
    gc->allocated += tfs_min_u64(status->allocated, tfs_align_up(status->size, SEGMENT_ALIGNMENT));
    gc->segments++;
    if (status->active && refcounts_segment(gc->volume->refcounts, status->number, &counts))
        gc->seal |= counts.live < status->size / 2;
    return 0;
}

static int measure(struct gc *gc)
{
    gc->allocated = 0;
    gc->segments = 0;
    return segments_visit(gc->volume->segments, add_segment, gc);
}

static bool tell(void *context, uint64_t done, uint64_t total)
{
    struct gc *gc = context;

    return gc->options->progress(gc->options->context, done, total);
}

int tfs_volume_gc(struct tfs_volume *volume, const struct tfs_gc_options *options,
                  struct tfs_gc_result *ret)
{
    struct gc gc = {.volume = volume, .options = options};
    struct compact_options compact = {.dead_percent_min = DEAD_PERCENT_MIN,
                                      .progress = options->progress ? tell : NULL,
                                      .context = &gc};
    struct compact_result moved = {0};
    int measure_err;
    int err = volume_check_writable(volume);

    *ret = (struct tfs_gc_result){0};
    if (!err)
        err = commit_all(volume, false);
    if (!err)
        err = measure(&gc);
    if (err)
        return err;
    *ret = (struct tfs_gc_result){.bytes_before = gc.allocated, .segments_before = gc.segments};
    reclaim_sweep_all(volume->reclaim);
    reclaim_hurry(volume->reclaim);
    if (gc.seal)
        err = segments_seal(volume->segments);
    if (!err)
        err = compact_run(volume, &compact, &moved);
    reclaim_hurry(volume->reclaim);
    ret->moved_frames = moved.moved_frames;
    ret->moved_bytes = moved.moved_bytes;
    ret->kept_rows = moved.kept_rows;
    measure_err = measure(&gc);
    ret->bytes_after = gc.allocated;
    ret->segments_after = gc.segments;
    return err ? err : measure_err;
}
