/*
 * A persistent id is the tuple ('storage', type, key, location, element count). Mostly the type
 * says the dtype; newer dtypes have none of their own, so their storages are untyped and the call
 * that rebuilds the tensor is given the dtype: _rebuild_tensor_v3(storage, offset, size, stride,
 * requires_grad, hooks, dtype, metadata). Other places where a dtype is a value say nothing of
 * storages.
 */
#include "formats/torch_storages.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    STORAGES_MAX = 1 << 20,
    WRAPPERS_MAX = 4, /* a parameter of a tensor of a subclass ... */
    LIST_LABELS_MAX = 64,
    DTYPE_ARGUMENT = 6,
};

/* What a global of torch's stands for, by its names in the table. Storages that are
 * untyped have moved. */
static bool type_find(const struct pickle *pickle, uint32_t node, enum dtype_format format,
                      enum dtype *ret)
{
    const struct pickle_node *at = &pickle->nodes[node];
    const struct pickle_text *name;

    if (at->kind != PICKLE_GLOBAL)
        return false;
    name = &pickle->nodes[at->global.name].text;
    if (!pickle_is_text(pickle, at->global.module, "torch") &&
        !pickle_is_global(pickle, node, "torch.storage", "UntypedStorage"))
        return false;
    return dtype_find(format, name->at, name->size, ret) == 0;
}

void torch_storages_release(struct torch_storage_list *list)
{
    free(list->storages);
    memset(list, 0, sizeof(*list));
}

static int list_add(struct torch_storage_list *list, const struct torch_storage *storage)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct torch_storage *grown;

        if (list->count >= STORAGES_MAX)
            return tfs_fail(-EOPNOTSUPP, "pickle: too many storages");
        grown = realloc(list->storages, capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        list->storages = grown;
        list->capacity = capacity;
    }
    list->storages[list->count++] = *storage;
    return 0;
}

static int storage_add(const struct pickle *pickle, uint32_t node, struct torch_storage_list *list)
{
    const uint32_t id = pickle->nodes[node].item_first;
    const uint32_t type = pickle_item(pickle, id, 1);
    const struct pickle_node *key = &pickle->nodes[pickle_item(pickle, id, 2)];
    const struct pickle_node *count = &pickle->nodes[pickle_item(pickle, id, 4)];
    struct torch_storage storage = {.node = node};

    if (pickle->nodes[id].kind == PICKLE_TUPLE &&
        pickle_is_text(pickle, pickle_item(pickle, id, 0), "module"))
        return 0; /* the source of a class, which older torch kept */
    if (pickle->nodes[id].kind != PICKLE_TUPLE ||
        !pickle_is_text(pickle, pickle_item(pickle, id, 0), "storage") ||
        pickle->nodes[type].kind != PICKLE_GLOBAL || key->kind != PICKLE_TEXT ||
        count->kind != PICKLE_INTEGER)
        return tfs_fail(-EOPNOTSUPP, "pickle: a persistent id that is no storage");
    storage.key = key->text;
    storage.element_count = count->integer;
    if (type_find(pickle, type, DTYPE_IN_TORCH_STORAGE, &storage.dtype))
        storage.element_size = dtype_width(storage.dtype);
    return list_add(list, &storage);
}

static int node_compare(const void *key, const void *element)
{
    const uint32_t node = *(const uint32_t *)key;
    const struct torch_storage *storage = element;

    return (node > storage->node) - (node < storage->node);
}

/* They are in the order of their nodes. NULL when the node is none. */
static struct torch_storage *storage_of(struct torch_storage_list *list, uint32_t node)
{
    if (list->count == 0)
        return NULL;
    return bsearch(&node, list->storages, list->count, sizeof(*list->storages), node_compare);
}

/* A call that makes a tensor: what it calls, and with what. */
struct rebuild {
    uint32_t callable;
    uint32_t arguments;
};

/* _rebuild_from_type_v2(function, type, arguments, state) calls for a subclass of a tensor. */
static bool rebuild_of(const struct pickle *pickle, uint32_t node, struct rebuild *ret)
{
    const struct pickle_node *at = &pickle->nodes[node];
    struct rebuild rebuild;

    if (at->kind != PICKLE_CALL)
        return false;
    rebuild = (struct rebuild){at->call.callable, at->call.arguments};
    if (pickle_is_global(pickle, rebuild.callable, "torch._tensor", "_rebuild_from_type_v2"))
        rebuild = (struct rebuild){pickle_item(pickle, rebuild.arguments, 0),
                                   pickle_item(pickle, rebuild.arguments, 2)};
    at = &pickle->nodes[rebuild.callable];
    if (at->kind != PICKLE_GLOBAL || !pickle_is_text(pickle, at->global.module, "torch._utils"))
        return false;
    *ret = rebuild;
    return true;
}

