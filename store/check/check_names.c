/*
 * Names: every entry of a directory leads from a directory to an inode, under the hash of its name,
 * and a directory has one.
 *
 * The table is read twice. The first time finds directories whose records are lost but which have
 * entries, and for each directory whether an entry stands where its record says; it is repeated
 * while it finds more of the lost. The second time judges each entry.
 */
#include "store/base/bytes.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"
#include "store/inode/namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many directories inside of each other can all be found to be lost. */
enum { LOST_DEPTH_MAX = 64 };

/* One whose entries stand in the table, one behind the other. */
static int note_lost_directory(struct check *check, uint64_t number)
{
    size_t before = check->added.count;
    int err = check_note_number(check, number);

    if (!err && check->added.count > before)
        check_error(check, TFS_CHECK_INODE, number,
                    "inode %llu is missing, and a directory with entries%s",
                    (unsigned long long)number, check_done(check, "; it has a new record"));
    return err;
}

/* What was noted becomes inodes of the model. */
static int add_lost_directories(struct check *check)
{
    size_t count = check->added.count;
    uint64_t *numbers = check->added.values;
    int err = check_add_inodes(check);

    for (size_t i = 0; i < count && !err; i++) {
        struct check_inode *inode = check_find_inode(check, numbers[i]);

        inode->mode = S_IFDIR;
        inode->readable = true;
        inode->rebuilt = true;
    }
    return err;
}

static void rebuild_directory(struct check *check, struct check_inode *inode)
{
    inode->mode = S_IFDIR;
    inode->readable = true;
    inode->rebuilt = true;
    check_error(check, TFS_CHECK_INODE, inode->number, "the record of a directory is unreadable%s",
                check_done(check, "; it has a new one"));
}

/* Sane as far as one can see without the inodes. */
static bool entry_is_whole(const struct index_record *record, struct meta_dentry_name *ret_name,
                           struct meta_dentry *ret)
{
    return meta_dentry_key_decode(record->key, record->key_size, ret_name) == 0 &&
           namespace_check_name(ret_name->name) == 0 &&
           meta_dentry_decode(record->value, record->value_size, ret) == 0;
}

static bool parent_is_possible(uint64_t number)
{
    return number >= 16 && number < INT64_MAX;
}

static int look_at_entry(struct check *check, const struct index_record *record)
{
    struct meta_dentry_name name;
    struct meta_dentry entry;
    struct check_inode *inode;
    uint64_t parent;
    int err = 0;

    if (!entry_is_whole(record, &name, &entry))
        return 0;
    parent = tfs_get_be64(record->key);
    inode = check_find_inode(check, parent);
    if (!inode && parent_is_possible(parent) && check_find_inode(check, entry.inode))
        err = note_lost_directory(check, parent);
    else if (inode && !inode->readable)
        rebuild_directory(check, inode);
    inode = check_find_inode(check, entry.inode);
    if (inode && !inode->readable && S_ISDIR(entry.type))
        rebuild_directory(check, inode);
    if (inode && S_ISDIR(inode->mode) && (inode->parent == parent || inode->rebuilt))
        inode->has_home = true;
    return err;
}

static void drop(struct check *check, const struct index_record *record, const char *name,
                 const char *why)
{
    uint64_t parent = record->key_size >= sizeof(uint64_t) ? tfs_get_be64(record->key) : 0;

    check_error(check, TFS_CHECK_NAME, parent, "entry '%s' of inode %llu: %s%s", name,
                (unsigned long long)parent, why, check_done(check, "; dropped"));
    check_delete(check, INDEX_DENTRY, record->key, record->key_size);
}

/* Why an entry cannot stay, or NULL. */
static const char *entry_problem(struct check *check, uint64_t parent,
                                 const struct meta_dentry *entry)
{
    const struct check_inode *directory = check_find_inode(check, parent);
    const struct check_inode *inode = check_find_inode(check, entry->inode);

    if (!directory || !S_ISDIR(directory->mode))
        return "what it is in is no directory";
    if (!inode)
        return "it points nowhere";
    if (inode->number == TFS_ROOT_INODE)
        return "it leads to the root";
    if (!S_ISDIR(inode->mode))
        return NULL;
    if (inode->names > 0 || (inode->has_home && !inode->rebuilt && inode->parent != parent))
        return "the directory that it leads to has another name";
    return NULL;
}

