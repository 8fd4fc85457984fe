/* Names: a hash table of all, and for each directory its entries in the order of their making. */
#include "bench/nullfs/memstore.h"

#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t bucket_of(uint64_t parent, const char *name)
{
    uint64_t hash = parent * 0x9e3779b97f4a7c15ull;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
    return (hash ^ (hash >> 29)) % MEM_BUCKET_COUNT;
}

static struct mem_entry **entry_at(struct tfs_volume *volume, uint64_t parent, const char *name)
{
    struct mem_entry **at = &volume->buckets[bucket_of(parent, name)];

    while (*at && ((*at)->parent != parent || strcmp((*at)->name, name) != 0))
        at = &(*at)->next;
    return at;
}

/* The directory, checked to be one that lives. */
static int directory_get(struct tfs_volume *volume, uint64_t number, struct mem_inode **ret)
{
    struct mem_inode *inode = memstore_inode_get(volume, number);

    if (!inode)
        return -ESTALE;
    if (!S_ISDIR(inode->attr.mode))
        return -ENOTDIR;
    *ret = inode;
    return 0;
}

static int entry_add(struct tfs_volume *volume, struct mem_inode *directory, const char *name,
                     struct mem_inode *inode)
{
    struct mem_entry **at = entry_at(volume, directory->attr.inode, name);
    struct mem_entry *entry;

    if (*at)
        return -EEXIST;
    if (directory->attr.nlink == 0)
        return -ENOENT;
    if (strlen(name) > TFS_NAME_SIZE_MAX)
        return -ENAMETOOLONG;
    if (directory->entry_count == directory->entry_capacity) {
        size_t capacity = directory->entry_capacity ? 2 * directory->entry_capacity : 8;
        struct mem_entry **entries =
            realloc(directory->entries, capacity * sizeof(struct mem_entry *));

        if (!entries)
            return -ENOMEM;
        directory->entries = entries;
        directory->entry_capacity = capacity;
    }
    entry = malloc(sizeof(*entry) + strlen(name) + 1);
    if (!entry)
        return -ENOMEM;
    *entry = (struct mem_entry){
        .parent = directory->attr.inode, .inode = inode, .cookie = directory->entry_count + 3};
    memcpy(entry->name, name, strlen(name) + 1);
    directory->entries[directory->entry_count++] = entry;
    directory->live_count++;
    *at = entry;
    if (S_ISDIR(inode->attr.mode)) {
        inode->parent = directory->attr.inode;
        directory->attr.nlink++;
    }
    memstore_touch(directory, true);
    return 0;
}

static void entry_remove(struct tfs_volume *volume, struct mem_inode *directory,
                         struct mem_entry **at)
{
    struct mem_entry *entry = *at;

    (void)volume;
    *at = entry->next;
    directory->entries[entry->cookie - 3] = NULL;
    directory->live_count--;
    if (directory->live_count == 0)
        directory->entry_count = 0;
    if (S_ISDIR(entry->inode->attr.mode))
        directory->attr.nlink--;
    memstore_touch(directory, true);
    free(entry);
}

static void copy_attr(struct mem_inode *inode, struct tfs_attr *ret)
{
    tfs_mutex_lock(&inode->data_lock);
    *ret = inode->attr;
    tfs_mutex_unlock(&inode->data_lock);
}

static int lookup_locked(struct tfs_volume *volume, uint64_t parent, const char *name,
                         struct tfs_attr *ret)
{
    struct mem_inode *inode = memstore_inode_get(volume, parent);
    struct mem_entry *entry;

    if (!inode)
        return -ESTALE;
    if (strcmp(name, ".") != 0) {
        if (!S_ISDIR(inode->attr.mode))
            return -ENOTDIR;
        if (strlen(name) > TFS_NAME_SIZE_MAX)
            return -ENAMETOOLONG;
        entry = *entry_at(volume, parent, name);
        if (!entry && strcmp(name, "..") != 0)
            return -ENOENT;
        inode = entry ? entry->inode : memstore_inode_get(volume, inode->parent);
    }
    inode->lookup_count++;
    copy_attr(inode, ret);
    return 0;
}

int tfs_lookup(struct tfs_volume *volume, uint64_t parent, const char *name, struct tfs_attr *ret)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = lookup_locked(volume, parent, name, ret);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

void tfs_forget(struct tfs_volume *volume, uint64_t number, uint64_t count)
{
    struct mem_inode *inode;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    if (inode) {
        assert(inode->lookup_count >= count || number == TFS_ROOT_INODE);
        inode->lookup_count -= tfs_min_u64(count, inode->lookup_count);
        memstore_inode_reap(volume, inode);
    }
    tfs_mutex_unlock(&volume->lock);
}

/* Its memory has no bound. */
bool tfs_has_inodes_to_forget(struct tfs_volume *volume)
{
    (void)volume;
    return false;
}

