/*
 * A table of fixed size, in sets of four cells. A name has its place in one set, and takes the cell
 * there that was not asked for longest. Names that do not fit into a cell are not kept. What tells
 * the cells of a set apart lies together, in the first line of the processor's cache.
 *
 * 1. A cell says what the index has, once the change that wrote it has returned: a change
 * overwrites what is here of its names, whoever put it there.
 * 2. Nothing is learnt across a change. A reader who asked the index before one committed would
 *    otherwise put the old answer behind the new one.
 */
#include "store/inode/names.h"

#include "store/base/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SET_CELLS = 4, SET_ALIGNMENT = 64, NAME_KEPT_MAX = 75 };

struct cell {
    uint64_t parent;
    uint64_t inode; /* 0: there is no such name */
    uint32_t type;
    uint8_t name_size;
    char name[NAME_KEPT_MAX];
};

struct set {
    uint64_t hashes[SET_CELLS]; /* 0: the cell is empty */
    uint32_t used[SET_CELLS];   /* names->clock when it was asked for last */
    struct cell cells[SET_CELLS];
} __attribute__((aligned(SET_ALIGNMENT)));

struct tfs_names {
    struct tfs_mutex lock; /* rank TFS_RANK_LEAF; guards all below */
    struct set *sets;
    uint64_t changes; /* applied so far */
    uint64_t hits;
    uint64_t misses;
    uint32_t clock;   /* may wrap round: then a cell goes too early */
    size_t set_count; /* immutable; a power of two */
};

int names_new(uint64_t bytes_max, struct tfs_names **ret)
{
    struct tfs_names *names = calloc(1, sizeof(*names));
    size_t set_count = 1;

    if (!names)
        return -ENOMEM;
    while (2 * set_count * sizeof(struct set) <= bytes_max)
        set_count *= 2;
    names->sets = aligned_alloc(SET_ALIGNMENT, set_count * sizeof(names->sets[0]));
    if (!names->sets) {
        free(names);
        return -ENOMEM;
    }
    memset(names->sets, 0, set_count * sizeof(names->sets[0]));
    names->set_count = set_count;
    tfs_mutex_init(&names->lock, TFS_RANK_LEAF);
    *ret = names;
    return 0;
}

void names_free(struct tfs_names *names)
{
    if (!names)
        return;
    tfs_mutex_release(&names->lock);
    free(names->sets);
    free(names);
}

static struct set *set_of(const struct tfs_names *names, const struct names_key *key)
{
    uint64_t mixed = (key->hash ^ key->parent) * 0x9E3779B97F4A7C15ull;

    return &names->sets[(mixed >> 32) & (names->set_count - 1)];
}

/* The cell of the name, or -1. */
static int find(const struct set *set, const struct names_key *key, size_t name_size)
{
    for (int i = 0; i < SET_CELLS; i++) {
        const struct cell *cell = &set->cells[i];

        if (set->hashes[i] == key->hash && cell->parent == key->parent &&
            cell->name_size == name_size && memcmp(cell->name, key->name, name_size) == 0)
            return i;
    }
    return -1;
}

/* An empty cell, else the one that was not used longest. */
static int choose_locked(const struct tfs_names *names, const struct set *set)
    TFS_REQUIRES(&names->lock)
{
    int oldest = 0;

    for (int i = 0; i < SET_CELLS; i++) {
        if (set->hashes[i] == 0)
            return i;
        if (names->clock - set->used[i] > names->clock - set->used[oldest])
            oldest = i;
    }
    return oldest;
}

static void put_locked(struct tfs_names *names, const struct names_key *key,
                       const struct meta_dentry *entry) TFS_REQUIRES(&names->lock)
{
    struct set *set = set_of(names, key);
    size_t name_size = strlen(key->name);
    struct cell *cell;
    int i;

    if (name_size > NAME_KEPT_MAX)
        return;
    i = find(set, key, name_size);
    if (i < 0)
        i = choose_locked(names, set);
    cell = &set->cells[i];
    set->hashes[i] = key->hash;
    set->used[i] = names->clock++;
    cell->parent = key->parent;
    cell->inode = entry ? entry->inode : 0;
    cell->type = entry ? entry->type : 0;
    cell->name_size = (uint8_t)name_size;
    memcpy(cell->name, key->name, name_size);
}

static void drop_locked(struct tfs_names *names, const struct names_key *key)
    TFS_REQUIRES(&names->lock)
{
    struct set *set = set_of(names, key);
    int i = find(set, key, strlen(key->name));

    if (i >= 0)
        set->hashes[i] = 0;
}

enum names_answer names_find(struct tfs_names *names, const struct names_key *key,
                             struct meta_dentry *ret, uint64_t *ret_changes)
{
    enum names_answer answer = NAMES_UNKNOWN;
    size_t name_size = strlen(key->name);
    struct set *set = set_of(names, key);
    int i;

    tfs_mutex_lock(&names->lock);
    i = find(set, key, name_size);
    if (i < 0) {
        *ret_changes = names->changes;
        names->misses++;
    } else {
        names->hits++;
        set->used[i] = names->clock++;
        answer = set->cells[i].inode ? NAMES_PRESENT : NAMES_ABSENT;
        if (answer == NAMES_PRESENT)
            *ret = (struct meta_dentry){set->cells[i].inode, set->cells[i].type};
    }
    tfs_mutex_unlock(&names->lock);
    return answer;
}

void names_learn(struct tfs_names *names, const struct names_key *key,
                 const struct meta_dentry *entry, uint64_t changes)
{
    tfs_mutex_lock(&names->lock);
    if (names->changes == changes)
        put_locked(names, key, entry);
    tfs_mutex_unlock(&names->lock);
}

void names_apply(struct tfs_names *names, const struct names_change *changes, size_t count)
{
    tfs_mutex_lock(&names->lock);
    names->changes++;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].entry.inode)
            put_locked(names, &changes[i].key, &changes[i].entry);
        else
            drop_locked(names, &changes[i].key); /* hardly anybody asks for what he removed */
    }
    tfs_mutex_unlock(&names->lock);
}

void names_get_counts(struct tfs_names *names, uint64_t *ret_hits, uint64_t *ret_misses)
{
    tfs_mutex_lock(&names->lock);
    *ret_hits = names->hits;
    *ret_misses = names->misses;
    tfs_mutex_unlock(&names->lock);
}
