/*
 * A shard that is there but damaged is its own problem and not the index's.
 */
#include "tools/validate/completeness.h"

#include "formats/dcp_metadata.h"
#include "formats/shard_index.h"
#include "formats/torch_names.h"
#include "store/base/error.h"
#include "tools/validate/sibling.h"
#include "tools/validate/tensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All of the file. Returns: 0 and nothing, *ret NULL, when it cannot be read, which is a problem of
 * its blocks. Errors: -ENOMEM, -EINTR. */
static int content_read(struct validate_file *file, const struct format_source *source, char **ret)
{
    int err = format_source_read_all(source, ret);

    if (err == 0 || err == -ENOMEM || err == -EINTR)
        return err;
    *ret = NULL;
    if (err == -EFBIG)
        validate_file_problem(file, VALIDATE_MALFORMED, 0, 0, 0,
                              "with %llu bytes it is too large to be read: whether the checkpoint "
                              "is complete cannot be told",
                              (unsigned long long)file->size);
    return 0;
}

static int name_compare(const void *key, const void *element)
{
    return strcmp(key, *(char *const *)element);
}

static int names_sort_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Are the tensors of these entries, all of one shard, among the names, which are ascending? */
static void names_check(struct validate_file *file, const struct shard_entry *entries, size_t count,
                        char *const *names, size_t name_count)
{
    const char *first = NULL;
    size_t missing = 0;

    for (size_t i = 0; i < count; i++) {
        if (name_count > 0 &&
            bsearch(entries[i].tensor, names, name_count, sizeof(char *), name_compare))
            continue;
        first = missing++ == 0 ? entries[i].tensor : first;
    }
    if (missing > 0)
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                              "%zu of %zu tensors are not in '%.100s', the first '%.100s'", missing,
                              count, entries->file, first);
}

static int list_names_check(struct validate_file *file, const struct shard_entry *entries,
                            size_t count, const struct tensor_list *list)
{
    char **names = calloc(list->count + 1, sizeof(char *));

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        names[i] = list->tensors[i].name;
    if (list->count > 0)
        qsort(names, list->count, sizeof(char *), names_sort_compare);
    names_check(file, entries, count, names, list->count);
    free(names);
    return 0;
}

/* safetensors name all their tensors. */
static int safetensors_check(struct validate_file *file, const struct shard_entry *entries,
                             size_t count, const struct format_source *source)
{
    struct tensor_list list;
    int err = validate_tensors_find(source, entries->file, &list);

    if (err == 0)
        err = list_names_check(file, entries, count, &list);
    tensor_list_release(&list);
    return err;
}

/* In other shards torch's names are looked for; what has none says nothing. */
static int torch_check(struct validate_file *file, const struct shard_entry *entries, size_t count,
                       const struct format_source *source)
{
    struct torch_names names;
    int err = torch_names_find(source, &names);

    if (err < 0)
        return err;
    names_check(file, entries, count, names.names, names.count);
    torch_names_release(&names);
    return 0;
}

/* What is wrong with the shard itself is its own problem. */
static int shard_open_check(struct validate_file *file, const struct shard_entry *entries,
                            size_t count, int fd, uint64_t size)
{
    struct format_source source;
    int err;

    validate_source_of_file(fd, size, &source);
    err = sibling_ends_with(entries->file, ".safetensors")
              ? safetensors_check(file, entries, count, &source)
              : torch_check(file, entries, count, &source);
    return err == -ENOMEM || err == -EINTR ? err : 0;
}

/* `count` entries of one shard. */
static int shard_check(struct validate_file *file, const struct shard_entry *entries, size_t count)
{
    uint64_t size = 0;
    int fd = sibling_open(file->path, entries->file, &size);
    int err;

    if (fd < 0) {
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                              "'%.100s' with %zu tensors, the first '%.100s', %s%s", entries->file,
                              count, entries->tensor,
                              fd == -ENOENT ? "is missing" : "cannot be opened: ",
                              fd == -ENOENT ? "" : tfs_error_text(fd));
        return 0;
    }
    err = shard_open_check(file, entries, count, fd, size);
    (void)close(fd); /* read only, nothing to lose */
    return err;
}