/* Puts the entry where it is looked for. Returns false when there is one already. */
static bool move_entry(struct check *check, const struct index_record *record, const char *name,
                       uint64_t hash)
{
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    size_t size = meta_dentry_key(tfs_get_be64(record->key), hash, name, key);
    struct index_value value;

    if (index_get(check->index, INDEX_DENTRY, key, size, &value) == 0) {
        index_value_release(&value);
        return false;
    }
    check_error(check, TFS_CHECK_NAME, tfs_get_be64(record->key),
                "entry '%s' stands where nobody looks for it", name);
    check_delete(check, INDEX_DENTRY, record->key, record->key_size);
    check_put(check, INDEX_DENTRY, key, size, record->value, record->value_size);
    return true;
}

static void correct_type(struct check *check, const struct index_record *record, const char *name,
                         uint64_t hash, const struct meta_dentry *entry)
{
    const struct check_inode *inode = check_find_inode(check, entry->inode);
    struct meta_dentry corrected = {entry->inode, inode->mode & S_IFMT};
    uint8_t key[META_DENTRY_KEY_SIZE_MAX];
    uint8_t value[META_DENTRY_VALUE_SIZE];
    size_t size = meta_dentry_key(tfs_get_be64(record->key), hash, name, key);

    if (!inode->readable || entry->type == corrected.type)
        return;
    check_error(check, TFS_CHECK_NAME, inode->number, "entry '%s' has type 0%o, the inode 0%o",
                name, entry->type, corrected.type);
    meta_dentry_encode(&corrected, value);
    check_put(check, INDEX_DENTRY, key, size, value, sizeof(value));
}

static void take_entry(struct check *check, uint64_t parent, uint64_t hash, uint64_t number)
{
    struct check_inode *directory = check_find_inode(check, parent);
    struct check_inode *inode = check_find_inode(check, number);

    if (inode->names++ == 0) {
        inode->entry_parent = parent;
        inode->entry_hash = hash;
    }
    directory->entries++;
    if (S_ISDIR(inode->mode))
        directory->subdirectories++;
    check->result->names++;
}

static int check_entry(struct check *check, const struct index_record *record)
{
    struct meta_dentry_name name;
    struct meta_dentry entry;
    const char *problem;
    uint64_t parent;
    uint64_t hash;

    if (meta_dentry_key_decode(record->key, record->key_size, &name) < 0) {
        drop(check, record, "", "its key is not one");
        return 0;
    }
    if (!entry_is_whole(record, &name, &entry)) {
        drop(check, record, name.name, "it is no entry");
        return 0;
    }
    parent = tfs_get_be64(record->key);
    problem = entry_problem(check, parent, &entry);
    hash = namespace_hash_seeded(check->settings.values[CHECK_NAME_HASH_SEED], name.name);
    if (!problem && hash != name.hash && !move_entry(check, record, name.name, hash))
        problem = "there is another one of this name";
    if (problem) {
        drop(check, record, name.name, problem);
        return 0;
    }
    correct_type(check, record, name.name, hash, &entry);
    take_entry(check, parent, check->repairing ? hash : name.hash, entry.inode);
    return 0;
}

/* That a directory was lost is known when what an entry of it leads to is known, which may be a
 * lost directory that stands behind it. */
static int look_at_entries(struct check *check)
{
    size_t before;
    int passes = 0;
    int err;

    do {
        before = check->inode_count;
        err = check_scan(check, INDEX_DENTRY, "names", look_at_entry);
        if (!err)
            err = add_lost_directories(check);
    } while (!err && check->inode_count > before && ++passes < LOST_DEPTH_MAX);
    return err;
}

int check_names(struct check *check)
{
    int err = look_at_entries(check);

    return err ? err : check_scan(check, INDEX_DENTRY, "names", check_entry);
}
