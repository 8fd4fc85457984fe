#include "formats/torch_names.h"

#include "formats/pickle.h"
#include "formats/zip_directory.h"

#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void torch_names_release(struct torch_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    memset(names, 0, sizeof(*names));
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Keys stand before their values. An OrderedDict is a call whose items were set. */
static int keys_collect(const struct pickle *pickle, struct torch_names *names)
{
    const struct pickle_node *root = &pickle->nodes[pickle->root];

    if (root->kind != PICKLE_DICT && root->kind != PICKLE_CALL)
        return tfs_fail(-EOPNOTSUPP, "data.pkl: no dict");
    names->names = calloc(root->item_count / 2 + 1, sizeof(char *));
    if (!names->names)
        return -ENOMEM;
    for (uint32_t cell = pickle_items(pickle, pickle->root); cell;) {
        const struct pickle_node *key = &pickle->nodes[pickle->cells[cell].node];
        const uint32_t value = pickle->cells[cell].next;

        if (key->kind != PICKLE_TEXT || value == 0)
            return tfs_fail(-EOPNOTSUPP, "data.pkl: a key that is no name");
        names->names[names->count] = strndup(key->text.at, key->text.size);
        if (!names->names[names->count])
            return -ENOMEM;
        names->count++;
        cell = pickle->cells[value].next;
    }
    if (names->count > 0)
        qsort(names->names, names->count, sizeof(char *), name_compare);
    return 0;
}

static int pickle_names(const struct zip_directory *directory, const struct zip_entry *entry,
                        struct torch_names *names)
{
    struct pickle pickle;
    uint8_t *bytes = NULL;
    int err = zip_entry_read(directory, entry, &bytes);

    if (err < 0)
        return err;
    err = pickle_read(bytes, entry->size, &directory->source, &pickle);
    if (err == 0)
        err = keys_collect(&pickle, names);
    pickle_release(&pickle);
    free(bytes);
    return err;
}

static int archive_names(const struct format_source *source, const struct zip_archive *place,
                         struct tensor_list *list, struct torch_names *names)
{
    struct zip_directory directory;
    struct zip_entry *entry = NULL;
    int err = zip_directory_read(source, place, list, &directory);

    if (err == 0) {
        entry = zip_entry_find_ending(&directory, "/data.pkl");
        err = entry ? zip_entry_locate(&directory, entry)
                    : tfs_fail(-EOPNOTSUPP, "an archive without data.pkl");
    }
    if (err == 0)
        err = pickle_names(&directory, entry, names);
    zip_directory_release(&directory);
    return err;
}

int torch_names_find(const struct format_source *source, struct torch_names *ret)
{
    struct torch_names names = {.names = NULL};
    struct tensor_list list; /* for the reasons */
    struct zip_archive place;
    unsigned refused = 0;
    int found;
    int err;

    tensor_list_init(&list);
    found = zip_end_find(source, &list, source->size, &refused, &place);
    if (found < 0)
        err = found;
    else if (found == 0 || place.begin != 0)
        err = tfs_fail(-EOPNOTSUPP, "no archive, or several");
    else
        err = archive_names(source, &place, &list, &names);
    tensor_list_release(&list);
    if (err < 0) {
        torch_names_release(&names);
        return err;
    }
    *ret = names;
    return 0;
}
