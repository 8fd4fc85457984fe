/*
 * What torch.save wrote before it wrote zip archives, and still does when it is told so: pickles,
 * one behind the other (a magic number, a version, sizes of the machine that wrote it, the object,
 * a list of the storages' keys), and then of each storage in that list a count of elements in 8
 * bytes, little-endian, and the elements, little-endian whatever the machine was.
 */
#include "formats/torch_legacy.h"

#include "formats/torch_storages.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES_MIN = 1 << 20,
    NAME_BYTES_MAX = 1200,
    PICKLES_BEFORE = 3, /* the object's */
};

static const uint8_t magic_number[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

bool torch_legacy_matches(const uint8_t *head, size_t size)
{
    return size > 0 && head[0] == 0x80 &&
           memmem(head, tfs_min_u64(size, 32), magic_number, sizeof(magic_number)) != NULL;
}

/* The pickles that the file begins with. */
struct legacy {
    uint8_t *bytes; /* that the pickles point into */
    struct pickle object;
    struct pickle keys;
    uint64_t data_offset;
};

static void legacy_release(struct legacy *legacy)
{
    pickle_release(&legacy->object);
    pickle_release(&legacy->keys);
    free(legacy->bytes);
}

/* Of `size` bytes. Errors: those of pickle_read(). */
static int pickles_read(const struct format_source *source, struct legacy *legacy, size_t size)
{
    size_t at = 0;
    int err = 0;

    for (unsigned i = 0; err == 0 && i < PICKLES_BEFORE; i++) {
        struct pickle unused;

        err = pickle_read(legacy->bytes + at, size - at, source, &unused);
        at += unused.size;
        pickle_release(&unused);
    }
    if (err == 0)
        err = pickle_read(legacy->bytes + at, size - at, source, &legacy->object);
    if (err < 0)
        return err;
    at += legacy->object.size;
    err = pickle_read(legacy->bytes + at, size - at, source, &legacy->keys);
    legacy->data_offset = at + legacy->keys.size;
    return err;
}

/* How much of the file is pickles only they know, so a longer beginning of it is read until they
 * end. */
static int legacy_read(const struct format_source *source, struct tensor_list *list,
                       struct legacy *ret)
{
    size_t limit = (size_t)tfs_min_u64(source->size, FORMAT_HEADER_BYTES_MAX);
    size_t size = WINDOW_BYTES_MIN;

    for (;;) {
        struct legacy legacy = {.bytes = NULL};
        int err;

        size = (size_t)tfs_min_u64(size, limit);
        legacy.bytes = malloc(size);
        if (!legacy.bytes)
            return -ENOMEM;
        err = tensor_list_read(list, source, 0, legacy.bytes, size);
        if (err == 0)
            err = pickles_read(source, &legacy, size);
        if (err == 0) {
            *ret = legacy;
            return 0;
        }
        legacy_release(&legacy);
        if (err == -EUCLEAN && size == limit)
            (void)tensor_list_malformed(list, "its pickles are cut off");
        if (err != -EUCLEAN || size == limit)
            return err;
        size *= 4;
    }
}

static int key_compare(const void *a, const void *b)
{
    return pickle_text_compare((*(const struct torch_storage *const *)a)->key,
                               (*(const struct torch_storage *const *)b)->key);
}

/* Storages of one key in the order in which they are named. */
static int order_compare(const void *a, const void *b)
{
    const struct torch_storage *left = *(const struct torch_storage *const *)a;
    const struct torch_storage *right = *(const struct torch_storage *const *)b;
    int order = pickle_text_compare(left->key, right->key);

    return order ? order : (left->node > right->node) - (left->node < right->node);
}

/* The storages that the object names, by their keys: of several tensors in one, the first. */
struct storage_map {
    struct torch_storage_list list;
    struct torch_storage **order;
    size_t count;
};

static int storage_map_make(const struct pickle *object, struct storage_map *ret)
{
    struct storage_map map = {.order = NULL};
    int err = torch_storages_find(object, &map.list);

    if (err < 0)
        return err;
    map.order = calloc(map.list.count + 1, sizeof(struct torch_storage *));
    if (!map.order) {
        torch_storages_release(&map.list);
        return -ENOMEM;
    }
    for (size_t i = 0; i < map.list.count; i++)
        map.order[i] = &map.list.storages[i];
    if (map.list.count > 0)
        qsort(map.order, map.list.count, sizeof(struct torch_storage *), order_compare);
    for (size_t i = 0; i < map.list.count; i++) {
        if (i == 0 || key_compare(&map.order[i], &map.order[i - 1]) != 0)
            map.order[map.count++] = map.order[i];
    }
    *ret = map;
    return 0;
}

static void storage_map_release(struct storage_map *map)
{
    torch_storages_release(&map->list);
    free(map->order);
}

/* NULL when there is none. */
static struct torch_storage *storage_find(const struct storage_map *map, struct pickle_text key)
{
    const struct torch_storage wanted = {.key = key};
    const struct torch_storage *at = &wanted;
    struct torch_storage **found =
        map->count > 0 ? bsearch(&at, map->order, map->count, sizeof(at), key_compare) : NULL;

    return found ? *found : NULL;
}

static int storage_add(const struct format_source *source, struct tensor_list *list,
                       const struct torch_storage *storage, uint64_t *offset)
{
    struct tensor_place tensor = {.dtype = storage->dtype, .offset = *offset + 8};
    char name[NAME_BYTES_MAX];
    uint8_t count[8];
    int err;

    (void)snprintf(name, sizeof(name), storage->label.size > 0 ? "%.*s (%.*s)" : "%.*s",
                   (int)tfs_min_u64(storage->key.size, 100), storage->key.at,
                   (int)tfs_min_u64(storage->label.size, 1024), storage->label.at);
    if (source->size < sizeof(count) || *offset > source->size - sizeof(count))
        return tensor_list_malformed(list, "cut off at %" PRIu64 ", before storage '%.150s'",
                                     source->size, name);
    err = tensor_list_read(list, source, *offset, count, sizeof(count));
    if (err < 0)
        return err;
    if (tfs_get_le64(count) != storage->element_count)
        return tensor_list_malformed(list,
                                     "storage '%.100s' at %" PRIu64 " has %" PRIu64
                                     " elements, its pickle says %" PRIu64,
                                     name, *offset, tfs_get_le64(count), storage->element_count);
    if (tfs_mul_overflows(storage->element_count, storage->element_size, &tensor.size) ||
        tensor.size > source->size - tensor.offset)
        return tensor_list_malformed(list, "cut off at %" PRIu64 ", in storage '%.150s'",
                                     source->size, name);
    *offset = tensor.offset + tensor.size;
    return tensor_list_add(list, name, strlen(name), &tensor);
}

/* Errors: -EOPNOTSUPP (a storage of a size that is not known; those before it are there), others.
 */
static int storages_add(const struct format_source *source, struct tensor_list *list,
                        const struct legacy *legacy, const struct storage_map *map)
{
    const struct pickle *keys = &legacy->keys;
    uint64_t offset = legacy->data_offset;
    int err = 0;

    if (keys->nodes[keys->root].kind != PICKLE_LIST)
        return tensor_list_malformed(list, "no list of storages");
    for (uint32_t cell = pickle_items(keys, keys->root); err == 0 && cell;
         cell = keys->cells[cell].next) {
        const struct pickle_node *key = &keys->nodes[keys->cells[cell].node];
        const struct torch_storage *storage =
            key->kind == PICKLE_TEXT ? storage_find(map, key->text) : NULL;

        if (!storage)
            return tensor_list_malformed(list, "a storage that its object does not name");
        if (storage->element_size == 0)
            return tfs_fail(-EOPNOTSUPP, "storage '%.*s'", (int)tfs_min_u64(key->text.size, 100),
                            key->text.at);
        err = storage_add(source, list, storage, &offset);
    }
    return err;
}

int torch_legacy_find(const struct format_source *source, struct tensor_list *list)
{
    struct legacy legacy = {.bytes = NULL};
    struct storage_map map = {.order = NULL};
    int err = legacy_read(source, list, &legacy);

    if (err == 0)
        err = storage_map_make(&legacy.object, &map);
    if (err == 0)
        err = storages_add(source, list, &legacy, &map);
    storage_map_release(&map);
    legacy_release(&legacy);
    return err == -EOPNOTSUPP ? 0 : err; /* bytes, then */
}
