/*
 * Rename, with RENAME_NOREPLACE and RENAME_EXCHANGE.
 *
 * A file that moves is committed before it gets its new name, so that the name never shows less
 * after a crash than what had been written (safetensors renames and never calls fsync). The commit
 * comes before volume->metadata is taken; it does no harm when the rename then fails.
 */
#include "store/base/error.h"
#include "store/inode/namespace.h"
#include "store/writeback/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* All that one rename touches; everything is pinned. */
struct renaming {
    struct tfs_inode *from_parent;
    struct tfs_inode *to_parent;
    struct tfs_inode *moved;
    struct tfs_inode *replaced; /* what stands at the target, or NULL */
    uint64_t changes;           /* volume->namespace_changes from before `moved` was found */
};

static void renaming_release(struct tfs_volume *volume, struct renaming *renaming)
{
    inode_put(volume, renaming->replaced);
    inode_put(volume, renaming->moved);
    inode_put(volume, renaming->to_parent);
    inode_put(volume, renaming->from_parent);
}

static int find_pinned(struct tfs_volume *volume, const struct tfs_place *place,
                       struct tfs_inode **ret)
{
    struct meta_dentry entry;
    int err = namespace_find(volume, place->parent, place->name, &entry);

    return err ? err : inode_get(volume, entry.inode, ret);
}

/*
 * Whether `directory` is `above` or lies below it. Returns 1 or 0.
 *
 * The limit is for a store whose parents form a loop; it also bounds how long other changes wait.
 */
static int is_below(struct tfs_volume *volume, struct tfs_inode *directory, struct tfs_inode *above)
{
    uint64_t number = directory->number;

    for (unsigned depth = 0; number != above->number; depth++) {
        struct tfs_inode *step;
        int err;

        if (number == TFS_ROOT_INODE)
            return 0;
        if (depth >= TFS_DEPTH_MAX)
            return tfs_fail(-ELOOP, "directory %llu is not below the root within %u levels",
                            (unsigned long long)directory->number, TFS_DEPTH_MAX);
        err = inode_get(volume, number, &step);
        if (err)
            return err;
        number = inode_record(step).parent;
        inode_put(volume, step);
    }
    return 1;
}

/* The target directory must not lie inside of what moves there. */
static int check_no_loop(struct tfs_volume *volume, struct tfs_inode *moved,
                         struct tfs_inode *target)
{
    int below;

    if (!S_ISDIR(moved->type))
        return 0;
    below = is_below(volume, target, moved);
    return below < 0 ? below : below ? -EINVAL : 0;
}

static int check_replace(struct tfs_volume *volume, const struct renaming *renaming)
{
    bool moves_directory = S_ISDIR(renaming->moved->type);
    bool replaces_directory;
    int empty;

    if (!renaming->replaced)
        return 0;
    replaces_directory = S_ISDIR(renaming->replaced->type);
    if (moves_directory && !replaces_directory)
        return -ENOTDIR;
    if (!moves_directory && replaces_directory)
        return -EISDIR;
    if (!replaces_directory)
        return 0;
    empty = namespace_is_empty(volume, renaming->replaced);
    return empty < 0 ? empty : empty ? 0 : -ENOTEMPTY;
}

/* Whether `parent` has room for the link of a directory that comes, unless another one goes. */
static int check_room(struct tfs_inode *parent, struct tfs_inode *comes, struct tfs_inode *goes)
{
    if (!S_ISDIR(comes->type) || (goes && S_ISDIR(goes->type)))
        return 0;
    return inode_record(parent).nlink < TFS_LINKS_MAX ? 0 : -EMLINK;
}

/* A directory takes its link along to another parent. */
static int check_links(const struct renaming *renaming, unsigned flags)
{
    int err;

    if (renaming->from_parent == renaming->to_parent)
        return 0;
    err = check_room(renaming->to_parent, renaming->moved, renaming->replaced);
    if (!err && flags & RENAME_EXCHANGE)
        err = check_room(renaming->from_parent, renaming->replaced, renaming->moved);
    return err;
}

static int check_locked(struct tfs_volume *volume, struct renaming *renaming,
                        const struct tfs_place *to, unsigned flags) TFS_REQUIRES(&volume->metadata)
{
    int err = find_pinned(volume, to, &renaming->replaced);

    if (err && err != -ENOENT)
        return err;
    if (inode_record(renaming->to_parent).nlink == 0)
        return -ENOENT;
    if (flags & RENAME_NOREPLACE && renaming->replaced)
        return -EEXIST;
    if (flags & RENAME_EXCHANGE && !renaming->replaced)
        return -ENOENT;
    err = check_no_loop(volume, renaming->moved, renaming->to_parent);
    if (!err && flags & RENAME_EXCHANGE)
        err = check_no_loop(volume, renaming->replaced, renaming->from_parent);
    else if (!err)
        err = check_replace(volume, renaming);
    return err ? err : check_links(renaming, flags);
}

/* A directory that gets another parent takes a link with it. */
static void move_parent(struct namespace_change *change, struct tfs_inode *moved,
                        struct tfs_inode *from, struct tfs_inode *to)
{
    struct meta_inode *record = namespace_record(change, moved);

