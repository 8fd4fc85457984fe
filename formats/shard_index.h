/*
 * The index of a model that is saved in several files, as libraries of the hub write it
 * (model.safetensors.index.json): {"metadata": {...}, "weight_map": {tensor: file, ...}}. The
 * specification is huggingface_hub's serialization/_torch.py, save_torch_state_dict.
 */
#ifndef TFS_FORMATS_SHARD_INDEX_H
#define TFS_FORMATS_SHARD_INDEX_H

#include "store/base/defs.h"

struct shard_entry {
    char *tensor;
    char *file;
};

struct shard_index {
    struct shard_entry *entries; /* ascending by file, then by tensor */
    size_t count;
    size_t capacity;
};

/*
 * Read an index.
 *
 * Ownership: *ret is released with shard_index_release. *ret_reason, set on -EUCLEAN, is static.
 * Errors:    -EUCLEAN, -ENOMEM.
 */
TFS_MUST_CHECK int shard_index_read(const char *text, size_t size, struct shard_index *ret,
                                    const char **ret_reason);
void shard_index_release(struct shard_index *index);

#endif
