/*
 * The tree: from every directory the way up ends at the root, and every inode has a name, unless it
 * was removed and waits to be purged. What has none gets one in /lost+found.
 *
 * Going up from a directory there are three ends: the root, a directory without a name, and a
 * directory that was passed before. The second gets a name; of the ring that the third closes, one
 * entry is dropped.
 */
#include "store/base/bytes.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"

#include <errno.h>
#include <stdio.h>

static const char lost_and_found[] = "lost+found";
enum { NAME_TRIES_MAX = 1000 };

static bool name_is_free(struct check *check, uint64_t parent, const char *name, uint64_t hash,
                         uint64_t *ret_inode)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = meta_dentry_key(parent, hash, name, key);
    struct index_value value;
    struct meta_dentry entry = {0};

    if (index_get(check->index, INDEX_DENTRY, key, size, &value) < 0)
        return true;
    if (meta_dentry_decode(value.data, value.size, &entry) < 0)
        entry.inode = 0;
    index_value_release(&value);
    *ret_inode = entry.inode;
    return false;
}

static void put_entry(struct check *check, uint64_t parent, const char *name,
                      struct check_inode *inode)
{
    uint64_t hash = namespace_hash_seeded(check->settings.values[CHECK_NAME_HASH_SEED], name);
    struct check_inode *directory = check_find_inode(check, parent);
    struct meta_dentry entry = {inode->number, inode->mode & S_IFMT};
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    uint8_t value[META_DENTRY_VALUE_SIZE];
    size_t size = meta_dentry_key(parent, hash, name, key);

    meta_dentry_encode(&entry, value);
    check_put(check, INDEX_DENTRY, key, size, value, sizeof(value));
    inode->names = 1;
    inode->entry_parent = parent;
    inode->entry_hash = hash;
    inode->reach = CHECK_REACH_ROOT;
    directory->entries++;
    if (S_ISDIR(inode->mode))
        directory->subdirectories++;
}

static int make_lost_and_found(struct check *check, const char *name)
{
    uint64_t number = check_take_inode_number(check);
    struct check_inode *inode = check_add_inode(check, number);

    if (!inode)
        return -ENOMEM;
    inode->mode = S_IFDIR;
    inode->readable = true;
    inode->rebuilt = true;
    check->lost_and_found = number;
    put_entry(check, TFS_ROOT_INODE, name, inode);
    return 0;
}

/* The directory of that name in the root; if something else has the name, another one. */
static int find_lost_and_found(struct check *check)
{
    for (int i = 0; i < NAME_TRIES_MAX; i++) {
        char name[sizeof(lost_and_found) + 8];
        const struct check_inode *inode;
        uint64_t number = 0;
        uint64_t hash;

        (void)snprintf(name, sizeof(name), i ? "%s.%d" : "%s", lost_and_found, i);
        hash = namespace_hash_seeded(check->settings.values[CHECK_NAME_HASH_SEED], name);
        if (name_is_free(check, TFS_ROOT_INODE, name, hash, &number))
            return make_lost_and_found(check, name);
        inode = check_find_inode(check, number);
        if (inode && S_ISDIR(inode->mode) && inode->names > 0 &&
            inode->entry_parent == TFS_ROOT_INODE) {
            check->lost_and_found = number;
            return 0;
        }
    }
    return -EEXIST;
}

/* Gives the inode a name in /lost+found. */
static int attach(struct check *check, uint64_t number)
{
    uint64_t other;
    char name[48];
    int err = check->lost_and_found ? 0 : find_lost_and_found(check);

    if (err)
        return err;
    for (int i = 0; i < NAME_TRIES_MAX; i++) {
        uint64_t hash;

        (void)snprintf(name, sizeof(name), i ? "#%llu.%d" : "#%llu", (unsigned long long)number, i);
        hash = namespace_hash_seeded(check->settings.values[CHECK_NAME_HASH_SEED], name);
        if (name_is_free(check, check->lost_and_found, name, hash, &other))
            break;
    }
    check_error(check, TFS_CHECK_LOST, number, "no name leads to inode %llu%s%s",
                (unsigned long long)number, check_done(check, "; it has one in /lost+found now: "),
                check_done(check, name));
    put_entry(check, check->lost_and_found, name, check_find_inode(check, number));
    return 0;
}

/* Removed, and on its way out. */
static bool is_purged(const struct check_inode *inode)
{
    return inode->orphan && inode->nlink == 0 && inode->names == 0 && inode->entries == 0;
}

/* The entry that leads to the directory goes, so that the ring it is in is open. */
static void cut_ring(struct check *check, struct check_inode *inode)
{
    uint8_t prefix[2 * sizeof(uint64_t)];
    struct index_range range = {
        .table = INDEX_DENTRY, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct check_inode *parent = check_find_inode(check, inode->entry_parent);
    struct index_record record;
    struct index_scan *scan;

    check_error(check, TFS_CHECK_NAME, inode->number, "directory %llu is inside of itself%s",
                (unsigned long long)inode->number,
                check_done(check, "; the entry that makes it so is dropped"));
    inode->names = 0;
    if (parent) {
        parent->entries--;
        parent->subdirectories--;
    }
    tfs_put_be64(prefix, inode->entry_parent);
    tfs_put_be64(prefix + sizeof(uint64_t), inode->entry_hash);
    if (index_scan_open(check->index, &range, &scan) < 0)
        return;
    while (index_scan_next(scan, &record) > 0) {
        struct meta_dentry entry;

        if (meta_dentry_decode(record.value, record.value_size, &entry) == 0 &&
            entry.inode == inode->number)
            check_delete(check, INDEX_DENTRY, record.key, record.key_size);
    }
    index_scan_close(scan);
}

/* What the way up from a directory comes to: itself attached, or something above it. */
static int reach_root(struct check *check, size_t place)
{
    struct check_inode *inode = &check->inodes[place];
    uint64_t from = inode->number;
    int err = 0;

    while (inode && inode->reach == CHECK_REACH_UNKNOWN && inode->names > 0) {
        inode->reach = CHECK_REACH_WALKING;
        inode = check_find_inode(check, inode->entry_parent);
    }
    if (inode && inode->reach == CHECK_REACH_WALKING)
        cut_ring(check, inode);
    if (inode && inode->reach != CHECK_REACH_ROOT)
        err = attach(check, inode->number);
    for (inode = check_find_inode(check, from);
         !err && inode && inode->reach == CHECK_REACH_WALKING;
         inode = check_find_inode(check, inode->entry_parent))
        inode->reach = CHECK_REACH_ROOT;
    return err;
}

int check_tree(struct check *check)
{
    struct check_inode *root = check_find_inode(check, TFS_ROOT_INODE);
    int err = check_commit(check); /* names are looked up from here on */

    check->step = "tree";
    check->step_done = 0;
    check->step_total = check->inode_count;
    root->reach = CHECK_REACH_ROOT;
    root->entry_parent = TFS_ROOT_INODE;
    /* A /lost+found that is made has its place among the rest, and moves those behind it. */
    for (size_t i = 0; i < check->inode_count && !err; i++) {
        struct check_inode *inode = &check->inodes[i];

        err = check_step(check);
        if (err || !inode->readable || is_purged(inode))
            continue;
        if (S_ISDIR(inode->mode))
            err = reach_root(check, i);
        else if (inode->names == 0)
            err = attach(check, inode->number);
        if (!err)
            err = check_commit_full(check);
    }
    return err;
}
