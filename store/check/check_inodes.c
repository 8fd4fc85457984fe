/*
 * Inodes: their records, the rows of removed ones, their extended attributes; and at the end the
 * records again, with all that names, rows and attributes say of them.
 */
#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"
#include "store/inode/inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers between the root and the first inode, and those that no counter can reach. */
static bool number_is_possible(uint64_t number)
{
    return number == TFS_ROOT_INODE || (number >= 16 && number < INT64_MAX);
}

static bool type_is_known(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        return true;
    default:
        return false;
    }
}

static void remove_key(struct check *check, enum index_table table,
                       const struct index_record *record, const char *what)
{
    check_error(check, TFS_CHECK_KEY, 0, "a key of %zu bytes in table '%s', which nobody asks for",
                record->key_size, what);
    check_delete(check, table, record->key, record->key_size);
}

/* Decodes a record, mended if need be. Returns false when it cannot be. */
static bool read_record(const struct index_record *record, struct meta_inode *ret, bool *ret_mended)
{
    uint8_t bytes[META_INODE_SIZE_MAX];
    const char *target;
    size_t size = tfs_min_u64(record->value_size, sizeof(bytes));

    *ret_mended = false;
    if (meta_inode_decode(record->value, record->value_size, ret, &target) == 0)
        return type_is_known(ret->mode);
    memcpy(bytes, record->value, size);
    *ret_mended = true;
    return meta_inode_mend(bytes, size, ret, &target, &size) == 0 && type_is_known(ret->mode);
}

static int read_inode(struct check *check, const struct index_record *record)
{
    struct meta_inode meta;
    struct check_inode *inode;
    bool mended;

    if (record->key_size != META_INODE_KEY_SIZE || !number_is_possible(tfs_get_be64(record->key))) {
        remove_key(check, INDEX_INODE, record, "inode");
        return 0;
    }
    inode = check_add_inode(check, tfs_get_be64(record->key));
    if (!inode)
        return -ENOMEM;
    if (!read_record(record, &meta, &mended))
        return 0; /* told when it is known what else there is of it */
    inode->readable = true;
    inode->mended = mended;
    inode->size = meta.size;
    inode->stored_bytes = meta.stored_bytes;
    inode->parent = meta.parent;
    inode->mode = meta.mode;
    inode->nlink = meta.nlink;
    inode->flags = meta.flags;
    inode->chunk_size_log2 = meta.chunk_size_log2;
    check->allocated += meta.allocation.room;
    return 0;
}

/* The root is there, and a directory: without it nothing can be reached. */
static int check_root(struct check *check)
{
    struct check_inode *root = check_find_inode(check, TFS_ROOT_INODE);

    if (root && root->readable && S_ISDIR(root->mode))
        return 0;
    check_error(check, TFS_CHECK_INODE, TFS_ROOT_INODE, "the root is %s%s",
                !root            ? "missing"
                : root->readable ? "no directory"
                                 : "unreadable",
                check_done(check, "; it has a new record"));
    if (!root)
        root = check_add_inode(check, TFS_ROOT_INODE);
    if (!root)
        return -ENOMEM;
    *root = (struct check_inode){
        .number = TFS_ROOT_INODE, .mode = S_IFDIR, .readable = true, .rebuilt = true};
    return 0;
}

int check_inodes_read(struct check *check)
{
    int err = check_scan(check, INDEX_INODE, "inodes", read_inode);

    return err ? err : check_root(check);
}

static int read_orphan(struct check *check, const struct index_record *record)
{
    struct check_inode *inode;

    if (record->key_size != META_INODE_KEY_SIZE) {
        remove_key(check, INDEX_ORPHAN, record, "orphan");
        return 0;
    }
    inode = check_find_inode(check, tfs_get_be64(record->key));
    if (inode && inode->number != TFS_ROOT_INODE) {
        inode->orphan = true;
        return 0;
    }
    check_error(check, TFS_CHECK_ORPHAN, 0, "inode %llu is to be purged and %s",
                (unsigned long long)tfs_get_be64(record->key),
                inode ? "is the root" : "does not exist");
    check_delete(check, INDEX_ORPHAN, record->key, record->key_size);
    return 0;
}

int check_orphans_read(struct check *check)
{
    return check_scan(check, INDEX_ORPHAN, "orphans", read_orphan);
}

/* ---- extended attributes ---- */