static void dtype_tell(const struct pickle *pickle, uint32_t node, struct torch_storage_list *list)
{
    struct torch_storage *storage;
    struct rebuild rebuild;
    enum dtype dtype = DTYPE_BYTES;

    if (!rebuild_of(pickle, node, &rebuild) ||
        !pickle_is_global(pickle, rebuild.callable, "torch._utils", "_rebuild_tensor_v3"))
        return;
    storage = storage_of(list, pickle_item(pickle, rebuild.arguments, 0));
    if (!storage || storage->dtype != DTYPE_BYTES || storage->is_told)
        return; /* not untyped, after all */
    if (!type_find(pickle, pickle_item(pickle, rebuild.arguments, DTYPE_ARGUMENT), DTYPE_IN_TORCH,
                   &dtype) ||
        storage->element_count % dtype_width(dtype) != 0)
        dtype = DTYPE_BYTES; /* not known, or the tensor has a part of a larger storage */
    storage->dtype = dtype;
    storage->is_told = true;
}

/* The storage of a tensor, or of what is wrapped around one; NULL for other values. */
static struct torch_storage *storage_below(const struct pickle *pickle, uint32_t node,
                                           struct torch_storage_list *list)
{
    struct rebuild rebuild;

    for (unsigned i = 0; i < WRAPPERS_MAX && rebuild_of(pickle, node, &rebuild); i++)
        node = pickle_item(pickle, rebuild.arguments, 0);
    return storage_of(list, node);
}

static void label_give(const struct pickle *pickle, uint32_t node, struct pickle_text label,
                       struct torch_storage_list *list)
{
    struct torch_storage *storage = storage_below(pickle, node, list);

    if (storage && storage->label.size == 0)
        storage->label = label;
}

/* A tensor has the key's name; so have those of a short list or tuple, as many keys may share a
 * long one. */
static void value_label(const struct pickle *pickle, uint32_t node, struct pickle_text label,
                        struct torch_storage_list *list)
{
    const enum pickle_kind kind = pickle->nodes[node].kind;
    unsigned left = LIST_LABELS_MAX;

    if (kind != PICKLE_LIST && kind != PICKLE_TUPLE) {
        label_give(pickle, node, label, list);
        return;
    }
    for (uint32_t cell = pickle_items(pickle, node); cell && left-- > 0;
         cell = pickle->cells[cell].next)
        label_give(pickle, pickle->cells[cell].node, label, list);
}

/* Of a dict, or of what a call returned and keys were set in: an OrderedDict, say. */
static void items_label(const struct pickle *pickle, uint32_t node, struct torch_storage_list *list)
{
    for (uint32_t cell = pickle_items(pickle, node); cell;) {
        const uint32_t value = pickle->cells[cell].next;
        const struct pickle_node *key = &pickle->nodes[pickle->cells[cell].node];

        if (value == 0)
            return;
        if (key->kind == PICKLE_TEXT)
            value_label(pickle, pickle->cells[value].node, key->text, list);
        cell = pickle->cells[value].next;
    }
}

static int key_compare(const void *a, const void *b)
{
    const struct torch_storage *left = *(struct torch_storage *const *)a;
    const struct torch_storage *right = *(struct torch_storage *const *)b;
    int order = pickle_text_compare(left->key, right->key);

    return order ? order : (left->node > right->node) - (left->node < right->node);
}

/* Tensors may share a storage; when they differ about what is in it, nobody knows. */
static int shared_settle(struct torch_storage_list *list)
{
    struct torch_storage **order = calloc(list->count + 1, sizeof(struct torch_storage *));

    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        order[i] = &list->storages[i];
    if (list->count > 0)
        qsort(order, list->count, sizeof(struct torch_storage *), key_compare);
    for (size_t first = 0, end; first < list->count; first = end) {
        bool is_one = true;

        for (end = first + 1;
             end < list->count && pickle_text_compare(order[end]->key, order[first]->key) == 0;
             end++)
            is_one = is_one && order[end]->dtype == order[first]->dtype;
        for (size_t i = first; !is_one && i < end; i++)
            order[i]->dtype = DTYPE_BYTES;
    }
    free(order);
    return 0;
}

int torch_storages_find(const struct pickle *pickle, struct torch_storage_list *ret)
{
    struct torch_storage_list list = {0};
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < pickle->node_count; i++) {
        if (pickle->nodes[i].kind == PICKLE_PERSISTENT)
            err = storage_add(pickle, i, &list);
    }
    for (uint32_t i = 0; err == 0 && i < pickle->node_count; i++) {
        const enum pickle_kind kind = pickle->nodes[i].kind;

        if (kind == PICKLE_CALL)
            dtype_tell(pickle, i, &list);
        if (kind == PICKLE_CALL || kind == PICKLE_DICT)
            items_label(pickle, i, &list);
    }
    if (err == 0)
        err = shared_settle(&list);
    if (err < 0)
        torch_storages_release(&list);
    *ret = list;
    return err;
}
