/*
 * The reclaim thread. It takes what was handed over in batches and works without its lock.
 *
 * Invariants:
 * 1. A frame is punched only when the commit that dropped it is durable (or when it never was
 * committed).
 * 2. A segment is removed only when it has no live and no uncommitted bytes, is not appended to,
 * and the commit that emptied it is durable.
 * 3. What is lost from these lists in a crash is found again: orphans by their rows, dead frames by
 * the sweep.
 */
#include "store/space/reclaim.h"

#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/base/list.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/index/index.h"
#include "store/inode/cut.h"
#include "store/segment/segment.h"
#include "store/space/punch.h"
#include "store/space/purge.h"
#include "store/space/sweep.h"
#include "store/tables/meta.h"
#include "store/tables/super.h"
#include "store/txn/dead_list.h"
#include "store/txn/refcounts.h"
#include "store/volume.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SEGMENTS_PER_PASS = 64, GATHER_MS = 20 };

struct tfs_reclaim {
    struct tfs_volume *volume; /* immutable */
    pthread_t thread;
    bool started;
    atomic_bool stopping; /* set with lock held; relaxed where a late look does no harm */

    /* volume->dead: its lock guards all below, too. */
    struct tfs_dead_list *dead;
    struct tfs_cond idle;
    bool hurried; /* somebody waits for the pass */
    bool busy;
    uint64_t passes;      /* complete passes so far */
    uint64_t sweep_first; /* 0: nothing to sweep */
    uint64_t sweep_end;   /* this mount appends from here on */
    bool swept;           /* no sweep is wanted, or it is done */
};

int reclaim_new(struct tfs_volume *volume, struct tfs_reclaim **ret)
{
    struct tfs_reclaim *reclaim = calloc(1, sizeof(*reclaim));

    if (!reclaim)
        return -ENOMEM;
    reclaim->volume = volume;
    reclaim->dead = volume->dead;
    reclaim->swept = true;
    tfs_cond_init(&reclaim->idle);
    *ret = reclaim;
    return 0;
}

static void sweep_locked(struct tfs_reclaim *reclaim, uint64_t first)
    TFS_REQUIRES(&reclaim->dead->lock)
{
    if (first >= reclaim->sweep_end)
        return;
    reclaim->sweep_first = first;
    reclaim->swept = false;
    dead_list_kick_locked(reclaim->dead);
}

void reclaim_set_sweep(struct tfs_reclaim *reclaim, uint64_t first, uint64_t end)
{
    tfs_mutex_lock(&reclaim->dead->lock);
    reclaim->sweep_end = end;
    sweep_locked(reclaim, first);
    tfs_mutex_unlock(&reclaim->dead->lock);
}

void reclaim_sweep_all(struct tfs_reclaim *reclaim)
{
    tfs_mutex_lock(&reclaim->dead->lock);
    sweep_locked(reclaim, 1);
    tfs_mutex_unlock(&reclaim->dead->lock);
}

static void purge_all(struct tfs_reclaim *reclaim)
{
    struct list taken;
    struct list *node;

    list_init(&taken);
    dead_list_take_inodes(reclaim->dead, &taken);
    while ((node = list_pop_front(&taken))) {
        struct dead_inode *dead = list_entry(node, struct dead_inode, node);
        int err = dead->has_name ? cut_purge(reclaim->volume, dead->number)
                                 : purge_inode(reclaim->volume, dead->number);

        if (err)
            tfs_warn("inode %llu: cannot be purged, tried again at the next mount: %s",
                     (unsigned long long)dead->number, tfs_error_text(err));
        free(dead);
    }
}

static void forget_segment(struct tfs_volume *volume, uint64_t segment)
{
    struct index_batch *batch;
    uint8_t key[META_SEGMENT_KEY_SIZE];

    if (index_batch_new(&batch) < 0)
        return; /* an empty row of a segment that is gone does no harm */
    meta_segment_key(segment, key);
    tfs_mutex_lock(&volume->metadata);
    index_batch_delete(batch, INDEX_SEGMENT, key, sizeof(key));
    if (index_commit(volume->index, batch, false) == 0)
        refcounts_forget_segment(volume->refcounts, segment);
    tfs_mutex_unlock(&volume->metadata);
    index_batch_free(batch);
}

/*
 * Finds segments that hold nothing and never will. The second look decides: what was on its way at
 * the first has ended and is counted, and since the segment was sealed before, nothing else can
 * begin in it. After a single look at one that is active it could be sealed with an append still on
 * its way.
 */
static size_t find_removable(struct tfs_volume *volume,
                             struct refcounts_segment ret[SEGMENTS_PER_PASS])
{
    struct refcounts_segment seen[SEGMENTS_PER_PASS];
    size_t seen_count = refcounts_empty_segments(volume->refcounts, seen, SEGMENTS_PER_PASS);
    size_t sealed_count = 0;
    size_t count;
    size_t found = 0;

    for (size_t i = 0; i < seen_count; i++) {
        if (!segments_is_active(volume->segments, seen[i].segment))
            seen[sealed_count++] = seen[i];
    }
    if (sealed_count == 0)
        return 0;
    refcounts_wait_for_appends(volume->refcounts);
    count = refcounts_empty_segments(volume->refcounts, ret, SEGMENTS_PER_PASS);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sealed_count; j++) {
            if (ret[i].segment == seen[j].segment) {
                ret[found++] = ret[i];
                break;
            }
        }
    }
    return found;
}

