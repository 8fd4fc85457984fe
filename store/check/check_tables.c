/*
 * The tables of the index as the check reads and corrects them, and the model that it fills.
 */
#include "store/base/bytes.h"
#include "store/base/error.h"
#include "store/check/check_internal.h"
#include "store/index/index.h"
#include "store/tables/super.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_CHANGES_MAX = 4096, STEPS_BETWEEN_PROGRESS = 4096, PATH_DEPTH_MAX = 2048 };

int check_step(struct check *check)
{
    struct tfs_check_progress progress = {check->step, ++check->step_done, check->step_total};

    if (check->step_done % STEPS_BETWEEN_PROGRESS != 1 || !check->options->progress)
        return 0;
    return check->options->progress(check->options->context, &progress) ? 0 : -ECANCELED;
}

int check_scan(struct check *check, enum index_table table, const char *step, check_visit *visit)
{
    struct index_range range = {.table = table};
    struct index_record record;
    struct index_scan *scan;
    int more;
    int err = index_scan_open(check->index, &range, &scan);

    if (err)
        return err;
    check->step = step;
    check->step_done = 0;
    check->step_total = 0;
    while (!err && (more = index_scan_next(scan, &record)) != 0) {
        err = more < 0 ? more : check_step(check);
        if (!err)
            err = visit(check, &record);
        if (!err)
            err = check_commit_full(check);
    }
    index_scan_close(scan);
    return err;
}

void check_put(struct check *check, enum index_table table, const void *key, size_t key_size,
               const void *value, size_t value_size)
{
    if (check->repairing)
        index_batch_put(check->batch, table, key, key_size, value, value_size);
}

void check_delete(struct check *check, enum index_table table, const void *key, size_t key_size)
{
    if (check->repairing)
        index_batch_delete(check->batch, table, key, key_size);
}

void check_put_number(struct check *check, enum index_table table, const void *key, size_t key_size,
                      uint64_t value)
{
    uint8_t raw[sizeof(uint64_t)];

    tfs_put_le64(raw, value);
    check_put(check, table, key, key_size, raw, sizeof(raw));
}

int check_commit(struct check *check)
{
    int err = 0;

    if (check->repairing && index_batch_count(check->batch) > 0) {
        if (!check->marked)
            check_put_number(check, INDEX_SUPER, SUPER_REPAIRING, strlen(SUPER_REPAIRING), 1);
        err = index_commit(check->index, check->batch, true);
        check->marked = check->marked || !err;
    }
    if (check->batch)
        index_batch_clear(check->batch);
    return err;
}

int check_commit_full(struct check *check)
{
    return check->repairing && index_batch_count(check->batch) >= BATCH_CHANGES_MAX
               ? check_commit(check)
               : 0;
}

