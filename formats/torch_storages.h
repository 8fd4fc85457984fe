/*
 * The storages that a torch checkpoint's pickle names: bytes that lie elsewhere, each with the type
 * of its elements.
 */
#ifndef TFS_FORMATS_TORCH_STORAGES_H
#define TFS_FORMATS_TORCH_STORAGES_H

#include "formats/dtype.h"
#include "formats/pickle.h"

struct torch_storage {
    struct pickle_text key;   /* in a zip the entry is <archive>/data/<key> */
    struct pickle_text label; /* what the tensor is called in its dict; empty when in none */
    uint32_t node;            /* of the persistent id */
    enum dtype dtype;         /* DTYPE_BYTES when unknown, or when tensors differ about it */
    uint32_t element_size;    /* bytes of one of the counted elements, 0 when unknown */
    uint64_t element_count;
    bool is_told; /* its dtype, by a tensor */
};

struct torch_storage_list {
    struct torch_storage *storages; /* as often as they are named, in that order */
    size_t count;
    size_t capacity;
};

/*
 * Collect the storages of a pickle.
 *
 * Ownership: *ret is freed with torch_storages_release; texts are the pickle's. On failure it is
 *            empty.
 * Errors:    -EOPNOTSUPP (persistent ids that are no storages, or too many), -ENOMEM.
 */
TFS_MUST_CHECK int torch_storages_find(const struct pickle *pickle, struct torch_storage_list *ret);
void torch_storages_release(struct torch_storage_list *list);

#endif
