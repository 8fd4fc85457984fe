/*
 * Metadata is an object with, among others, two dicts: state_dict_metadata, of names and what is
 * to be there, a tensor's with a list of its chunks; and storage_data, of pairs of an index (fqn,
 * offset in the tensor) and a place (relative_path, offset, length). Classes are not looked at, but
 * for the members that they have.
 */
#include "formats/dcp_metadata.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void dcp_metadata_release(struct dcp_metadata *metadata)
{
    pickle_release(&metadata->pickle);
    free(metadata->pieces);
    free(metadata->objects);
    memset(metadata, 0, sizeof(*metadata));
}

/* The text that a member is; false when it is none. */
static bool text_member(const struct pickle *pickle, uint32_t object, const char *key,
                        struct pickle_text *ret)
{
    const struct pickle_node *node = &pickle->nodes[pickle_lookup(pickle, object, key)];

    if (node->kind != PICKLE_TEXT)
        return false;
    *ret = node->text;
    return true;
}

static bool number_member(const struct pickle *pickle, uint32_t object, const char *key,
                          uint64_t *ret)
{
    const struct pickle_node *node = &pickle->nodes[pickle_lookup(pickle, object, key)];

    if (node->kind != PICKLE_INTEGER)
        return false;
    *ret = node->integer;
    return true;
}

static int malformed(const char *what)
{
    return tfs_fail(-EUCLEAN, ".metadata: %s", what);
}

static int piece_read(const struct pickle *pickle, uint32_t index, uint32_t place,
                      struct dcp_piece *ret)
{
    uint64_t end;

    if (!text_member(pickle, index, "fqn", &ret->tensor) ||
        !text_member(pickle, place, "relative_path", &ret->file) ||
        !number_member(pickle, place, "offset", &ret->offset) ||
        !number_member(pickle, place, "length", &ret->size) ||
        tfs_add_overflows(ret->offset, ret->size, &end))
        return malformed("a piece without a place");
    return 0;
}

static int pieces_read(struct dcp_metadata *metadata, uint32_t storage_data)
{
    const struct pickle *pickle = &metadata->pickle;
    uint32_t cell = pickle_items(pickle, storage_data);
    int err = 0;

    metadata->pieces =
        calloc(pickle->nodes[storage_data].item_count / 2 + 1, sizeof(*metadata->pieces));
    if (!metadata->pieces)
        return -ENOMEM;
    while (err == 0 && cell) {
        const uint32_t value = pickle->cells[cell].next;

        if (value == 0)
            return malformed("a key without a value");
        err = piece_read(pickle, pickle->cells[cell].node, pickle->cells[value].node,
                         &metadata->pieces[metadata->piece_count++]);
        cell = pickle->cells[value].next;
    }
    return err;
}

static int objects_read(struct dcp_metadata *metadata, uint32_t state_dict)
{
    const struct pickle *pickle = &metadata->pickle;
    uint32_t cell = pickle_items(pickle, state_dict);

    metadata->objects =
        calloc(pickle->nodes[state_dict].item_count / 2 + 1, sizeof(*metadata->objects));
    if (!metadata->objects)
        return -ENOMEM;
    while (cell) {
        const struct pickle_node *name = &pickle->nodes[pickle->cells[cell].node];
        const uint32_t value = pickle->cells[cell].next;
        struct dcp_object *object = &metadata->objects[metadata->object_count++];
        uint32_t chunks;

        if (value == 0 || name->kind != PICKLE_TEXT)
            return malformed("an object without a name");
        chunks = pickle_lookup(pickle, pickle->cells[value].node, "chunks");
        *object = (struct dcp_object){.name = name->text,
                                      .piece_count = chunks ? pickle->nodes[chunks].item_count : 1};
        cell = pickle->cells[value].next;
    }
    return 0;
}

static int piece_compare(const void *a, const void *b)
{
    const struct dcp_piece *left = a;
    const struct dcp_piece *right = b;
    int order = pickle_text_compare(left->file, right->file);

    return order ? order : (left->offset > right->offset) - (left->offset < right->offset);
}

static int object_compare(const void *a, const void *b)
{
    return pickle_text_compare(((const struct dcp_object *)a)->name,
                               ((const struct dcp_object *)b)->name);
}

static void stored_count(struct dcp_metadata *metadata)
{
    for (size_t i = 0; metadata->object_count > 0 && i < metadata->piece_count; i++) {
        const struct dcp_object wanted = {.name = metadata->pieces[i].tensor};
        struct dcp_object *object = bsearch(&wanted, metadata->objects, metadata->object_count,
                                            sizeof(wanted), object_compare);

        if (object)
            object->stored_count++;
    }
}

static int members_read(struct dcp_metadata *metadata)
{
    const struct pickle *pickle = &metadata->pickle;
    uint32_t storage_data = pickle_lookup(pickle, pickle->root, "storage_data");
    uint32_t state_dict = pickle_lookup(pickle, pickle->root, "state_dict_metadata");
    int err;

    if (pickle->nodes[storage_data].kind != PICKLE_DICT ||
        pickle->nodes[state_dict].kind != PICKLE_DICT)
        return tfs_fail(-EOPNOTSUPP, ".metadata: a pickle of something else");
    err = pieces_read(metadata, storage_data);
    if (err == 0)
        err = objects_read(metadata, state_dict);
    if (err < 0)
        return err;
    if (metadata->piece_count > 0)
        qsort(metadata->pieces, metadata->piece_count, sizeof(*metadata->pieces), piece_compare);
    if (metadata->object_count > 0)
        qsort(metadata->objects, metadata->object_count, sizeof(*metadata->objects),
              object_compare);
    stored_count(metadata);
    return 0;
}

int dcp_metadata_read(const void *data, size_t size, const struct format_source *source,
                      struct dcp_metadata *ret)
{
    struct dcp_metadata metadata = {.pieces = NULL};
    int err = pickle_read(data, size, source, &metadata.pickle);

    if (err == 0)
        err = members_read(&metadata);
    if (err < 0) {
        dcp_metadata_release(&metadata);
        return err;
    }
    *ret = metadata;
    return 0;
}