size_t tfs_inodes_to_forget(struct tfs_volume *volume, size_t count_max, uint64_t *ret)
{
    (void)volume;
    (void)count_max;
    (void)ret;
    return 0;
}

static int make_locked(struct tfs_volume *volume, uint64_t parent, const char *name,
                       const struct tfs_make *what, struct tfs_attr *ret)
{
    struct tfs_make made = *what;
    struct mem_inode *directory = NULL;
    struct mem_inode *inode;
    int err = directory_get(volume, parent, &directory);

    if (err < 0)
        return err;
    if (directory->attr.mode & S_ISGID) {
        made.gid = directory->attr.gid;
        made.mode |= S_ISDIR(what->mode) ? S_ISGID : 0;
    }
    inode = memstore_inode_new(volume, &made);
    if (!inode)
        return -ENOMEM;
    if (what->target) {
        inode->target = strdup(what->target);
        inode->attr.size = strlen(what->target);
    }
    inode->attr.nlink -= name ? 0 : 1;
    err = name ? entry_add(volume, directory, name, inode) : 0;
    if (err < 0) {
        memstore_inode_free(volume, inode);
        return err;
    }
    inode->lookup_count = 1;
    *ret = inode->attr;
    return 0;
}

int tfs_make(struct tfs_volume *volume, uint64_t parent, const char *name,
             const struct tfs_make *what, struct tfs_attr *ret)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = make_locked(volume, parent, name, what, ret);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

int tfs_make_unnamed(struct tfs_volume *volume, uint64_t parent, const struct tfs_make *what,
                     struct tfs_attr *ret)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = make_locked(volume, parent, NULL, what, ret);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

static void drop_link(struct tfs_volume *volume, struct mem_inode *inode)
{
    inode->attr.nlink -= S_ISDIR(inode->attr.mode) ? 2 : 1;
    memstore_touch(inode, false);
    memstore_inode_reap(volume, inode);
}

static int remove_locked(struct tfs_volume *volume, uint64_t parent, const char *name,
                         bool want_directory)
{
    struct mem_entry **at = entry_at(volume, parent, name);
    struct mem_inode *inode;

    if (!*at)
        return -ENOENT;
    inode = (*at)->inode;
    if (S_ISDIR(inode->attr.mode) != want_directory)
        return want_directory ? -ENOTDIR : -EISDIR;
    if (inode->live_count > 0)
        return -ENOTEMPTY;
    entry_remove(volume, memstore_inode_get(volume, parent), at);
    drop_link(volume, inode);
    return 0;
}

int tfs_unlink(struct tfs_volume *volume, uint64_t parent, const char *name)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = remove_locked(volume, parent, name, false);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

int tfs_rmdir(struct tfs_volume *volume, uint64_t parent, const char *name)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = remove_locked(volume, parent, name, true);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

static bool is_inside(struct tfs_volume *volume, uint64_t directory, uint64_t ancestor)
{
    while (directory != TFS_ROOT_INODE && directory != ancestor)
        directory = memstore_inode_get(volume, directory)->parent;
    return directory == ancestor;
}

static int rename_over(struct tfs_volume *volume, struct mem_inode *moved,
                       const struct tfs_place *to)
{
    struct mem_entry *over = *entry_at(volume, to->parent, to->name);

    if (!over)
        return 0;
    if (S_ISDIR(over->inode->attr.mode) != S_ISDIR(moved->attr.mode))
        return S_ISDIR(moved->attr.mode) ? -ENOTDIR : -EISDIR;
    return remove_locked(volume, to->parent, to->name, S_ISDIR(moved->attr.mode));
}

static int exchange_locked(struct tfs_volume *volume, const struct tfs_place *from,
                           const struct tfs_place *to)
{
    struct mem_entry *one = *entry_at(volume, from->parent, from->name);
    struct mem_entry *other = *entry_at(volume, to->parent, to->name);
    struct mem_inode *inode;
    int links;

    if (!one || !other)
        return -ENOENT;
    links = S_ISDIR(other->inode->attr.mode) - S_ISDIR(one->inode->attr.mode);
    memstore_inode_get(volume, from->parent)->attr.nlink += (uint32_t)links;
    memstore_inode_get(volume, to->parent)->attr.nlink -= (uint32_t)links;
    inode = one->inode;
    one->inode = other->inode;
    other->inode = inode;
    one->inode->parent = from->parent;
    other->inode->parent = to->parent;
    memstore_touch(one->inode, false);
    memstore_touch(other->inode, false);
    return 0;
}

