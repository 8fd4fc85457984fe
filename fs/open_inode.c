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
    return use->is_direct ? use->writes && inode->cached_count > 0 : inode->direct_writer_count > 0;
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
    if (!use->is_direct) {
        assert(inode->direct_writer_count == 0);
        inode->cached_count++;
        /* Also those that an earlier handle has left. */
        atomic_store_explicit(&inode->has_pages, true, memory_order_relaxed);
    } else if (use->writes) {
        assert(inode->cached_count == 0);
        if (inode->direct_writer_count++ == 0) {
            inode->is_changed = false;
            /* All are dropped by the open. Who reads past the cache may have mapped before. */
            atomic_store_explicit(&inode->has_pages, inode->reader_count > 0, memory_order_relaxed);
        }
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
static bool direct_writer_leave_locked(struct open_inode *inode, bool is_written)
{
    if (is_written)
        inode->is_changed = true;
    if (--inode->direct_writer_count > 0 || !inode->is_changed || inode->must_drop)
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
    if (!use->is_direct)
        inode->cached_count--;
    else if (use->writes)
        must_drop = direct_writer_leave_locked(inode, is_written);
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

/* ---- sizes ---- */

/* What the kernel is told to grow it must not be told while it cuts, or the cut would be undone. */
static void wait_for_telling_locked(struct open_inode *inode) TFS_REQUIRES(&inode->size_lock)
{
    uint64_t deadline_ns = tfs_clock_ns() + TELL_PATIENCE_MS * 1000000ull;

    while (inode->is_telling &&
           tfs_cond_wait_until(&inode->size_told, &inode->size_lock, deadline_ns)) {
    }
}

void open_inode_change_begin(struct open_inodes *table, struct open_inode *inode, bool is_resize)
{
    tfs_mutex_lock(&inode->size_lock);
    if (inode->change_count++ == 0) /* nothing is under way: all of it was answered */
        inode->size_answered = current_size(table, inode->number);
    if (is_resize) {
        inode->resize_count++;
        inode->resizes_ever++;
        wait_for_telling_locked(inode);
    }
    tfs_mutex_unlock(&inode->size_lock);
}

void open_inode_change_end(struct open_inodes *table, struct open_inode *inode, bool is_resize,
                           uint64_t end)
{
    tfs_mutex_lock(&inode->size_lock);
    if (is_resize) {
        /* The kernel keeps others out until it has taken it over, and then cuts pages by itself. It
         * must find the size as it was. */
        inode->size_answered = current_size(table, inode->number);
        inode->size_known = inode->size_answered;
        inode->resize_count--;
    } else if (end > inode->size_answered) {
        inode->size_answered = end;
    }
    inode->change_count--;
    tfs_mutex_unlock(&inode->size_lock);
}

struct open_size open_inode_size_to_tell(struct open_inodes *table, struct open_inode *inode,
                                         uint64_t size)
{
    struct open_size ret = {.size = size};
    bool is_read;

    tfs_mutex_lock(&table->lock);
    is_read = inode->reader_count > 0;
    tfs_mutex_unlock(&table->lock);
    tfs_mutex_lock(&inode->size_lock);
    if (inode->change_count > 0)
        ret.size = tfs_min_u64(size, inode->size_answered);
    ret.resizes_ever = inode->resizes_ever;
    ret.is_known = !is_read || inode->resize_count > 0 || ret.size <= inode->size_known;
    tfs_mutex_unlock(&inode->size_lock);
    return ret;
}

bool open_inode_tell_begin(struct open_inode *inode, const struct open_size *size)
{
    bool is_needed;

    tfs_mutex_lock(&inode->size_lock);
    is_needed = inode->resizes_ever == size->resizes_ever && size->size > inode->size_known;
    if (is_needed)
        inode->is_telling = true;
    tfs_mutex_unlock(&inode->size_lock);
    return is_needed;
}

void open_inode_tell_end(struct open_inode *inode, const struct open_size *size)
{
    tfs_mutex_lock(&inode->size_lock);
    inode->is_telling = false;
    if (inode->resizes_ever == size->resizes_ever && size->size > inode->size_known)
        inode->size_known = size->size;
    tfs_cond_broadcast(&inode->size_told);
    tfs_mutex_unlock(&inode->size_lock);
}
