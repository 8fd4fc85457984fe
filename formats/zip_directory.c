/*
 * Entries of a directory. Local headers of torch carry no sizes, so everything but the place of the
 * data comes from the directory; that comes from the local header, whose name and extra fields have
 * lengths of their own.
 */
#include "formats/zip_directory.h"

#include "formats/zip_layout.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { METHOD_STORED = 0, METHOD_DEFLATED = 8 };

/* Fields that did not fit 32 bits stand in the zip64 extra field, in this order. */
static int extra64_apply(const uint8_t *extra, size_t extra_size, bool has_length,
                         struct zip_entry *entry)
{
    const bool has_size = entry->size == ZIP_LIMIT_32;
    const bool has_offset = entry->header_offset == ZIP_LIMIT_32;

    while (extra_size >= 4) {
        size_t field_size = tfs_get_le16(extra + 2);
        const uint8_t *at = extra + 4;
        const uint8_t *end = at + field_size;

        if (field_size > extra_size - 4)
            return -EUCLEAN;
        extra += 4 + field_size;
        extra_size -= 4 + field_size;
        if (tfs_get_le16(at - 4) != ZIP_EXTRA_ZIP64)
            continue;
        if (end - at < 8 * (has_length + has_size + has_offset))
            return -EUCLEAN;
        if (has_length)
            entry->raw_size = tfs_get_le64(at);
        at += has_length ? 8 : 0;
        if (has_size)
            entry->size = tfs_get_le64(at);
        at += has_size ? 8 : 0;
        if (has_offset)
            entry->header_offset = tfs_get_le64(at);
        return 0;
    }
    return has_size || has_offset ? -EUCLEAN : 0;
}