int check_grow(void **array, size_t count, size_t *capacity, size_t element_size)
{
    size_t wanted = *capacity ? 2 * *capacity : 256;
    void *grown;

    if (count < *capacity)
        return 0;
    grown = reallocarray(*array, wanted, element_size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *capacity = wanted;
    return 0;
}

int check_note_number(struct check *check, uint64_t number)
{
    struct check_numbers *added = &check->added;
    int err;

    if (added->count > 0 && added->values[added->count - 1] == number)
        return 0;
    err = check_grow((void **)&added->values, added->count, &added->capacity, sizeof(number));
    if (!err)
        added->values[added->count++] = number;
    return err;
}

/* An array whose elements begin with their number, by which they are sorted. */
struct sorted {
    void **array;
    size_t *count;
    size_t *capacity;
    size_t element_size;
};

static int add_sorted(const struct sorted *sorted, struct check_numbers *added)
{
    size_t size = sorted->element_size;
    size_t from = *sorted->count;
    size_t to = from + added->count;
    uint8_t *bytes = *sorted->array;

    if (to > *sorted->capacity) {
        bytes = reallocarray(bytes, to, size);
        if (!bytes)
            return -ENOMEM;
        *sorted->array = bytes;
        *sorted->capacity = to;
    }
    *sorted->count = to;
    while (added->count > 0) { /* from the end, so that each is moved once */
        uint64_t number = added->values[added->count - 1];
        uint64_t before = 0;

        if (from > 0)
            memcpy(&before, bytes + (from - 1) * size, sizeof(before));
        to--;
        if (from > 0 && before > number) {
            memcpy(bytes + to * size, bytes + --from * size, size);
            continue;
        }
        memset(bytes + to * size, 0, size);
        memcpy(bytes + to * size, &number, sizeof(number));
        added->count--;
    }
    return 0;
}

int check_add_inodes(struct check *check)
{
    const struct sorted sorted = {(void **)&check->inodes, &check->inode_count,
                                  &check->inode_capacity, sizeof(*check->inodes)};

    static_assert(offsetof(struct check_inode, number) == 0, "it is sorted by its number");
    return add_sorted(&sorted, &check->added);
}

int check_add_segments(struct check *check)
{
    const struct sorted sorted = {(void **)&check->segment_list, &check->segment_count,
                                  &check->segment_capacity, sizeof(*check->segment_list)};

    static_assert(offsetof(struct check_segment, number) == 0, "it is sorted by its number");
    return add_sorted(&sorted, &check->added);
}

/* The place of the first of `count` things of `size` bytes whose number is not below `number`. They
 * are sorted by it and begin with it. */
static size_t place_of(const void *things, size_t count, size_t size, uint64_t number)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t found;

        memcpy(&found, (const char *)things + middle * size, sizeof(found));
        if (found < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t inode_place(const struct check *check, uint64_t number)
{
    static_assert(offsetof(struct check_inode, number) == 0, "it is sorted by its number");
    return place_of(check->inodes, check->inode_count, sizeof(*check->inodes), number);
}

struct check_inode *check_find_inode(struct check *check, uint64_t number)
{
    size_t place = inode_place(check, number);

    return place < check->inode_count && check->inodes[place].number == number
               ? &check->inodes[place]
               : NULL;
}

struct check_inode *check_add_inode(struct check *check, uint64_t number)
{
    size_t place = inode_place(check, number);
    struct check_inode *inode;

    if (check_grow((void **)&check->inodes, check->inode_count, &check->inode_capacity,
                   sizeof(*inode)) < 0)
        return NULL;
    inode = &check->inodes[place];
    memmove(inode + 1, inode, (check->inode_count - place) * sizeof(*inode));
    check->inode_count++;
    *inode = (struct check_inode){.number = number};
    return inode;
}

static size_t segment_place(const struct check *check, uint64_t number)
{
    return place_of(check->segment_list, check->segment_count, sizeof(*check->segment_list),
                    number);
}

struct check_segment *check_find_segment(struct check *check, uint64_t number)
{
    size_t place = segment_place(check, number);

    return place < check->segment_count && check->segment_list[place].number == number
               ? &check->segment_list[place]
               : NULL;
}

struct check_segment *check_add_segment(struct check *check, uint64_t number)
{
    size_t place = segment_place(check, number);
    struct check_segment *found = check_find_segment(check, number);

    if (found)
        return found;
    if (check_grow((void **)&check->segment_list, check->segment_count, &check->segment_capacity,
                   sizeof(*found)) < 0)
        return NULL;
    found = &check->segment_list[place];
    memmove(found + 1, found, (check->segment_count - place) * sizeof(*found));
    check->segment_count++;
    *found = (struct check_segment){.number = number};
    return found;
}

void check_model_release(struct check *check)
{
    free(TAKE_PTR(check->added.values));
    check->added = (struct check_numbers){0};
    free(TAKE_PTR(check->inodes));
    free(TAKE_PTR(check->uses));
    free(TAKE_PTR(check->segment_list));
    check->inode_count = check->inode_capacity = 0;
    check->use_count = check->use_capacity = 0;
    check->segment_count = check->segment_capacity = 0;
    check->unknown_rows = 0;
    check->allocated = 0;
    check->strange_inode = 0;
    check->lost_and_found = 0;
}

/* The name of the entry that the model has for the inode. */
static bool find_name(struct check *check, const struct check_inode *inode,
                      struct meta_dentry_name *ret)
{
    uint8_t prefix[2 * sizeof(uint64_t)];
    struct index_range range = {
        .table = INDEX_DENTRY, .prefix = prefix, .prefix_size = sizeof(prefix)};
    struct index_record record;
    struct index_scan *scan;
    bool found = false;

    tfs_put_be64(prefix, inode->entry_parent);
    tfs_put_be64(prefix + sizeof(uint64_t), inode->entry_hash);
    if (index_scan_open(check->index, &range, &scan) < 0)
        return false;
    while (!found && index_scan_next(scan, &record) > 0) {
        struct meta_dentry entry;

        found = meta_dentry_decode(record.value, record.value_size, &entry) == 0 &&
                entry.inode == inode->number &&
                meta_dentry_key_decode(record.key, record.key_size, ret) == 0;
    }
    index_scan_close(scan);
    return found;
}

bool check_path(struct check *check, uint64_t inode, char text[CHECK_PATH_SIZE])
{
    char path[CHECK_PATH_SIZE];
    size_t at = sizeof(path) - 1;

    path[at] = '\0';
    if (inode == TFS_ROOT_INODE)
        path[--at] = '/';
    for (int depth = 0; inode != TFS_ROOT_INODE; depth++) {
        const struct check_inode *found = check_find_inode(check, inode);
        struct meta_dentry_name name;
        size_t size;

        if (!found || found->names == 0 || depth >= PATH_DEPTH_MAX ||
            !find_name(check, found, &name))
            return false;
        size = strlen(name.name);
        if (size + 1 > at)
            break; /* a long path loses its beginning */
        at -= size;
        memcpy(path + at, name.name, size);
        path[--at] = '/';
        inode = found->entry_parent;
    }
    memcpy(text, path + at, sizeof(path) - at);
    return true;
}
