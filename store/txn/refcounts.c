/*
 * Live bytes and shares. The table in memory is a copy of the rows in the index, plus what is
 * appended and not committed yet: a segment may be removed only when it has neither.
 */
#include "store/txn/refcounts.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/base/lock.h"
#include "store/index/index.h"
#include "store/segment/segment.h"
#include "store/tables/meta.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { USAGE_BUCKETS = 1024 };

struct refcounts_entry {
    struct refcounts_segment state;
    struct refcounts_entry *next;
};

struct tfs_refcounts {
    struct tfs_index *index;
    struct tfs_mutex lock;                          /* rank TFS_RANK_LEAF */
    struct refcounts_entry *buckets[USAGE_BUCKETS]; /* guarded by lock */
    struct tfs_cond ended;                          /* the last append of an epoch */
    unsigned epoch;      /* guarded by lock; new appends belong to epoch % 2 */
    unsigned appends[2]; /* in progress, by epoch; guarded by lock */
};

static struct refcounts_entry *entry_locked(struct tfs_refcounts *refcounts, uint64_t segment,
                                            bool create) TFS_REQUIRES(&refcounts->lock)
{
    struct refcounts_entry **bucket = &refcounts->buckets[segment % USAGE_BUCKETS];
    struct refcounts_entry *entry = *bucket;

    while (entry && entry->state.segment != segment)
        entry = entry->next;
    if (entry || !create)
        return entry;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL; /* then the segment is never taken for empty: space is lost until the next
                        mount, no data */
    entry->state.segment = segment;
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static int load(struct tfs_refcounts *refcounts)
{
    struct index_range range = {.table = INDEX_SEGMENT};
    struct index_record record;
    struct index_scan *scan;
    int more;
    int err = index_scan_open(refcounts->index, &range, &scan);

    if (err)
        return err;
    while ((more = index_scan_next(scan, &record)) > 0) {
        struct refcounts_entry *entry;

        if (record.key_size != META_SEGMENT_KEY_SIZE || record.value_size != sizeof(uint64_t)) {
            more = tfs_fail(-EUCLEAN, "segment row of %zu bytes", record.value_size);
            break;
        }
        tfs_mutex_lock(&refcounts->lock);
        entry = entry_locked(refcounts, tfs_get_be64(record.key), true);
        if (entry)
            entry->state.live = tfs_get_le64(record.value);
        tfs_mutex_unlock(&refcounts->lock);
        if (!entry) {
            more = -ENOMEM;
            break;
        }
    }
    index_scan_close(scan);
    return more;
}

int refcounts_new(struct tfs_index *index, struct tfs_refcounts **ret)
{
    struct tfs_refcounts *refcounts = calloc(1, sizeof(*refcounts));
    int err;

    if (!refcounts)
        return -ENOMEM;
    refcounts->index = index;
    tfs_mutex_init(&refcounts->lock, TFS_RANK_LEAF);
    tfs_cond_init(&refcounts->ended);
    err = load(refcounts);
    if (err) {
        refcounts_free(refcounts);
        return err;
    }
    *ret = refcounts;
    return 0;
}

void refcounts_free(struct tfs_refcounts *refcounts)
{
    if (!refcounts)
        return;
    for (int i = 0; i < USAGE_BUCKETS; i++) {
        while (refcounts->buckets[i]) {
            struct refcounts_entry *entry = refcounts->buckets[i];

            refcounts->buckets[i] = entry->next;
            free(entry);
        }
    }
    tfs_cond_release(&refcounts->ended);
    tfs_mutex_release(&refcounts->lock);
    free(refcounts);
}

unsigned refcounts_append_begin(struct tfs_refcounts *refcounts)
{
    unsigned epoch;

    tfs_mutex_lock(&refcounts->lock);
    epoch = refcounts->epoch;
    refcounts->appends[epoch % 2]++;
    tfs_mutex_unlock(&refcounts->lock);
    return epoch;
}

void refcounts_append_end(struct tfs_refcounts *refcounts, unsigned epoch)
{
    tfs_mutex_lock(&refcounts->lock);
    assert(refcounts->appends[epoch % 2] > 0);
    if (--refcounts->appends[epoch % 2] == 0)
        tfs_cond_broadcast(&refcounts->ended);
    tfs_mutex_unlock(&refcounts->lock);
}

/* New appends belong to the next epoch, which nobody is in: the one before it was waited for when
 * it was left, here as well. */
void refcounts_wait_for_appends(struct tfs_refcounts *refcounts)
{
    unsigned epoch;

    tfs_mutex_lock(&refcounts->lock);
    epoch = refcounts->epoch++;
    while (refcounts->appends[epoch % 2] > 0)
        tfs_cond_wait(&refcounts->ended, &refcounts->lock);
    tfs_mutex_unlock(&refcounts->lock);
}

void refcounts_appended(struct tfs_refcounts *refcounts, const struct frame_ref *frame)
{
    struct refcounts_entry *entry;

    tfs_mutex_lock(&refcounts->lock);
    entry = entry_locked(refcounts, frame->segment, true);
    if (entry)
        entry->state.uncommitted += frame_ref_disk_size(frame);
    tfs_mutex_unlock(&refcounts->lock);
}

static void less_uncommitted_locked(struct tfs_refcounts *refcounts, const struct frame_ref *frame)
    TFS_REQUIRES(&refcounts->lock)
{
    struct refcounts_entry *entry = entry_locked(refcounts, frame->segment, false);

    if (entry)
        entry->state.uncommitted -=
            tfs_min_u64(entry->state.uncommitted, frame_ref_disk_size(frame));
}

void refcounts_abandoned(struct tfs_refcounts *refcounts, const struct frame_ref *frame)
{
    tfs_mutex_lock(&refcounts->lock);
    less_uncommitted_locked(refcounts, frame);
    tfs_mutex_unlock(&refcounts->lock);
}

void refcounts_begin(struct tfs_refcounts *refcounts, struct refcounts_change *change)
{
    *change = (struct refcounts_change){.refcounts = refcounts};
}

/* Grows an array by one element, in powers of two; NULL and change->error when there is no memory.
 */
static void *append_element(struct refcounts_change *change, void *array, size_t *count,
                            size_t element_size)
{
    if ((*count & (*count - 1)) == 0) {
        void *grown = realloc(array, (*count ? *count * 2 : 1) * element_size);

        if (!grown) {
            change->error = -ENOMEM;
            return NULL;
        }
        array = grown;
    }
    (*count)++;
    return array;
}

static void add_live(struct refcounts_change *change, uint64_t segment, int64_t bytes)
{
    struct refcounts_delta *deltas;

    for (size_t i = change->delta_count; i > 0; i--) {
        if (change->deltas[i - 1].segment == segment) {
            change->deltas[i - 1].live += bytes;
            return;
        }
    }
    deltas = append_element(change, change->deltas, &change->delta_count, sizeof(*deltas));
    if (!deltas)
        return;
    change->deltas = deltas;
    deltas[change->delta_count - 1] = (struct refcounts_delta){segment, bytes};
}

static int read_share(struct tfs_refcounts *refcounts, const struct frame_ref *frame, uint64_t *ret)
{
    uint8_t key[META_SHARE_KEY_SIZE];
    struct index_value value;
    int err;

    meta_share_key(frame->segment, frame->offset, key);
    err = index_get(refcounts->index, INDEX_SHARE, key, sizeof(key), &value);
    if (err == -ENOENT) {
        *ret = 1;
        return 0;
    }
    if (err)
        return err;
    if (value.size == sizeof(uint64_t) && tfs_get_le64(value.data) >= 2)
        *ret = tfs_get_le64(value.data);
    else
        err = tfs_fail(-EUCLEAN, "share row of %zu bytes", value.size);
    index_value_release(&value);
    return err;
}

/* ---- counts in a change, by frame: open addressing, at most half full ---- */

/* Where the frame's number stands, or would: share_slots has the numbers plus one, 0 is free. */
static uint32_t *share_slot(const struct refcounts_change *change, const struct frame_ref *frame)
{
    uint64_t mixed = (frame->segment * 31 + frame->offset / SEGMENT_ALIGNMENT) *
                     0x9E3779B97F4A7C15ull; /* the golden ratio: Knuth, TAOCP 6.4 */
    size_t mask = change->share_slot_count - 1;
    size_t at = mixed >> 32 & mask;

    while (change->share_slots[at] &&
           !frame_ref_equal(&change->shares[change->share_slots[at] - 1].frame, frame))
        at = (at + 1) & mask;
    return &change->share_slots[at];
}

static struct refcounts_share *find_share(const struct refcounts_change *change,
                                          const struct frame_ref *frame)
{
    uint32_t number = change->share_slot_count ? *share_slot(change, frame) : 0;

    return number ? &change->shares[number - 1] : NULL;
}

static bool grow_share_slots(struct refcounts_change *change)
{
    size_t count = change->share_slot_count ? 2 * change->share_slot_count : 64;
    uint32_t *slots;

    if (2 * (change->share_count + 1) <= change->share_slot_count)
        return true;
    slots = calloc(count, sizeof(*slots));
    if (!slots) {
        change->error = -ENOMEM;
        return false;
    }
    free(change->share_slots);
    change->share_slots = slots;
    change->share_slot_count = count;
    for (size_t i = 0; i < change->share_count; i++)
        *share_slot(change, &change->shares[i].frame) = (uint32_t)i + 1;
    return true;
}

static struct refcounts_share *add_share(struct refcounts_change *change,
                                         const struct frame_ref *frame, uint64_t count)
{
    struct refcounts_share *shares;
    uint32_t *slot;

    if (!grow_share_slots(change))
        return NULL;
    slot = share_slot(change, frame);
    shares = append_element(change, change->shares, &change->share_count, sizeof(*shares));
    if (!shares)
        return NULL;
    change->shares = shares;
    shares[change->share_count - 1] = (struct refcounts_share){*frame, count};
    *slot = (uint32_t)change->share_count;
    return &shares[change->share_count - 1];
}

/* The frame's count in this change, read from the index at first; NULL with change->error set. */
static struct refcounts_share *share_of(struct refcounts_change *change,
                                        const struct frame_ref *frame)
{
    struct refcounts_share *share = find_share(change, frame);
    uint64_t count;
    int err;

    if (share)
        return share;
    err = read_share(change->refcounts, frame, &count);
    if (!err)
        return add_share(change, frame, count);
    change->error = err;
    return NULL;
}

void refcounts_add(struct refcounts_change *change, const struct frame_ref *frame)
{
    struct frame_ref *added;

    add_live(change, frame->segment, (int64_t)frame_ref_disk_size(frame));
    added = append_element(change, change->added, &change->added_count, sizeof(*added));
    if (!added)
        return;
    change->added = added;
    added[change->added_count - 1] = *frame;
}

void refcounts_share(struct refcounts_change *change, const struct frame_ref *frame)
{
    struct refcounts_share *share = share_of(change, frame);

    if (share)
        share->count++;
}

static void add_dead(struct refcounts_change *change, const struct frame_ref *frame)
{
    struct frame_ref *dead =
        append_element(change, change->dead, &change->dead_count, sizeof(*dead));

    if (!dead)
        return;
    change->dead = dead;
    dead[change->dead_count - 1] = *frame;
    add_live(change, frame->segment, -(int64_t)frame_ref_disk_size(frame));
}

void refcounts_drop(struct refcounts_change *change, const struct frame_ref *frame)
{
    struct refcounts_share *share = find_share(change, frame);
    uint64_t count;

    if (share) {
        if (--share->count == 0)
            add_dead(change, frame);
        return;
    }
    /* Most frames have one user: no entry is made for those. */
    change->error = change->error ? change->error : read_share(change->refcounts, frame, &count);
    if (change->error)
        return;
    if (count == 1)
        add_dead(change, frame);
    else
        (void)add_share(change, frame, count - 1); /* or the change has its error */
}

void refcounts_replace_row(struct refcounts_change *change, const struct tfs_row *before,
                           const struct tfs_row *after)
{
    for (uint32_t i = 0; after && i < after->extent_count; i++) {
        const struct frame_ref *frame = &after->extents[i].frame;

        if (frame->segment && row_shows_first(after, i) && !row_has_frame(before, frame))
            refcounts_add(change, frame);
    }
    for (uint32_t i = 0; before && i < before->extent_count; i++) {
        const struct frame_ref *frame = &before->extents[i].frame;

        if (frame->segment && row_shows_first(before, i) && !row_has_frame(after, frame))
            refcounts_drop(change, frame);
    }
}

static void put_live(struct refcounts_change *change, struct index_batch *batch,
                     const struct refcounts_delta *delta)
{
    struct tfs_refcounts *refcounts = change->refcounts;
    struct refcounts_entry *entry;
    uint8_t key[META_SEGMENT_KEY_SIZE];
    uint8_t value[sizeof(uint64_t)];
    uint64_t live = 0;

    tfs_mutex_lock(&refcounts->lock);
    /* A segment whose count was lost gets none here: it would be taken for empty. */
    entry = entry_locked(refcounts, delta->segment, delta->live >= 0);
    if (entry)
        live = entry->state.live;
    tfs_mutex_unlock(&refcounts->lock);
    if (!entry && delta->live >= 0) {
        change->error = -ENOMEM;
        return;
    }
    if (delta->live < 0 && (uint64_t)-delta->live > live) {
        change->error = tfs_fail(-EUCLEAN, "segment %llu has less in use than is given back",
                                 (unsigned long long)delta->segment);
        return;
    }
    meta_segment_key(delta->segment, key);
    tfs_put_le64(value, live + (uint64_t)delta->live);
    index_batch_put(batch, INDEX_SEGMENT, key, sizeof(key), value, sizeof(value));
}

int refcounts_finish(struct refcounts_change *change, struct index_batch *batch)
{
    for (size_t i = 0; i < change->delta_count && !change->error; i++)
        put_live(change, batch, &change->deltas[i]);
    for (size_t i = 0; i < change->share_count && !change->error; i++) {
        const struct refcounts_share *share = &change->shares[i];
        uint8_t key[META_SHARE_KEY_SIZE];
        uint8_t value[sizeof(uint64_t)];

        meta_share_key(share->frame.segment, share->frame.offset, key);
        tfs_put_le64(value, share->count);
        if (share->count >= 2)
            index_batch_put(batch, INDEX_SHARE, key, sizeof(key), value, sizeof(value));
        else
            index_batch_delete(batch, INDEX_SHARE, key, sizeof(key));
    }
    return change->error;
}

void refcounts_apply(struct refcounts_change *change, uint64_t commit_number)
{
    struct tfs_refcounts *refcounts = change->refcounts;

    tfs_mutex_lock(&refcounts->lock);
    for (size_t i = 0; i < change->delta_count; i++) {
        struct refcounts_entry *entry = entry_locked(refcounts, change->deltas[i].segment, true);

        if (!entry)
            continue;
        entry->state.live += (uint64_t)change->deltas[i].live;
        entry->state.commit_number = commit_number;
    }
    for (size_t i = 0; i < change->added_count; i++)
        less_uncommitted_locked(refcounts, &change->added[i]);
    tfs_mutex_unlock(&refcounts->lock);
}

void refcounts_end(struct refcounts_change *change)
{
    free(change->deltas);
    free(change->shares);
    free(change->share_slots);
    free(change->added);
    free(change->dead);
    *change = (struct refcounts_change){0};
}

size_t refcounts_empty_segments(struct tfs_refcounts *refcounts, struct refcounts_segment *ret,
                                size_t count)
{
    size_t found = 0;

    tfs_mutex_lock(&refcounts->lock);
    for (int i = 0; i < USAGE_BUCKETS && found < count; i++) {
        for (struct refcounts_entry *entry = refcounts->buckets[i]; entry && found < count;
             entry = entry->next) {
            if (entry->state.live == 0 && entry->state.uncommitted == 0)
                ret[found++] = entry->state;
        }
    }
    tfs_mutex_unlock(&refcounts->lock);
    return found;
}

void refcounts_forget_segment(struct tfs_refcounts *refcounts, uint64_t segment)
{
    struct refcounts_entry **at = &refcounts->buckets[segment % USAGE_BUCKETS];
    struct refcounts_entry *entry;

    tfs_mutex_lock(&refcounts->lock);
    while (*at && (*at)->state.segment != segment)
        at = &(*at)->next;
    entry = *at;
    if (entry)
        *at = entry->next;
    tfs_mutex_unlock(&refcounts->lock);
    free(entry);
}

bool refcounts_segment(struct tfs_refcounts *refcounts, uint64_t segment,
                       struct refcounts_segment *ret)
{
    struct refcounts_entry *entry;

    tfs_mutex_lock(&refcounts->lock);
    entry = entry_locked(refcounts, segment, false);
    if (entry)
        *ret = entry->state;
    tfs_mutex_unlock(&refcounts->lock);
    return entry != NULL;
}

bool refcounts_knows_segment(struct tfs_refcounts *refcounts, uint64_t segment)
{
    bool knows;

    tfs_mutex_lock(&refcounts->lock);
    knows = entry_locked(refcounts, segment, false) != NULL;
    tfs_mutex_unlock(&refcounts->lock);
    return knows;
}

uint64_t refcounts_live_of(struct tfs_refcounts *refcounts, uint64_t segment)
{
    struct refcounts_entry *entry;
    uint64_t bytes;

    tfs_mutex_lock(&refcounts->lock);
    entry = entry_locked(refcounts, segment, false);
    bytes = entry ? entry->state.live : 0;
    tfs_mutex_unlock(&refcounts->lock);
    return bytes;
}

uint64_t refcounts_live_bytes(struct tfs_refcounts *refcounts)
{
    uint64_t bytes = 0;

    tfs_mutex_lock(&refcounts->lock);
    for (int i = 0; i < USAGE_BUCKETS; i++) {
        for (struct refcounts_entry *entry = refcounts->buckets[i]; entry; entry = entry->next)
            bytes += entry->state.live;
    }
    tfs_mutex_unlock(&refcounts->lock);
    return bytes;
}