static uint32_t flag_of_attribute(const uint8_t *name, size_t size)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } known[] = {
        {"system.posix_acl_access", META_INODE_HAS_ACCESS_ACL},
        {"system.posix_acl_default", META_INODE_HAS_DEFAULT_ACL},
        {"security.capability", META_INODE_HAS_CAPABILITY},
    };

    for (size_t i = 0; i < TFS_ARRAY_COUNT(known); i++) {
        if (size == strlen(known[i].name) && memcmp(name, known[i].name, size) == 0)
            return META_INODE_HAS_XATTRS | known[i].flag;
    }
    return META_INODE_HAS_XATTRS;
}

static int read_attribute(struct check *check, const struct index_record *record)
{
    const size_t prefix = META_INODE_KEY_SIZE;
    struct check_inode *inode;

    if (record->key_size <= prefix || record->key_size > META_XATTR_KEY_SIZE_MAX ||
        memchr(record->key + prefix, 0, record->key_size - prefix)) {
        remove_key(check, INDEX_XATTR, record, "xattr");
        return 0;
    }
    inode = check_find_inode(check, tfs_get_be64(record->key));
    if (inode) {
        inode->flags_seen |= flag_of_attribute(record->key + prefix, record->key_size - prefix);
        return 0;
    }
    check_error(check, TFS_CHECK_ATTRIBUTE, 0, "an attribute of inode %llu, which does not exist",
                (unsigned long long)tfs_get_be64(record->key));
    check_delete(check, INDEX_XATTR, record->key, record->key_size);
    return 0;
}

int check_attributes(struct check *check)
{
    return check_scan(check, INDEX_XATTR, "attributes", read_attribute);
}

/* ---- the records again ---- */

static uint32_t links_of(const struct check_inode *inode)
{
    if (inode->orphan && inode->names == 0)
        return 0;
    if (!S_ISDIR(inode->mode))
        return inode->names;
    return 2 + inode->subdirectories;
}

/* HAS_XATTRS alone may stand without a row; the others say which rows there are. */
static uint32_t flags_of(const struct check_inode *inode)
{
    const uint32_t exact =
        META_INODE_HAS_ACCESS_ACL | META_INODE_HAS_DEFAULT_ACL | META_INODE_HAS_CAPABILITY;

    return (inode->flags & ~exact) | inode->flags_seen;
}

static bool correct_links(struct check *check, const struct check_inode *inode,
                          struct meta_inode *record)
{
    bool changed = false;

    if (record->nlink != links_of(inode)) {
        check_error(check, TFS_CHECK_LINKS, inode->number, "the link count is %u, not %u",
                    record->nlink, links_of(inode));
        record->nlink = links_of(inode);
        changed = true;
    }
    if (S_ISDIR(inode->mode) && inode->reach == CHECK_REACH_ROOT &&
        record->parent != inode->entry_parent) {
        check_error(check, TFS_CHECK_PARENT, inode->number, "its parent is inode %llu, not %llu",
                    (unsigned long long)inode->entry_parent, (unsigned long long)record->parent);
        record->parent = inode->entry_parent;
        changed = true;
    }
    return changed;
}

static bool correct_size(struct check *check, const struct check_inode *inode,
                         struct meta_inode *record)
{
    uint64_t size = S_ISREG(inode->mode) ? tfs_max_u64(record->size, inode->end_seen) : 0;
    bool changed = false;

    if (record->size != size) {
        check_error(check, TFS_CHECK_SIZE, inode->number,
                    "the size is %llu, and its data ends at %llu", (unsigned long long)record->size,
                    (unsigned long long)size);
        record->size = size;
        changed = true;
    }
    /* Purging takes rows away and leaves the sum; what an unreadable row stores is not known. */
    if (!inode->orphan && !inode->has_bad_row && record->stored_bytes != inode->stored_seen) {
        check_error(check, TFS_CHECK_SIZE, inode->number, "%llu bytes are stored, not %llu",
                    (unsigned long long)inode->stored_seen,
                    (unsigned long long)record->stored_bytes);
        record->stored_bytes = inode->stored_seen;
        changed = true;
    }
    return changed;
}

static bool correct_flags(struct check *check, const struct check_inode *inode,
                          struct meta_inode *record)
{
    if (record->flags == flags_of(inode))
        return false;
    check_error(check, TFS_CHECK_ATTRIBUTE, inode->number,
                "its flags are 0x%x, its attributes say 0x%x", record->flags, flags_of(inode));
    record->flags = flags_of(inode);
    return true;
}

