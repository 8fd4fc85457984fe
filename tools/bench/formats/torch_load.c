/*
 * The reader goes the way of PyTorch's: the directory at the end, then each storage's local
 * header, then its payload.
 */
#include "tools/bench/formats/torch_load.h"

#include "formats/zip_directory.h"
#include "tools/common/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES_MAX = 1024 };

/* Storage number `index`, or NULL. */
static struct zip_entry *storage_find(const struct zip_directory *directory,
                                      const struct zip_entry *pickle, size_t index)
{
    const int stem_size = (int)(pickle->name_size - strlen("data.pkl"));
    char name[NAME_BYTES_MAX];
    int size = snprintf(name, sizeof(name), "%.*sdata/%zu", stem_size, pickle->name, index);

    return size < (int)sizeof(name) ? zip_entry_find(directory, name, (size_t)size) : NULL;
}

static int storage_load(const struct source *source, const struct zip_directory *directory,
                        struct zip_entry *entry, struct tensor *tensor)
{
    int err;

    if (!entry->is_stored || entry->size != tensor->bytes)
        return source_reject(source, "a storage has another size");
    err = zip_entry_locate(directory, entry);
    if (err < 0)
        return source_complain(source, err, directory->list->reason);
    return source_read(source, entry->offset, tensor->data, tensor->bytes);
}

static int storages_load(const struct source *source, const struct zip_directory *directory,
                         struct model *into)
{
    const struct zip_entry *pickle = zip_entry_find_ending(directory, "/data.pkl");

    if (!pickle)
        return source_reject(source, "it has no data.pkl");
    for (size_t i = 0; i < into->count; i++) {
        struct zip_entry *entry = storage_find(directory, pickle, i);
        int err = entry ? storage_load(source, directory, entry, &into->tensors[i])
                        : source_reject(source, "storages are missing");

        if (err < 0)
            return err;
    }
    return storage_find(directory, pickle, into->count)
               ? source_reject(source, "it has more storages than were saved")
               : 0;
}

/* The file is one archive. */
static int archive_load(struct source *source, struct tensor_list *list, struct model *into)
{
    const struct format_source format = source_as_format(source);
    struct zip_directory directory;
    struct zip_archive place;
    unsigned refused = 0;
    int found = zip_end_find(&format, list, format.size, &refused, &place);
    int err;

    if (found < 0)
        return source_complain(source, found, list->reason);
    if (found == 0 || place.begin != 0 || place.end != format.size)
        return source_reject(source, "the archive's end is missing");
    err = zip_directory_read(&format, &place, list, &directory);
    err = err < 0 ? source_complain(source, err, list->reason)
                  : storages_load(source, &directory, into);
    zip_directory_release(&directory);
    return err;
}

int torch_load(struct model *into, const char *path, enum source_method method)
{
    tfs_cleanup(source_release) struct source source;
    struct tensor_list list; /* for what is wrong */
    int err = source_open(&source, path, method);

    if (err < 0)
        return err;
    tensor_list_init(&list);
    err = archive_load(&source, &list, into);
    tensor_list_release(&list);
    return err;
}
