/*
 * The choice of segments. One that is appended to, or was lately, is left: its frames are on their
 * way into the index.
 */
#include "store/space/compact_choose.h"

#include "store/base/error.h"
#include "store/segment/segment.h"
#include "store/volume.h"

#include <errno.h>
#include <stdlib.h>

enum { SPARSE_FACTOR = 8 }; /* a segment of which only so small a part is live is emptied */

struct choice {
    struct tfs_volume *volume;
    unsigned dead_percent_min;
    struct compact_victims *victims;
};

/* What is dead and takes space; or hardly anything is left between holes. Sizes are those of
 * segments: nothing overflows. */
static bool is_worth_it(const struct segment_status *status, uint64_t live,
                        unsigned dead_percent_min)
{
    uint64_t dead = status->allocated - tfs_min_u64(status->allocated, live);

    return dead * 100 >= tfs_max_u64(status->allocated, 1) * dead_percent_min ||
           live * SPARSE_FACTOR <= status->size;
}

static int consider(void *context, const struct segment_status *status)
{
    struct choice *choice = context;
    struct compact_victims *victims = choice->victims;
    struct refcounts_segment counts;

    if (victims->count == COMPACT_VICTIMS_MAX || status->size == 0 || status->active ||
        !refcounts_segment(choice->volume->refcounts, status->number, &counts) ||
        counts.live == 0 || counts.uncommitted)
        return 0;
    if (is_worth_it(status, counts.live, choice->dead_percent_min))
        victims->segments[victims->count++] = counts;
    return 0;
}

static int compare_live(const void *a, const void *b)
{
    const struct refcounts_segment *x = a;
    const struct refcounts_segment *y = b;

    return x->live < y->live ? -1 : x->live > y->live;
}

static int compare_number(const void *a, const void *b)
{
    const struct refcounts_segment *x = a;
    const struct refcounts_segment *y = b;

    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

/* Copies come before space does. */
static int keep_affordable(struct tfs_volume *volume, struct compact_victims *victims)
{
    struct segment_space space;
    size_t count = 0;
    int err = segments_space(volume->segments, &space);

    if (err || victims->count == 0)
        return err;
    qsort(victims->segments, victims->count, sizeof(victims->segments[0]), compare_live);
    while (count < victims->count &&
           victims->live_bytes + victims->segments[count].live <= space.available / 2)
        victims->live_bytes += victims->segments[count++].live;
    if (count == 0)
        return tfs_fail(-ENOSPC, "no room to compact %llu bytes",
                        (unsigned long long)victims->segments[0].live);
    victims->count = count;
    qsort(victims->segments, count, sizeof(victims->segments[0]), compare_number);
    return 0;
}

int compact_choose(struct tfs_volume *volume, unsigned dead_percent_min,
                   struct compact_victims *ret)
{
    struct choice choice = {.volume = volume, .dead_percent_min = dead_percent_min, .victims = ret};
    int err;

    ret->count = 0;
    ret->live_bytes = 0;
    err = segments_visit(volume->segments, consider, &choice);
    return err ? err : keep_affordable(volume, ret);
}

bool compact_is_victim(const struct compact_victims *victims, uint64_t segment)
{
    struct refcounts_segment wanted = {.segment = segment};

    return victims->count && bsearch(&wanted, victims->segments, victims->count,
                                     sizeof(victims->segments[0]), compare_number);
}