static int rename_locked(struct tfs_volume *volume, const struct tfs_place *from,
                         const struct tfs_place *to, unsigned flags)
{
    struct mem_entry **at = entry_at(volume, from->parent, from->name);
    struct mem_entry *over = *entry_at(volume, to->parent, to->name);
    struct mem_inode *target_directory = memstore_inode_get(volume, to->parent);
    struct mem_inode *moved;
    int err;

    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    if (!*at || !target_directory)
        return -ENOENT;
    moved = (*at)->inode;
    if (S_ISDIR(moved->attr.mode) && is_inside(volume, to->parent, moved->attr.inode))
        return -EINVAL;
    if (flags & RENAME_EXCHANGE)
        return exchange_locked(volume, from, to);
    if (over && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (over && over->inode == moved)
        return 0; /* two names of one file: POSIX does nothing */
    err = rename_over(volume, moved, to);
    if (err < 0)
        return err;
    err = entry_add(volume, target_directory, to->name, moved);
    if (err < 0)
        return err;
    at = entry_at(volume, from->parent, from->name);
    entry_remove(volume, memstore_inode_get(volume, from->parent), at);
    memstore_touch(moved, false);
    return 0;
}

int tfs_rename(struct tfs_volume *volume, const struct tfs_place *from, const struct tfs_place *to,
               unsigned flags)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = rename_locked(volume, from, to, flags);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

static int link_locked(struct tfs_volume *volume, uint64_t number, uint64_t parent,
                       const char *name, struct tfs_attr *ret)
{
    struct mem_inode *inode = memstore_inode_get(volume, number);
    struct mem_inode *directory = NULL;
    int err = directory_get(volume, parent, &directory);

    if (err < 0 || !inode)
        return err < 0 ? err : -ESTALE;
    if (S_ISDIR(inode->attr.mode))
        return -EPERM;
    if (inode->attr.nlink >= TFS_LINKS_MAX)
        return -EMLINK;
    err = entry_add(volume, directory, name, inode);
    if (err < 0)
        return err;
    inode->attr.nlink++;
    inode->lookup_count++;
    memstore_touch(inode, false);
    copy_attr(inode, ret);
    return 0;
}

int tfs_link(struct tfs_volume *volume, uint64_t inode, uint64_t parent, const char *name,
             struct tfs_attr *ret)
{
    int err;

    tfs_mutex_lock(&volume->lock);
    err = link_locked(volume, inode, parent, name, ret);
    tfs_mutex_unlock(&volume->lock);
    return err;
}

int tfs_readlink(struct tfs_volume *volume, uint64_t number, char target[TFS_SYMLINK_SIZE_MAX + 1])
{
    struct mem_inode *inode;
    int err = -EINVAL;

    tfs_mutex_lock(&volume->lock);
    inode = memstore_inode_get(volume, number);
    if (inode && inode->target) {
        (void)snprintf(target, TFS_SYMLINK_SIZE_MAX + 1, "%s", inode->target);
        err = 0;
    }
    tfs_mutex_unlock(&volume->lock);
    return err;
}

/* One entry behind `cookie`, copied so that no lock is held during the visit. */
static bool entry_behind(struct tfs_volume *volume, struct mem_inode *directory, uint64_t cookie,
                         char name[TFS_NAME_SIZE_MAX + 1], struct tfs_attr *attr, uint64_t *ret)
{
    for (uint64_t i = cookie < 2 ? 0 : cookie - 2; i < directory->entry_count; i++) {
        struct mem_entry *entry = directory->entries[i];

        if (!entry)
            continue;
        memcpy(name, entry->name, strlen(entry->name) + 1);
        copy_attr(entry->inode, attr);
        entry->inode->lookup_count++;
        *ret = entry->cookie;
        return true;
    }
    (void)volume;
    return false;
}

int tfs_readdir(struct tfs_volume *volume, uint64_t number, uint64_t cookie, bool with_attributes,
                tfs_directory_visit *visit, void *context)
{
    char name[TFS_NAME_SIZE_MAX + 1];
    struct mem_inode *directory;
    struct tfs_attr attr;
    bool goes_on = true;
    uint64_t parent;
    int err;

    tfs_mutex_lock(&volume->lock);
    err = directory_get(volume, number, &directory);
    parent = err == 0 ? directory->parent : 0;
    tfs_mutex_unlock(&volume->lock);
    if (err < 0)
        return err;
    for (uint64_t dots = cookie + 1; goes_on && dots <= 2; dots++)
        goes_on = visit(context, &(struct tfs_directory_entry){.name = dots == 1 ? "." : "..",
                                                               .inode = dots == 1 ? number : parent,
                                                               .mode = S_IFDIR,
                                                               .cookie = dots});
    cookie = cookie < 2 ? 2 : cookie;
    while (goes_on) {
        bool found;

        tfs_mutex_lock(&volume->lock);
        found = entry_behind(volume, directory, cookie, name, &attr, &cookie);
        tfs_mutex_unlock(&volume->lock);
        if (!found)
            break;
        goes_on = visit(context, &(struct tfs_directory_entry){
                                     .name = name,
                                     .inode = attr.inode,
                                     .mode = attr.mode,
                                     .place = cookie - 1,
                                     .cookie = cookie,
                                     .attr = with_attributes ? &attr : NULL,
                                 });
        if (!goes_on || !with_attributes)
            tfs_forget(volume, attr.inode, 1);
    }
    return 0;
}
