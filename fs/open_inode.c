#include "fs/open_inode.h"

#include "store/base/clock.h"

#include <assert.h>
#include <stdlib.h>

/* The kernel raises a size at the start of what it is told. Who waits longer for the end of it, for
 * a page that is locked, need not. */
enum { TELL_PATIENCE_MS = 50 };

static struct list *bucket_of(struct open_inodes *table, uint64_t number)
{
    return &table->buckets[number % OPEN_INODES_BUCKET_COUNT];
}

void open_inodes_init(struct open_inodes *table, struct tfs_volume *volume)
{
    tfs_mutex_init(&table->lock, TFS_RANK_FS_LOOP);
    tfs_cond_init(&table->left);
    table->waiting_count = 0;
    table->volume = volume;
    for (size_t i = 0; i < OPEN_INODES_BUCKET_COUNT; i++)
        list_init(&table->buckets[i]);
}

void open_inodes_release(struct open_inodes *table)
{
    tfs_cond_release(&table->left);
    tfs_mutex_release(&table->lock);
}

/* ---- records ---- */

/* The size that programs see now; of an inode that is open, or not: then 0 will do. */
static uint64_t current_size(struct open_inodes *table, uint64_t number)
{
    struct tfs_attr attr;

    return tfs_getattr(table->volume, number, &attr) == 0 ? attr.size : 0;
}

static struct open_inode *find_locked(struct open_inodes *table, uint64_t number)
    TFS_REQUIRES(&table->lock)
{
    struct list *node;

    list_for_each (node, bucket_of(table, number)) {
        struct open_inode *inode = list_entry(node, struct open_inode, node);

        if (inode->number == number) {
            inode->user_count++;
            return inode;
        }
    }
    return NULL;
}

static struct open_inode *inode_new(struct open_inodes *table, uint64_t number)
{
    struct open_inode *inode = calloc(1, sizeof(*inode));

    if (!inode)
        return NULL;
    inode->number = number;
    inode->user_count = 1;
    inode->size_known = current_size(table, number);
    tfs_mutex_init(&inode->claim_lock, TFS_RANK_FS_LOOP);
    tfs_cond_init(&inode->written_back);
    list_init(&inode->claims);
    tfs_mutex_init(&inode->size_lock, TFS_RANK_FS_LOOP);
    tfs_cond_init(&inode->size_told);
    return inode;
}

static void inode_free(struct open_inode *inode)
{
    if (!inode)
        return;
    tfs_cond_release(&inode->size_told);
    tfs_mutex_release(&inode->size_lock);
    tfs_cond_release(&inode->written_back);
    tfs_mutex_release(&inode->claim_lock);
    free(inode);
}

struct open_inode *open_inodes_find(struct open_inodes *table, uint64_t number)
{
    struct open_inode *inode;

    tfs_mutex_lock(&table->lock);
    inode = find_locked(table, number);
    tfs_mutex_unlock(&table->lock);
    return inode;
}

struct open_inode *open_inodes_get(struct open_inodes *table, uint64_t number)
{
    struct open_inode *inode = open_inodes_find(table, number);
    struct open_inode *made;

    if (inode)
        return inode;
    made = inode_new(table, number);
    if (!made)
        return NULL;
    tfs_mutex_lock(&table->lock);
    inode = find_locked(table, number); /* another opener may have been faster */
    if (!inode)
        list_push_front(bucket_of(table, number), &made->node);
    tfs_mutex_unlock(&table->lock);
    if (!inode)
        return made;
    inode_free(made);
    return inode;
}

void open_inode_put(struct open_inodes *table, struct open_inode *inode)
{
    bool is_last;

    tfs_mutex_lock(&table->lock);
    is_last = --inode->user_count == 0;
    if (is_last)
        list_remove(&inode->node);
    tfs_mutex_unlock(&table->lock);
    if (is_last)
        inode_free(inode);
}

/* ---- who caches ---- */

static bool is_in_the_way_locked(const struct open_inode *inode, const struct open_use *use)
{
    return (use->is_direct ? inode->cached_count : inode->direct_count) > 0;
}

/* One opener at most waits, so that a storm of opens holds up no threads. */
static void wait_for_leavers_locked(struct open_inodes *table, const struct open_inode *inode,
                                    const struct open_use *use) TFS_REQUIRES(&table->lock)
{
    uint64_t deadline_ns = tfs_clock_ns() + OPEN_INODE_PATIENCE_MS * 1000000ull;

    if (table->waiting_count > 0)
        return;
    table->waiting_count++;
    while (is_in_the_way_locked(inode, use) &&
           tfs_cond_wait_until(&table->left, &table->lock, deadline_ns)) {
    }
    table->waiting_count--;
}