static void remove_segments(struct tfs_reclaim *reclaim)
{
    struct tfs_volume *volume = reclaim->volume;
    struct refcounts_segment empty[SEGMENTS_PER_PASS];
    uint64_t durable = index_durable_number(volume->index);
    size_t count = find_removable(volume, empty);

    for (size_t i = 0; i < count; i++) {
        int err;

        if (empty[i].commit_number > durable)
            continue;
        err = segments_remove(volume->segments, empty[i].segment);
        if (err == 0 || err == -ENOENT)
            forget_segment(volume, empty[i].segment);
        else
            tfs_warn("segment %llu: cannot be removed: %s", (unsigned long long)empty[i].segment,
                     tfs_error_text(err));
    }
}

static void sweep(struct tfs_reclaim *reclaim)
{
    uint64_t first;
    uint64_t end;
    int err;

    tfs_mutex_lock(&reclaim->dead->lock);
    first = reclaim->sweep_first;
    end = reclaim->sweep_end;
    reclaim->sweep_first = 0;
    tfs_mutex_unlock(&reclaim->dead->lock);
    if (first == 0)
        return;
    err = sweep_segments(reclaim->volume, first, end, &reclaim->stopping);
    if (!err)
        err = super_set_sweep_from(reclaim->volume, end);
    if (!err) {
        tfs_mutex_lock(&reclaim->dead->lock);
        reclaim->swept = true;
        tfs_mutex_unlock(&reclaim->dead->lock);
    }
    if (err && err != -ECANCELED)
        tfs_warn("space that a crash left behind is not given back: %s", tfs_error_text(err));
}

bool reclaim_is_swept(struct tfs_reclaim *reclaim)
{
    bool swept;

    tfs_mutex_lock(&reclaim->dead->lock);
    swept = reclaim->swept;
    tfs_mutex_unlock(&reclaim->dead->lock);
    return swept;
}

static void pass(struct tfs_reclaim *reclaim)
{
    purge_all(reclaim);
    punch_relieve(reclaim->volume);
    punch_dead(reclaim->volume);
    remove_segments(reclaim);
}

static bool has_work_locked(const struct tfs_reclaim *reclaim)
{
    return reclaim->dead->kicked || reclaim->stopping;
}

/* Names are removed by the thousand: a pass, and waking for it, is for many of them. */
static void gather_locked(struct tfs_reclaim *reclaim) TFS_REQUIRES(&reclaim->dead->lock)
{
    uint64_t deadline = tfs_clock_ns() + GATHER_MS * TFS_NS_PER_MS;

    reclaim->dead->gathering = true;
    while (!reclaim->stopping && !reclaim->hurried &&
           tfs_cond_wait_until(&reclaim->dead->work, &reclaim->dead->lock, deadline))
        ;
    reclaim->dead->gathering = false;
}

static void *reclaim_main(void *argument)
{
    struct tfs_reclaim *reclaim = argument;
    bool stopping = false;

    while (!stopping) {
        tfs_mutex_lock(&reclaim->dead->lock);
        while (!has_work_locked(reclaim))
            tfs_cond_wait(&reclaim->dead->work, &reclaim->dead->lock);
        gather_locked(reclaim);
        reclaim->dead->kicked = false;
        reclaim->hurried = false;
        reclaim->busy = true;
        stopping = reclaim->stopping;
        tfs_mutex_unlock(&reclaim->dead->lock);

        sweep(reclaim); /* when it was asked for */
        pass(reclaim);

        tfs_mutex_lock(&reclaim->dead->lock);
        reclaim->busy = false;
        reclaim->passes++;
        tfs_cond_broadcast(&reclaim->idle);
        tfs_mutex_unlock(&reclaim->dead->lock);
    }
    return NULL;
}

int reclaim_start(struct tfs_reclaim *reclaim)
{
    int err = purge_find_orphans(reclaim->volume);

    if (err)
        return err;
    err = pthread_create(&reclaim->thread, NULL, reclaim_main, reclaim);
    if (err)
        return tfs_fail(-err, "cannot start the reclaim thread");
    (void)pthread_setname_np(reclaim->thread, "tfs-reclaim"); /* cosmetic */
    reclaim->started = true;
    return 0;
}

void reclaim_hurry(struct tfs_reclaim *reclaim)
{
    uint64_t passes;

    if (!reclaim->started)
        return;
    /* Twice: what the first pass purges is dead only after another sync. */
    for (int i = 0; i < 2; i++) {
        if (index_sync(reclaim->volume->index) < 0)
            return;
        tfs_mutex_lock(&reclaim->dead->lock);
        passes = reclaim->passes + (reclaim->busy ? 2 : 1);
        while (reclaim->passes < passes && !reclaim->stopping) {
            reclaim->dead->kicked = true;
            reclaim->hurried = true;
            tfs_cond_signal(&reclaim->dead->work);
            tfs_cond_wait(&reclaim->idle, &reclaim->dead->lock);
        }
        tfs_mutex_unlock(&reclaim->dead->lock);
    }
}

void reclaim_stop(struct tfs_reclaim *reclaim)
{
    if (!reclaim || !reclaim->started)
        return;
    tfs_mutex_lock(&reclaim->dead->lock);
    reclaim->stopping = true;
    tfs_cond_broadcast(&reclaim->dead->work);
    tfs_cond_broadcast(&reclaim->idle);
    tfs_mutex_unlock(&reclaim->dead->lock);
    (void)pthread_join(reclaim->thread, NULL); /* cannot fail: joinable, once */
    reclaim->started = false;
}

void reclaim_free(struct tfs_reclaim *reclaim)
{
    if (!reclaim)
        return;
    reclaim_stop(reclaim);
    tfs_cond_release(&reclaim->idle);
    free(reclaim);
}
