/*
 * The budget of the disk. The system is asked again when the last look is old, when little seems to
 * be left, and always before "no": so a refusal is true at that moment, and removing files helps at
 * once.
 */
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/segment/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

enum { RESERVE_PART = 64 }; /* of the disk */

static const uint64_t look_age_max_ns = TFS_NS_PER_S;
static const uint64_t look_age_max_when_short_ns = 10 * TFS_NS_PER_MS;
static const int64_t short_size = (int64_t)(256 * TFS_MIB);

void segment_budget_init(struct segment_budget *budget)
{
    *budget = (struct segment_budget){.looked_at_ns = 0};
    tfs_mutex_init(&budget->lock, TFS_RANK_LEAF);
}

void segment_budget_begin(struct segment_budget *budget, const struct segment_engine *engine,
                          struct segment_store *store, const struct segments_options *options)
{
    struct segment_space disk;
    uint64_t part = 0;

    budget->engine = engine;
    budget->store = store;
    if (engine->space(store, &disk) == 0)
        part = disk.total / RESERVE_PART;
    budget->reserve_size =
        tfs_max_u64(options->reserve_size_min, tfs_min_u64(part, options->reserve_size_max));
}

void segment_budget_release(struct segment_budget *budget)
{
    tfs_mutex_release(&budget->lock);
}

static int64_t to_signed(uint64_t value)
{
    return (int64_t)tfs_min_u64(value, INT64_MAX / 4); /* sums of a few stay in range */
}

static uint64_t to_unsigned(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

static int budget_look_locked(struct segment_budget *budget) TFS_REQUIRES(&budget->lock)
{
    struct segment_space disk;
    uint64_t for_root; /* ext4 keeps 5 % for root */
    int err = budget->engine->space(budget->store, &disk);

    if (err < 0)
        return err;
    for_root = disk.free > disk.available ? disk.free - disk.available : 0;
    budget->total = disk.total;
    budget->kept_back = to_signed(for_root) + to_signed(budget->reserve_size);
    budget->left = to_signed(disk.available) + budget->unused - to_signed(budget->reserve_size);
    budget->looked_at_ns = tfs_clock_ns();
    return 0;
}

/* Is there room for `needed` bytes? Looks at the disk only where that can change the answer. */
static int budget_check_locked(struct segment_budget *budget, int64_t needed)
    TFS_REQUIRES(&budget->lock)
{
    bool is_short = budget->left - needed < short_size;
    uint64_t age = tfs_clock_ns() - budget->looked_at_ns;
    int err;

    if (age > (is_short ? look_age_max_when_short_ns : look_age_max_ns) || budget->left < needed) {
        err = budget_look_locked(budget);
        if (err < 0)
            return err;
    }
    if (budget->left < needed)
        return tfs_fail(-ENOSPC, "segments: %" PRId64 " bytes wanted, %" PRId64 " left", needed,
                        budget->left);
    return 0;
}

int segment_budget_take(struct segment_budget *budget, uint64_t size)
{
    int err;

    tfs_mutex_lock(&budget->lock);
    err = budget_check_locked(budget, to_signed(size));
    if (err == 0) {
        budget->left -= to_signed(size);
        budget->unused -= to_signed(size);
    }
    tfs_mutex_unlock(&budget->lock);
    return err;
}

void segment_budget_return(struct segment_budget *budget, uint64_t size)
{
    tfs_mutex_lock(&budget->lock);
    budget->left += to_signed(size);
    budget->unused += to_signed(size);
    tfs_mutex_unlock(&budget->lock);
}

uint64_t segment_budget_spare(struct segment_budget *budget)
{
    int64_t left;

    tfs_mutex_lock(&budget->lock);
    left = budget->left - budget->unused;
    tfs_mutex_unlock(&budget->lock);
    return left > 0 ? (uint64_t)left : 0;
}

void segment_budget_allocated(struct segment_budget *budget, int64_t size)
{
    tfs_mutex_lock(&budget->lock);
    budget->unused += size;
    tfs_mutex_unlock(&budget->lock);
}

/* How much must be left for a reservation of `size` bytes more. Who takes all of it from what is
 * kept needs no room for the rest of that. */
static int64_t needed(const struct segment_budget *budget, uint64_t size, uint64_t kept)
{
    uint64_t others = kept < size ? budget->kept - tfs_min_u64(kept, budget->kept) : 0;

    return to_signed(budget->reserved + size + others);
}

static bool is_impossible(const struct segment_budget *budget, uint64_t size)
{
    uint64_t sum;

    return tfs_add_overflows(budget->reserved + budget->kept, size, &sum) || sum > INT64_MAX / 4;
}

int segments_reserve_kept(struct tfs_segments *segments, uint64_t size, uint64_t kept)
{
    struct segment_budget *budget = &segments->budget;
    int err;

    tfs_mutex_lock(&budget->lock);
    assert(kept <= size);
    if (is_impossible(budget, size))
        err = tfs_fail(-ENOSPC, "segments: reserve %" PRIu64 " bytes", size);
    else
        err = budget_check_locked(budget, needed(budget, size, kept));
    if (err == 0) {
        budget->reserved += size;
        budget->kept -= tfs_min_u64(kept, budget->kept); /* the sum came from the disk */
    }
    tfs_mutex_unlock(&budget->lock);
    return err;
}

void segments_unreserve_kept(struct tfs_segments *segments, uint64_t size, uint64_t kept)
{
    struct segment_budget *budget = &segments->budget;

    tfs_mutex_lock(&budget->lock);
    assert(kept <= size && size <= budget->reserved);
    budget->reserved -= size;
    budget->kept += kept;
    tfs_mutex_unlock(&budget->lock);
}

int segments_reserve(struct tfs_segments *segments, uint64_t size)
{
    return segments_reserve_kept(segments, size, 0);
}

void segments_unreserve(struct tfs_segments *segments, uint64_t size)
{
    segments_unreserve_kept(segments, size, 0);
}

int segments_keep(struct tfs_segments *segments, uint64_t size)
{
    struct segment_budget *budget = &segments->budget;
    int err;

    tfs_mutex_lock(&budget->lock);
    if (is_impossible(budget, size))
        err = tfs_fail(-ENOSPC, "segments: keep %" PRIu64 " bytes", size);
    else
        err = budget_check_locked(budget, needed(budget, size, 0));
    if (err == 0)
        budget->kept += size;
    tfs_mutex_unlock(&budget->lock);
    return err;
}

void segments_keep_again(struct tfs_segments *segments, uint64_t size)
{
    tfs_mutex_lock(&segments->budget.lock);
    segments->budget.kept += size;
    tfs_mutex_unlock(&segments->budget.lock);
}

void segments_unkeep(struct tfs_segments *segments, uint64_t size)
{
    tfs_mutex_lock(&segments->budget.lock);
    segments->budget.kept -= tfs_min_u64(size, segments->budget.kept);
    tfs_mutex_unlock(&segments->budget.lock);
}

int segments_space(struct tfs_segments *segments, struct segment_space *ret)
{
    struct segment_budget *budget = &segments->budget;
    int64_t available;
    int err;

    tfs_mutex_lock(&budget->lock);
    err = budget_look_locked(budget);
    if (err == 0) {
        available = budget->left - to_signed(budget->reserved + budget->kept);
        ret->total = budget->total;
        ret->available = to_unsigned(available);
        ret->free = to_unsigned(available + budget->kept_back);
    }
    tfs_mutex_unlock(&budget->lock);
    return err;
}
