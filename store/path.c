/*
 * Paths by search. A file's entry is looked for in the whole table of entries; its directories know
 * their parents, so each of them is looked for only there.
 */
#include "store/path.h"

#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/inode.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ENTRIES_SEARCHED_MAX = 2000000, DEPTH_MAX = 64 };

struct found_name {
    uint64_t parent;
    char name[TFS_NAME_SIZE_MAX + 1];
};

/* Looks for the entry of `inode`, in directory `parent` or, with 0, everywhere. */
static int find_entry(struct tfs_volume *volume, uint64_t parent, uint64_t inode,
                      struct found_name *ret)
{
    uint8_t prefix[META_DENTRY_PREFIX_SIZE];
    struct index_range range = {.table = INDEX_DENTRY};
    struct index_record record;
    struct index_scan *scan;
    int result = -ENOENT;
    int more = 1;

    if (parent) {
        meta_inode_key(parent, prefix);
        range.prefix = prefix;
        range.prefix_size = sizeof(prefix);
    }
    if (index_scan_open(volume->index, &range, &scan) < 0)
        return -ENOENT;
    for (int i = 0; i < ENTRIES_SEARCHED_MAX && result && more > 0; i++) {
        struct meta_dentry_name name;
        struct meta_dentry entry;

        more = index_scan_next(scan, &record);
        if (more <= 0 || meta_dentry_decode(record.value, record.value_size, &entry) < 0 ||
            entry.inode != inode || meta_dentry_key_decode(record.key, record.key_size, &name) < 0)
            continue;
        ret->parent = tfs_get_be64(record.key);
        memcpy(ret->name, name.name, sizeof(ret->name));
        result = 0;
    }
    index_scan_close(scan);
    return result;
}

static uint64_t parent_of(struct tfs_volume *volume, uint64_t number)
{
    struct tfs_inode *inode;
    uint64_t parent;

    if (inode_get(volume, number, &inode) < 0)
        return 0;
    parent = inode_record(inode).parent;
    inode_put(volume, inode);
    return parent;
}

/* Puts `name` and a slash in front of the text; what does not fit is left out. */
static void prepend(char *text, size_t *at, const char *name, bool slash)
{
    size_t size = strlen(name);

    if (slash && *at > 0)
        text[--*at] = '/';
    if (size > *at)
        size = *at;
    *at -= size;
    memcpy(text + *at, name + strlen(name) - size, size);
}

void path_of_inode(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE])
{
    char path[PATH_TEXT_SIZE - 8];
    size_t at = sizeof(path) - 1;
    struct found_name found;
    uint64_t number = inode;
    uint64_t parent = 0;

    path[at] = '\0';
    for (int depth = 0; depth < DEPTH_MAX && number != TFS_ROOT_INODE; depth++) {
        if (find_entry(volume, parent, number, &found) < 0)
            break;
        prepend(path, &at, found.name, depth > 0);
        number = found.parent;
        parent = parent_of(volume, number);
    }
    if (path[at])
        (void)snprintf(text, PATH_TEXT_SIZE, "'%s'", path + at);
    else
        (void)snprintf(text, PATH_TEXT_SIZE, "inode %llu", (unsigned long long)inode);
}