int zip_entry_locate(const struct zip_directory *directory, struct zip_entry *entry)
{
    uint8_t local[ZIP_LOCAL_BYTES];
    uint64_t skip;
    int err = tensor_list_read(directory->list, &directory->source, entry->header_offset, local,
                               sizeof(local));

    if (err < 0)
        return err;
    if (tfs_get_le32(local) != ZIP_LOCAL_SIGNATURE)
        return tensor_list_malformed(directory->list, "no local header of '%.*s'",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    skip = (uint64_t)ZIP_LOCAL_BYTES + tfs_get_le16(local + ZIP_LOCAL_NAME_SIZE) +
           tfs_get_le16(local + ZIP_LOCAL_EXTRA_SIZE);
    if (tfs_add_overflows(entry->header_offset, skip, &entry->offset) ||
        entry->offset > directory->source.size ||
        entry->size > directory->source.size - entry->offset)
        return tensor_list_malformed(directory->list, "'%.*s' ends behind the file",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    return 0;
}

/* Returns: the bytes of the record at `at`. */
static ssize_t entry_parse(const struct zip_directory *directory, const uint8_t *at, size_t size,
                           struct zip_entry *entry)
{
    size_t name_size;
    size_t extra_size;
    size_t record_size;
    bool is_encrypted;
    int err;

    if (size < ZIP_CENTRAL_BYTES || tfs_get_le32(at) != ZIP_CENTRAL_SIGNATURE)
        return tensor_list_malformed(directory->list, "bad directory entry");
    name_size = tfs_get_le16(at + ZIP_CENTRAL_NAME_SIZE);
    extra_size = tfs_get_le16(at + ZIP_CENTRAL_EXTRA_SIZE);
    record_size =
        ZIP_CENTRAL_BYTES + name_size + extra_size + tfs_get_le16(at + ZIP_CENTRAL_COMMENT_SIZE);
    if (record_size > size)
        return tensor_list_malformed(directory->list, "bad directory entry");
    is_encrypted = tfs_get_le16(at + ZIP_CENTRAL_FLAGS) & 1;
    entry->name = (const char *)at + ZIP_CENTRAL_BYTES;
    entry->name_size = name_size;
    entry->is_stored = tfs_get_le16(at + ZIP_CENTRAL_METHOD) == METHOD_STORED && !is_encrypted;
    entry->is_deflated = tfs_get_le16(at + ZIP_CENTRAL_METHOD) == METHOD_DEFLATED && !is_encrypted;
    entry->raw_size = tfs_get_le32(at + ZIP_CENTRAL_RAW_SIZE);
    entry->crc = tfs_get_le32(at + ZIP_CENTRAL_CRC);
    entry->size = tfs_get_le32(at + ZIP_CENTRAL_SIZE);
    entry->header_offset = tfs_get_le32(at + ZIP_CENTRAL_OFFSET);
    err = extra64_apply(at + ZIP_CENTRAL_BYTES + name_size, extra_size,
                        tfs_get_le32(at + ZIP_CENTRAL_RAW_SIZE) == ZIP_LIMIT_32, entry);
    return err < 0 ? tensor_list_malformed(directory->list, "bad zip64 field")
                   : (ssize_t)record_size;
}

static int entry_compare(const void *a, const void *b)
{
    const struct zip_entry *left = a;
    const struct zip_entry *right = b;
    size_t size = left->name_size < right->name_size ? left->name_size : right->name_size;
    int order = memcmp(left->name, right->name, size);

    return order ? order
                 : (left->name_size > right->name_size) - (left->name_size < right->name_size);
}

static int entries_read(struct zip_directory *directory, const struct zip_archive *place)
{
    const uint64_t size = place->directory_size;
    const uint64_t count = place->entry_count;
    size_t at = 0;
    int err;

    if (size > FORMAT_HEADER_BYTES_MAX || count > FORMAT_TENSOR_COUNT_MAX ||
        count * ZIP_CENTRAL_BYTES > size)
        return tensor_list_malformed(directory->list, "a directory of %llu entries in %llu bytes",
                                     (unsigned long long)count, (unsigned long long)size);
    directory->bytes = malloc(size + 1);
    directory->entries = calloc(count + 1, sizeof(*directory->entries));
    if (!directory->bytes || !directory->entries)
        return -ENOMEM;
    err = tensor_list_read(directory->list, &directory->source,
                           place->directory_offset - place->begin, directory->bytes, size);
    if (err < 0)
        return err;
    for (uint64_t i = 0; i < count; i++) {
        ssize_t entry_size =
            entry_parse(directory, directory->bytes + at, size - at, &directory->entries[i]);

        if (entry_size < 0)
            return (int)entry_size;
        at += (size_t)entry_size;
        directory->entry_count++;
    }
    return 0;
}

int zip_directory_read(const struct format_source *source, const struct zip_archive *place,
                       struct tensor_list *list, struct zip_directory *ret)
{
    int err;

    *ret = (struct zip_directory){.list = list};
    format_source_of_part(source, place->begin, place->end - place->begin, &ret->source);
    err = entries_read(ret, place);
    if (err == 0 && ret->entry_count > 0)
        qsort(ret->entries, ret->entry_count, sizeof(*ret->entries), entry_compare);
    return err;
}

void zip_directory_release(struct zip_directory *directory)
{
    free(directory->entries);
    free(directory->bytes);
    memset(directory, 0, sizeof(*directory));
}

bool zip_entry_ends_with(const struct zip_entry *entry, const char *ending)
{
    size_t size = strlen(ending);

    return entry->name_size >= size &&
           memcmp(entry->name + entry->name_size - size, ending, size) == 0;
}

struct zip_entry *zip_entry_find(const struct zip_directory *directory, const char *name,
                                 size_t name_size)
{
    struct zip_entry wanted = {.name = name, .name_size = name_size};

    if (directory->entry_count == 0)
        return NULL;
    return bsearch(&wanted, directory->entries, directory->entry_count, sizeof(wanted),
                   entry_compare);
}

struct zip_entry *zip_entry_find_ending(const struct zip_directory *directory, const char *ending)
{
    for (size_t i = 0; i < directory->entry_count; i++) {
        if (zip_entry_ends_with(&directory->entries[i], ending))
            return &directory->entries[i];
    }
    return NULL;
}

int zip_entry_read(const struct zip_directory *directory, const struct zip_entry *entry,
                   uint8_t **ret)
{
    uint8_t *bytes;
    int err;

    if (!entry->is_stored || entry->size > FORMAT_HEADER_BYTES_MAX)
        return tfs_fail(-EOPNOTSUPP, "'%.*s' is compressed or too large",
                        (int)tfs_min_u64(entry->name_size, 100), entry->name);
    bytes = malloc(entry->size + 1);
    if (!bytes)
        return -ENOMEM;
    err = tensor_list_read(directory->list, &directory->source, entry->offset, bytes, entry->size);
    if (err < 0) {
        free(bytes);
        return err;
    }
    *ret = bytes;
    return 0;
}