    record->ctime = change->now;
    if (!S_ISDIR(record->mode) || from == to)
        return;
    record->parent = to->number;
    namespace_record(change, from)->nlink--;
    namespace_record(change, to)->nlink++;
}

static struct meta_dentry entry_of(struct tfs_inode *inode)
{
    return (struct meta_dentry){inode->number, inode->type};
}

static void fill_exchange(struct namespace_change *change, const struct renaming *renaming,
                          const struct tfs_place *from, const struct tfs_place *to)
{
    struct meta_dentry moved = entry_of(renaming->moved);
    struct meta_dentry replaced = entry_of(renaming->replaced);

    (void)namespace_touch_directory(change, renaming->from_parent, 0); /* links follow below */
    (void)namespace_touch_directory(change, renaming->to_parent, 0);
    namespace_put_entry(change, to->parent, to->name, &moved);
    namespace_put_entry(change, from->parent, from->name, &replaced);
    move_parent(change, renaming->moved, renaming->from_parent, renaming->to_parent);
    move_parent(change, renaming->replaced, renaming->to_parent, renaming->from_parent);
}

static void fill_rename(struct namespace_change *change, const struct renaming *renaming,
                        const struct tfs_place *from, const struct tfs_place *to)
{
    struct meta_dentry moved = entry_of(renaming->moved);

    (void)namespace_touch_directory(change, renaming->from_parent, -1); /* links follow below */
    (void)namespace_touch_directory(change, renaming->to_parent, renaming->replaced ? 0 : 1);
    namespace_delete_entry(change, from->parent, from->name);
    namespace_put_entry(change, to->parent, to->name, &moved);
    if (renaming->replaced) {
        if (S_ISDIR(renaming->replaced->type))
            namespace_record(change, renaming->to_parent)->nlink--;
        namespace_unlink_inode(change, renaming->replaced);
    }
    move_parent(change, renaming->moved, renaming->from_parent, renaming->to_parent);
}

/* Whether the name is still the file's that was committed. -EAGAIN: it is another one's now. */
static int check_still_there(struct tfs_volume *volume, const struct renaming *renaming,
                             const struct tfs_place *from) TFS_REQUIRES(&volume->metadata)
{
    struct meta_dentry entry;
    int err;

    /* Acquire is more than is needed: the lock orders it. */
    if (atomic_load_explicit(&volume->namespace_changes, memory_order_acquire) == renaming->changes)
        return 0;
    err = namespace_find(volume, from->parent, from->name, &entry);
    return err ? err : entry.inode == renaming->moved->number ? 0 : -EAGAIN;
}

static int rename_locked(struct tfs_volume *volume, struct renaming *renaming,
                         const struct tfs_place *from, const struct tfs_place *to, unsigned flags)
    TFS_REQUIRES(&volume->metadata)
{
    struct namespace_change change;
    int err = check_still_there(volume, renaming, from);

    if (!err)
        err = check_locked(volume, renaming, to, flags);
    if (err)
        return err;
    if (renaming->replaced == renaming->moved)
        return 0; /* two names of one file: rename(2) does nothing */
    namespace_begin(volume, &change);
    if (flags & RENAME_EXCHANGE)
        fill_exchange(&change, renaming, from, to);
    else
        fill_rename(&change, renaming, from, to);
    return namespace_commit(&change);
}

/* Commits the data of what gets a new name. */
static int commit_moved(struct tfs_volume *volume, const struct renaming *renaming,
                        const struct tfs_place *to, unsigned flags)
{
    struct tfs_inode *other;
    int err = commit_inode(volume, renaming->moved, COMMIT_ORDERED);

    if (err || !(flags & RENAME_EXCHANGE))
        return err;
    err = find_pinned(volume, to, &other);
    if (err)
        return err;
    err = commit_inode(volume, other, COMMIT_ORDERED);
    inode_put(volume, other);
    return err;
}

static int rename_once(struct tfs_volume *volume, const struct tfs_place *from,
                       const struct tfs_place *to, unsigned flags)
{
    struct renaming renaming = {
        .changes = atomic_load_explicit(&volume->namespace_changes, memory_order_acquire)};
    int err = namespace_get_directory(volume, from->parent, &renaming.from_parent);

    if (!err)
        err = namespace_get_directory(volume, to->parent, &renaming.to_parent);
    if (!err)
        err = find_pinned(volume, from, &renaming.moved);
    if (!err)
        err = commit_moved(volume, &renaming, to, flags);
    if (!err) {
        tfs_mutex_lock(&volume->metadata);
        err = rename_locked(volume, &renaming, from, to, flags);
        tfs_mutex_unlock(&volume->metadata);
    }
    renaming_release(volume, &renaming);
    return err;
}

int tfs_rename(struct tfs_volume *volume, const struct tfs_place *from, const struct tfs_place *to,
               unsigned flags)
{
    int err = volume_check_writable(volume);

    if (!err)
        err = namespace_check_name(from->name);
    if (!err)
        err = namespace_check_name(to->name);
    if (!err && (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
                 flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)))
        err = -EINVAL;
    if (err)
        return err;
    do {
        err = rename_once(volume, from, to, flags);
    } while (err == -EAGAIN);
    return err == -ESTALE ? -ENOENT : err;
}