static void enter_locked(struct open_inode *inode, const struct open_use *use)
{
    assert(!is_in_the_way_locked(inode, use));
    if (!use->is_direct) {
        inode->cached_count++;
        /* Also those that an earlier handle has left. */
        atomic_store_explicit(&inode->has_pages, true, memory_order_relaxed);
    } else if (inode->direct_count++ == 0) {
        inode->is_changed = false;
        /* The open drops all, and nobody is there to fill new ones. */
        atomic_store_explicit(&inode->has_pages, false, memory_order_relaxed);
    }
    if (use->reads)
        inode->reader_count++;
}

void open_inode_enter(struct open_inodes *table, struct open_inode *inode, struct open_use *use)
{
    tfs_mutex_lock(&table->lock);
    if (is_in_the_way_locked(inode, use)) {
        wait_for_leavers_locked(table, inode, use);
        if (is_in_the_way_locked(inode, use))
            use->is_direct = !use->is_direct;
    }
    enter_locked(inode, use);
    tfs_mutex_unlock(&table->lock);
}

/* Returns true when the pages have to go. Each write has dropped those of its range; what the
 * kernel has cut at a size of the time between two writes goes with the last. */
static bool direct_leave_locked(struct open_inode *inode, bool is_written)
{
    if (is_written)
        inode->is_changed = true;
    if (--inode->direct_count > 0 || !inode->is_changed || inode->must_drop)
        return false;
    inode->must_drop = atomic_load_explicit(&inode->has_pages, memory_order_relaxed);
    return inode->must_drop;
}

bool open_inode_leave(struct open_inodes *table, struct open_inode *inode,
                      const struct open_use *use, bool is_written)
{
    bool must_drop = false;

    tfs_mutex_lock(&table->lock);
    if (use->reads)
        inode->reader_count--;
    if (use->is_direct)
        must_drop = direct_leave_locked(inode, is_written);
    else
        inode->cached_count--;
    if (table->waiting_count > 0)
        tfs_cond_broadcast(&table->left);
    tfs_mutex_unlock(&table->lock);
    return must_drop;
}

bool open_inode_must_drop(struct open_inodes *table, struct open_inode *inode)
{
    bool must_drop;

    tfs_mutex_lock(&table->lock);
    must_drop = inode->must_drop;
    tfs_mutex_unlock(&table->lock);
    return must_drop;
}

void open_inode_dropped(struct open_inodes *table, struct open_inode *inode)
{
    tfs_mutex_lock(&table->lock);
    inode->must_drop = false;
    tfs_mutex_unlock(&table->lock);
}

/* ---- stores into mappings beside other changes ---- */

void open_inode_claim(struct open_inode *inode, struct open_claim *claim)
{
    tfs_mutex_lock(&inode->claim_lock);
    list_push_back(&inode->claims, &claim->node);
    while (inode->write_back_count > 0) /* those that come now see the claim */
        tfs_cond_wait(&inode->written_back, &inode->claim_lock);
    tfs_mutex_unlock(&inode->claim_lock);
}

void open_inode_claim_move(struct open_inode *inode, struct open_claim *from, struct open_claim *to)
{
    tfs_mutex_lock(&inode->claim_lock);
    *to = *from;
    list_push_back(&inode->claims, &to->node);
    list_remove(&from->node);
    tfs_mutex_unlock(&inode->claim_lock);
}

void open_inode_unclaim(struct open_inode *inode, struct open_claim *claim)
{
    tfs_mutex_lock(&inode->claim_lock);
    list_remove(&claim->node);
    tfs_mutex_unlock(&inode->claim_lock);
}

void open_inode_write_back_begin(struct open_inode *inode)
{
    tfs_mutex_lock(&inode->claim_lock);
    inode->write_back_count++;
    tfs_mutex_unlock(&inode->claim_lock);
}

void open_inode_write_back_end(struct open_inode *inode)
{
    tfs_mutex_lock(&inode->claim_lock);
    if (--inode->write_back_count == 0)
        tfs_cond_broadcast(&inode->written_back);
    tfs_mutex_unlock(&inode->claim_lock);
}