static void put_record(struct check *check, uint64_t number, const struct meta_inode *record,
                       const char *target)
{
    uint8_t key[META_INODE_KEY_SIZE];
    uint8_t bytes[META_INODE_SIZE_MAX];
    size_t size = meta_inode_encode(record, target, bytes);

    meta_inode_key(number, key);
    check_put(check, INDEX_INODE, key, sizeof(key), bytes, size);
}

/* What a directory gets whose record is lost. */
static void put_directory(struct check *check, const struct check_inode *inode)
{
    struct timespec now = tfs_clock_real();
    struct meta_inode record = {
        .version = 1,
        .parent = inode->number == TFS_ROOT_INODE ? TFS_ROOT_INODE : inode->entry_parent,
        .mode = S_IFDIR | (inode->number == TFS_ROOT_INODE ? 0755 : 0700),
        .uid = geteuid(),
        .gid = getegid(),
        .nlink = links_of(inode),
        .flags = inode->flags_seen,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now,
        .compression = {.codec = CODEC_AUTO},
        .chunk_size_log2 = (uint8_t)__builtin_ctzll(TFS_CHUNK_SIZE_DEFAULT),
    };

    put_record(check, inode->number, &record, NULL);
}

/* A file with rows behind its end is found by its orphan row, name or not. */
static void put_orphan(struct check *check, const struct check_inode *inode)
{
    uint8_t key[META_INODE_KEY_SIZE];

    check_error(check, TFS_CHECK_ORPHAN, inode->number, "nobody knows that rows of it are to go");
    meta_inode_key(inode->number, key);
    check_put(check, INDEX_ORPHAN, key, sizeof(key), "", 0);
}

static void delete_orphan(struct check *check, const struct check_inode *inode)
{
    uint8_t key[META_INODE_KEY_SIZE];

    check_error(check, TFS_CHECK_ORPHAN, inode->number, "it is to be purged and has a name");
    meta_inode_key(inode->number, key);
    check_delete(check, INDEX_ORPHAN, key, sizeof(key));
}

static void correct_orphan(struct check *check, const struct check_inode *inode)
{
    bool has_cut_rows = inode->readable && inode->flags & META_INODE_HAS_CUT_ROWS;

    if (has_cut_rows && !inode->orphan && inode->names > 0)
        put_orphan(check, inode);
    if (!has_cut_rows && inode->orphan && inode->names > 0)
        delete_orphan(check, inode);
}

static int correct_record(struct check *check, const struct check_inode *inode,
                          const struct index_record *stored)
{
    uint8_t bytes[META_INODE_SIZE_MAX];
    size_t size = tfs_min_u64(stored->value_size, sizeof(bytes));
    struct meta_inode record;
    const char *target;
    bool changed = inode->mended;
    int err;

    memcpy(bytes, stored->value, size);
    err = inode->mended ? meta_inode_mend(bytes, size, &record, &target, &size)
                        : meta_inode_decode(bytes, size, &record, &target);
    if (err)
        return err;
    if (inode->mended)
        check_error(check, TFS_CHECK_INODE, inode->number, "its record has impossible values%s",
                    check_done(check, ", replaced by defaults"));
    changed |= correct_links(check, inode, &record);
    changed |= correct_size(check, inode, &record);
    changed |= correct_flags(check, inode, &record);
    if (changed) {
        record.version++;
        put_record(check, inode->number, &record, target);
    }
    return 0;
}

static void count_inode(struct check *check, const struct check_inode *inode)
{
    if (S_ISDIR(inode->mode))
        check->result->directories++;
    else if (S_ISREG(inode->mode))
        check->result->files++;
    else
        check->result->others++;
}

static int check_record(struct check *check, const struct index_record *stored)
{
    struct check_inode *inode;

    if (stored->key_size != META_INODE_KEY_SIZE)
        return 0;
    inode = check_find_inode(check, tfs_get_be64(stored->key));
    if (!inode || inode->rebuilt)
        return 0;
    if (!inode->readable) {
        struct check_range range = {.inode = inode->number};

        check_unreadable(check, TFS_CHECK_INODE, &range, "its record of %zu bytes is not one",
                         stored->value_size);
        return 0;
    }
    return correct_record(check, inode, stored);
}

int check_records(struct check *check)
{
    int err = check_scan(check, INDEX_INODE, "records", check_record);

    for (size_t i = 0; i < check->inode_count && !err; i++) {
        const struct check_inode *inode = &check->inodes[i];

        if (inode->rebuilt)
            put_directory(check, inode);
        correct_orphan(check, inode);
        if (inode->readable)
            count_inode(check, inode);
        err = check_commit_full(check);
    }
    return err;
}
