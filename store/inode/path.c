/*
 * Paths by search. A file's entry is looked for in the directory where the kernel has found it last
 * and, when it is not there, in the whole table of entries; directories know their parents, so each
 * of them is looked for only there.
 */
#include "store/inode/path.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/error.h"
#include "store/index/index.h"
#include "store/inode/inode.h"
#include "store/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ENTRIES_SEARCHED_MAX = 2000000, DEPTH_MAX = 64 };

/* Searches for messages: see path.h. */
enum { SEARCH_PART = 20, SEARCH_ADVANCE_MS = 1000, FOUND_LASTS_S = 10 };

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

/* The directory where the inode's entry should be; 0: unknown. */
static uint64_t parent_of(struct tfs_volume *volume, uint64_t number)
{
    struct tfs_inode *inode;
    uint64_t parent;

    if (inode_get(volume, number, &inode) < 0)
        return 0;
    parent = S_ISDIR(inode->type) ? inode_record(inode).parent : inode_named_in(volume, inode);
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

static void say_number(uint64_t inode, char text[PATH_TEXT_SIZE])
{
    (void)snprintf(text, PATH_TEXT_SIZE, "inode %llu", (unsigned long long)inode); /* it fits */
}

void path_of_inode(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE])
{
    char path[PATH_TEXT_SIZE - 8];
    size_t at = sizeof(path) - 1;
    struct found_name found;
    uint64_t number = inode;

    path[at] = '\0';
    for (int depth = 0; depth < DEPTH_MAX && number != TFS_ROOT_INODE; depth++) {
        uint64_t parent = parent_of(volume, number);
        int err = find_entry(volume, parent, number, &found);

        if (err && parent && depth == 0) /* it has moved since */
            err = find_entry(volume, 0, number, &found);
        if (err)
            break;
        prepend(path, &at, found.name, depth > 0);
        number = found.parent;
    }
    if (path[at])
        (void)snprintf(text, PATH_TEXT_SIZE, "'%s'", path + at);
    else
        say_number(inode, text);
}

void path_searches_init(struct path_searches *searches)
{
    tfs_mutex_init(&searches->lock, TFS_RANK_LEAF);
}

void path_searches_release(struct path_searches *searches)
{
    tfs_mutex_release(&searches->lock);
}

static bool was_found_locked(const struct path_searches *searches, uint64_t inode, uint64_t now_ns,
                             char text[PATH_TEXT_SIZE])
{
    for (unsigned i = 0; i < searches->count && i < PATHS_KEPT; i++) {
        const struct path_found *found = &searches->found[i];

        if (found->inode == inode && now_ns - found->found_ns < FOUND_LASTS_S * TFS_NS_PER_S) {
            memcpy(text, found->text, PATH_TEXT_SIZE);
            return true;
        }
    }
    return false;
}

static bool may_search_locked(struct path_searches *searches, uint64_t now_ns)
{
    uint64_t regained_ns = (now_ns - searches->noted_ns) / SEARCH_PART;

    searches->spent_ns -= tfs_min_u64(searches->spent_ns, regained_ns);
    searches->noted_ns = now_ns;
    return searches->spent_ns < SEARCH_ADVANCE_MS * TFS_NS_PER_MS;
}

static void note_search(struct path_searches *searches, uint64_t inode, uint64_t start_ns,
                        const char text[PATH_TEXT_SIZE])
{
    struct path_found *found;

    tfs_mutex_lock(&searches->lock);
    searches->spent_ns += tfs_clock_ns() - start_ns;
    found = &searches->found[searches->count++ % PATHS_KEPT];
    found->inode = inode;
    found->found_ns = start_ns;
    memcpy(found->text, text, PATH_TEXT_SIZE);
    tfs_mutex_unlock(&searches->lock);
}

void path_for_message(struct tfs_volume *volume, uint64_t inode, char text[PATH_TEXT_SIZE])
{
    struct path_searches *searches = &volume->path_searches;
    uint64_t now_ns = tfs_clock_ns();
    bool found;
    bool search;

    tfs_mutex_lock(&searches->lock);
    found = was_found_locked(searches, inode, now_ns, text);
    search = !found && may_search_locked(searches, now_ns);
    tfs_mutex_unlock(&searches->lock);
    if (search) {
        path_of_inode(volume, inode, text);
        note_search(searches, inode, now_ns, text);
    } else if (!found) {
        say_number(inode, text);
    }
}