static int index_check(struct validate_file *file)
{
    struct shard_index index = {.entries = NULL};
    const char *reason = "";
    struct format_source source;
    char *content;
    int err;

    file->tensors.format = "index";
    validate_source_of_file(file->fd, file->size, &source);
    err = content_read(file, &source, &content);
    if (err < 0 || !content)
        return err;
    err = shard_index_read(content, file->size, &index, &reason);
    free(content);
    if (err == -EUCLEAN)
        validate_file_problem(file, VALIDATE_MALFORMED, 0, 0, 0, "malformed index: %s", reason);
    for (size_t first = 0, end; err == 0 && first < index.count; first = end) {
        for (end = first + 1;
             end < index.count && strcmp(index.entries[end].file, index.entries[first].file) == 0;
             end++)
            ;
        err = shard_check(file, index.entries + first, end - first);
    }
    shard_index_release(&index);
    return err == -EUCLEAN ? 0 : err;
}

/* A name from a pickle, cut to what a line can bear. */
#define TEXT(text) (int)tfs_min_u64((text).size, 100), (text).at

/* `count` pieces of one file, in the order of their offsets. */
static void pieces_check(struct validate_file *file, const struct dcp_piece *pieces, size_t count)
{
    char *name = strndup(pieces->file.at, pieces->file.size);
    const struct dcp_piece *first = NULL;
    uint64_t size = 0;
    size_t behind = 0;
    int fd = name ? sibling_open(file->path, name, &size) : -ENOMEM;

    free(name);
    if (fd < 0) {
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                              "'%.*s' with %zu pieces, the first of '%.*s', %s%s",
                              TEXT(pieces->file), count, TEXT(pieces->tensor),
                              fd == -ENOENT ? "is missing" : "cannot be opened: ",
                              fd == -ENOENT ? "" : tfs_error_text(fd));
        return;
    }
    (void)close(fd); /* read only, nothing to lose */
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].offset + pieces[i].size <= size)
            continue;
        first = behind++ == 0 ? &pieces[i] : first;
    }
    if (behind > 0)
        validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                              "'%.*s' is cut off: it has %" PRIu64
                              " bytes, and %zu of %zu pieces end behind that, the first of '%.*s' "
                              "at %" PRIu64,
                              TEXT(pieces->file), size, behind, count, TEXT(first->tensor),
                              first->offset + first->size);
}

static void metadata_files_check(struct validate_file *file, const struct dcp_metadata *metadata)
{
    const struct dcp_piece *pieces = metadata->pieces;

    for (size_t first = 0, end; first < metadata->piece_count; first = end) {
        for (end = first + 1; end < metadata->piece_count &&
                              pickle_text_compare(pieces[end].file, pieces[first].file) == 0;
             end++)
            ;
        pieces_check(file, pieces + first, end - first);
    }
    for (size_t i = 0; i < metadata->object_count; i++) {
        const struct dcp_object *object = &metadata->objects[i];

        if (object->stored_count < object->piece_count)
            validate_file_problem(file, VALIDATE_MISSING, 0, 0, 0,
                                  "%" PRIu64 " of %" PRIu64 " pieces of '%.*s' were saved nowhere",
                                  object->piece_count - object->stored_count, object->piece_count,
                                  TEXT(object->name));
    }
}

static int metadata_check(struct validate_file *file)
{
    struct dcp_metadata metadata = {.pieces = NULL};
    struct format_source source;
    char *content;
    int err;

    validate_source_of_file(file->fd, file->size, &source);
    err = content_read(file, &source, &content);
    if (err < 0 || !content)
        return err;
    err = dcp_metadata_read(content, file->size, &source, &metadata);
    if (err == 0)
        metadata_files_check(file, &metadata);
    if (err == -EUCLEAN)
        validate_file_problem(file, VALIDATE_MALFORMED, 0, 0, 0,
                              "malformed .metadata: a pickle that is cut off or damaged");
    if (err == -EOPNOTSUPP && sibling_exists(file->path, "__0_0.distcp"))
        validate_file_problem(file, VALIDATE_MALFORMED, 0, 0, 0,
                              "a .metadata that is too large or of no known kind: whether the "
                              "checkpoint is complete cannot be told");
    if (err == 0 || err == -EUCLEAN)
        file->tensors.format = "metadata";
    dcp_metadata_release(&metadata);
    free(content);
    return err == -ENOMEM || err == -EINTR ? err : 0;
}

/* There are other files called .metadata, of others. */
static bool is_dcp_metadata(const struct validate_file *file)
{
    uint8_t first = 0;

    if (strcmp(sibling_base(file->path), ".metadata") != 0)
        return false;
    if (file->size == 0)
        return sibling_exists(file->path, "__0_0.distcp");
    return pread(file->fd, &first, 1, 0) == 1 && first == 0x80;
}

int completeness_check(struct validate_file *file)
{
    if (file->fd < 0)
        return 0;
    if (sibling_ends_with(file->path, ".index.json"))
        return index_check(file);
    return is_dcp_metadata(file) ? metadata_check(file) : 0;
}
