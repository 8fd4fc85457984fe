/*
 * Storages are entries of their own, <archive>/data/<key>; what each is comes from data.pkl.
 */
#include "formats/torch_zip.h"

#include "formats/torch_storages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 4096 };

/* <archive>/data/<key>, named with the tensor's label where there is one. */
static int storage_add(const struct zip_directory *directory, const struct zip_entry *pickle,
                       const struct torch_storage *storage)
{
    const size_t prefix_size = pickle->name_size - strlen("data.pkl");
    char name[NAME_BYTES_MAX];
    struct tensor_place tensor = {.dtype = storage->dtype};
    struct zip_entry *entry;
    uint64_t size;
    int name_size = snprintf(name, sizeof(name), "%.*sdata/%.*s", (int)prefix_size, pickle->name,
                             (int)tfs_min_u64(storage->key.size, 100), storage->key.at);

    if (name_size < 0 || (size_t)name_size >= sizeof(name))
        return tensor_list_malformed(directory->list, "a name of %d bytes", name_size);
    entry = zip_entry_find(directory, name, (size_t)name_size);
    if (!entry)
        return tensor_list_malformed(directory->list, "storage '%s' is missing", name);
    if (entry->is_used || !entry->is_stored)
        return 0; /* tensors may share a storage; a compressed one is not to be read as elements */
    entry->is_used = true;
    tensor.offset = entry->offset;
    tensor.size = entry->size;
    if (storage->element_size > 0 &&
        (tfs_mul_overflows(storage->element_count, storage->element_size, &size) ||
         size != entry->size))
        return tensor_list_malformed(directory->list,
                                     "storage '%s' has not the size of its elements", name);
    if (storage->label.size > 0 && storage->label.size < 1024)
        (void)snprintf(name + name_size, sizeof(name) - (size_t)name_size, " (%.*s)",
                       (int)storage->label.size, storage->label.at); /* cut if too long */
    return tensor_list_add(directory->list, name, strlen(name), &tensor);
}

/* <archive>/byteorder holds "little" or "big"; old files have none and are little. */
static int is_big_endian(const struct zip_directory *directory, const struct zip_entry *pickle,
                         bool *ret)
{
    char name[NAME_BYTES_MAX];
    const struct zip_entry *entry;
    uint8_t *bytes = NULL;
    int size =
        snprintf(name, sizeof(name), "%.*sbyteorder",
                 (int)tfs_min_u64(pickle->name_size - strlen("data.pkl"), 1024), pickle->name);
    int err;

    *ret = false;
    entry = zip_entry_find(directory, name, (size_t)size);
    if (!entry)
        return 0;
    err = zip_entry_read(directory, entry, &bytes);
    if (err < 0)
        return err;
    *ret = entry->size == 3 && memcmp(bytes, "big", 3) == 0;
    free(bytes);
    return 0;
}

int torch_zip_find(const struct zip_directory *directory, const struct zip_entry *pickle)
{
    struct torch_storage_list storages = {0};
    struct pickle tree;
    bool big_endian = false;
    uint8_t *bytes = NULL;
    int err = zip_entry_read(directory, pickle, &bytes);

    if (err < 0)
        return err;
    err = is_big_endian(directory, pickle, &big_endian);
    if (err < 0) {
        free(bytes);
        return err;
    }
    err = pickle_read(bytes, pickle->size, &directory->source, &tree);
    if (err == -EUCLEAN)
        err = tensor_list_malformed(directory->list, "data.pkl is not one that torch writes");
    if (err == 0)
        err = torch_storages_find(&tree, &storages);
    for (size_t i = 0; err == 0 && i < storages.count; i++) {
        if (big_endian)
            storages.storages[i].dtype = DTYPE_BYTES;
        err = storage_add(directory, pickle, &storages.storages[i]);
    }
    torch_storages_release(&storages);
    pickle_release(&tree);
    free(bytes);
    return err;
}

bool torch_zip_has_no_object(const struct zip_directory *directory)
{
    static const char *const around[] = {"/version", "/byteorder", "/.data/serialization_id",
                                         "/.format_version", "/.storage_alignment"};

    for (size_t i = 0; i < directory->entry_count; i++) {
        bool is_around = false;

        for (size_t j = 0; j < TFS_ARRAY_COUNT(around); j++)
            is_around |= zip_entry_ends_with(&directory->entries[i], around[j]);
        if (!is_around)
            return false;
    }
    return directory->entry_count > 0;
}