/* Returns true when the offset was in a claim, and moved behind it. */
static bool skip_claimed_locked(struct open_inode *inode, uint64_t *offset)
{
    struct list *node;

    list_for_each (node, &inode->claims) {
        const struct open_claim *claim = list_entry(node, struct open_claim, node);

        if (claim->offset <= *offset && *offset < claim->end) {
            *offset = claim->end;
            return true;
        }
    }
    return false;
}

static uint64_t next_claim_locked(struct open_inode *inode, uint64_t offset, uint64_t end)
{
    struct list *node;

    list_for_each (node, &inode->claims) {
        const struct open_claim *claim = list_entry(node, struct open_claim, node);

        if (claim->offset >= offset && claim->offset < end && claim->offset < claim->end)
            end = claim->offset;
    }
    return end;
}

uint64_t open_inode_unclaimed(struct open_inode *inode, uint64_t *offset, uint64_t end)
{
    uint64_t run_end;

    tfs_mutex_lock(&inode->claim_lock);
    while (*offset < end && skip_claimed_locked(inode, offset)) {
    }
    *offset = tfs_min_u64(*offset, end);
    run_end = next_claim_locked(inode, *offset, end);
    tfs_mutex_unlock(&inode->claim_lock);
    return run_end;
}

/* ---- sizes ---- */

uint64_t open_inode_change_begin(struct open_inodes *table, struct open_inode *inode)
{
    uint64_t size;

    tfs_mutex_lock(&inode->size_lock);
    if (inode->change_count++ == 0) /* nothing is under way: all of it was answered */
        inode->size_answered = current_size(table, inode->number);
    size = inode->size_answered;
    tfs_mutex_unlock(&inode->size_lock);
    return size;
}

/* What the kernel is told to grow it must not be told while it cuts, or the cut would be undone. */
void open_inode_cut_begin(struct open_inode *inode)
{
    uint64_t deadline_ns = tfs_clock_ns() + TELL_PATIENCE_MS * 1000000ull;

    tfs_mutex_lock(&inode->size_lock);
    inode->cut_count++;
    inode->cuts_ever++;
    while (inode->is_telling &&
           tfs_cond_wait_until(&inode->size_told, &inode->size_lock, deadline_ns)) {
    }
    tfs_mutex_unlock(&inode->size_lock);
}

void open_inode_change_end(struct open_inodes *table, struct open_inode *inode,
                           enum open_change change, uint64_t end)
{
    tfs_mutex_lock(&inode->size_lock);
    if (change == OPEN_CHANGE_WRITTEN) {
        inode->size_answered = tfs_max_u64(inode->size_answered, end);
    } else {
        inode->size_answered = current_size(table, inode->number);
        inode->size_known = inode->size_answered;
    }
    if (change == OPEN_CHANGE_CUT)
        inode->cut_count--;
    inode->change_count--;
    tfs_mutex_unlock(&inode->size_lock);
}

struct open_size open_inode_size_to_tell(struct open_inodes *table, struct open_inode *inode)
{
    struct open_size ret;
    bool is_read;

    tfs_mutex_lock(&table->lock);
    is_read = inode->reader_count > 0;
    tfs_mutex_unlock(&table->lock);
    tfs_mutex_lock(&inode->size_lock);
    ret.size = current_size(table, inode->number);
    if (inode->change_count > 0)
        ret.size = tfs_min_u64(ret.size, inode->size_answered);
    ret.cuts_ever = inode->cuts_ever;
    ret.is_known = !is_read || inode->cut_count > 0 || ret.size <= inode->size_known;
    tfs_mutex_unlock(&inode->size_lock);
    return ret;
}

bool open_inode_tell_begin(struct open_inode *inode, const struct open_size *size)
{
    bool is_needed;

    tfs_mutex_lock(&inode->size_lock);
    is_needed = inode->cuts_ever == size->cuts_ever && size->size > inode->size_known;
    if (is_needed)
        inode->is_telling = true;
    tfs_mutex_unlock(&inode->size_lock);
    return is_needed;
}

void open_inode_tell_end(struct open_inode *inode, const struct open_size *size)
{
    tfs_mutex_lock(&inode->size_lock);
    inode->is_telling = false;
    if (inode->cuts_ever == size->cuts_ever && size->size > inode->size_known)
        inode->size_known = size->size;
    tfs_cond_broadcast(&inode->size_told);
    tfs_mutex_unlock(&inode->size_lock);
}
