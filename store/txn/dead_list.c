#include "store/txn/dead_list.h"

#include "store/txn/refcounts.h"

#include <errno.h>
#include <stdlib.h>

/* So many stretches of dead frames, in 2 MiB, wait for a commit to become durable by itself. */
enum { STRETCHES_MAX = 1 << 16 };

int dead_list_new(struct tfs_refcounts *refcounts, struct tfs_dead_list **ret)
{
    struct tfs_dead_list *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    list->refcounts = refcounts;
    list_init(&list->inodes);
    tfs_mutex_init(&list->lock, TFS_RANK_RECLAIM);
    tfs_cond_init(&list->work);
    *ret = list;
    return 0;
}

void dead_list_free(struct tfs_dead_list *list)
{
    struct list *node;

    if (!list)
        return;
    while ((node = list_pop_front(&list->inodes)))
        free(list_entry(node, struct dead_inode, node));
    free(list->stretches.items);
    tfs_cond_release(&list->work);
    tfs_mutex_release(&list->lock);
    free(list);
}

void dead_list_kick_locked(struct tfs_dead_list *list)
{
    list->kicked = true;
    if (!list->gathering)
        tfs_cond_signal(&list->work);
}

void dead_list_kick(struct tfs_dead_list *list)
{
    tfs_mutex_lock(&list->lock);
    dead_list_kick_locked(list);
    tfs_mutex_unlock(&list->lock);
}

/* Frames die in the order in which they were written, or the other way round. */
static bool extend(struct dead_stretch *last, const struct dead_stretch *dead)
{
    if (last->segment != dead->segment ||
        (last->offset + last->size != dead->offset && dead->offset + dead->size != last->offset))
        return false;
    last->offset = tfs_min_u64(last->offset, dead->offset);
    last->size += dead->size;
    last->commit_number = tfs_max_u64(last->commit_number, dead->commit_number);
    return true;
}

/* Without memory it is forgotten: its space comes back with its segment, or by a sweep. */
void dead_list_put_back_locked(struct tfs_dead_list *list, const struct dead_stretch *stretch)
{
    struct dead_stretches *all = &list->stretches;

    if (all->count > 0 && extend(&all->items[all->count - 1], stretch))
        return;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 256;
        struct dead_stretch *grown = realloc(all->items, capacity * sizeof(*grown));

        if (!grown)
            return;
        all->items = grown;
        all->capacity = capacity;
    }
    all->items[all->count++] = *stretch;
}

void dead_list_add_frame(struct tfs_dead_list *list, const struct frame_ref *frame,
                         uint64_t commit_number)
{
    struct dead_stretch dead = {frame->segment, frame->offset, frame_ref_disk_size(frame),
                                commit_number};

    if (commit_number == 0)
        refcounts_abandoned(list->refcounts, frame);
    tfs_mutex_lock(&list->lock);
    dead_list_put_back_locked(list, &dead);
    /* Others wait for the next sync, which kicks, unless they are many. */
    if (commit_number == 0 || list->stretches.count >= STRETCHES_MAX)
        dead_list_kick_locked(list);
    tfs_mutex_unlock(&list->lock);
}

static void add_inode(struct tfs_dead_list *list, uint64_t inode, bool has_name)
{
    struct dead_inode *dead = malloc(sizeof(*dead));

    if (!dead)
        return; /* its orphan row brings it back at the next mount */
    dead->number = inode;
    dead->has_name = has_name;
    tfs_mutex_lock(&list->lock);
    list_push_back(&list->inodes, &dead->node);
    dead_list_kick_locked(list);
    tfs_mutex_unlock(&list->lock);
}

void dead_list_add_inode(struct tfs_dead_list *list, uint64_t inode)
{
    add_inode(list, inode, false);
}

void dead_list_add_cut_rows(struct tfs_dead_list *list, uint64_t inode)
{
    add_inode(list, inode, true);
}

bool dead_list_is_crowded(struct tfs_dead_list *list)
{
    bool crowded;

    tfs_mutex_lock(&list->lock);
    crowded = list->stretches.count >= STRETCHES_MAX;
    tfs_mutex_unlock(&list->lock);
    return crowded;
}

struct dead_stretches dead_list_take_stretches(struct tfs_dead_list *list)
{
    struct dead_stretches taken;

    tfs_mutex_lock(&list->lock);
    taken = list->stretches;
    list->stretches = (struct dead_stretches){0};
    tfs_mutex_unlock(&list->lock);
    return taken;
}

void dead_list_take_inodes(struct tfs_dead_list *list, struct list *ret)
{
    tfs_mutex_lock(&list->lock);
    list_splice_back(ret, &list->inodes);
    tfs_mutex_unlock(&list->lock);
}
