/*
 * Zip archives (PKWARE APPNOTE 6.3.10) as torch.save and numpy.savez write them: entries stored
 * without compression. Local headers of torch carry no sizes, so everything comes from the central
 * directory; what a storage is comes from data.pkl.
 */
#include "tools/validate/format.h"
#include "tools/validate/pickle.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22,
    END_COMMENT_BYTES_MAX = 65535,
    END64_LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    EXTRA_ZIP64 = 1,
};

struct directory {
    uint64_t offset;
    uint64_t size;
    uint64_t entry_count;
};

struct entry {
    const char *name; /* in the directory's bytes, not terminated */
    size_t name_size;
    uint64_t offset; /* of the data */
    uint64_t size;   /* as stored */
    bool is_stored;
    bool is_used; /* as a tensor */
};

struct archive {
    const struct format_source *source;
    struct tensor_list *list;
    uint8_t *directory;
    struct entry *entries;
    size_t entry_count;
};

/* The zip64 record that the locator before the end record points to. */
static int directory64_find(const struct archive *archive, uint64_t end_offset,
                            struct directory *ret)
{
    uint8_t locator[END64_LOCATOR_BYTES];
    uint8_t end[END64_BYTES];
    int err;

    if (end_offset < END64_LOCATOR_BYTES)
        return format_list_malformed(archive->list, "zip64 without a locator");
    err = format_read(archive->source, archive->list, end_offset - END64_LOCATOR_BYTES, locator,
                      sizeof(locator));
    if (err < 0)
        return err;
    if (memcmp(locator, "PK\6\7", 4) != 0)
        return format_list_malformed(archive->list, "zip64 without a locator");
    err = format_read(archive->source, archive->list, tfs_get_le64(locator + 8), end, sizeof(end));
    if (err < 0)
        return err;
    if (memcmp(end, "PK\6\6", 4) != 0)
        return format_list_malformed(archive->list, "bad zip64 end record");
    ret->entry_count = tfs_get_le64(end + 32);
    ret->size = tfs_get_le64(end + 40);
    ret->offset = tfs_get_le64(end + 48);
    return 0;
}

static int directory_of_end(const struct archive *archive, const uint8_t *end, uint64_t end_offset,
                            struct directory *ret)
{
    ret->entry_count = tfs_get_le16(end + 10);
    ret->size = tfs_get_le32(end + 12);
    ret->offset = tfs_get_le32(end + 16);
    if (ret->entry_count == 0xFFFF || ret->size == 0xFFFFFFFFu || ret->offset == 0xFFFFFFFFu)
        return directory64_find(archive, end_offset, ret);
    return 0;
}

/* The end record is the last one whose comment ends with the file. */
static int directory_find(const struct archive *archive, struct directory *ret)
{
    const uint64_t file_size = archive->source->size;
    size_t size = (size_t)tfs_min_u64(file_size, END_BYTES + END_COMMENT_BYTES_MAX);
    uint8_t *tail = malloc(size + 1);
    int err = -ENOMEM;

    if (!tail)
        return -ENOMEM;
    err = format_read(archive->source, archive->list, file_size - size, tail, size);
    if (err < 0)
        goto out;
    err = 1;
    for (size_t at = size; at >= END_BYTES && err == 1; at--) {
        const uint8_t *end = tail + at - END_BYTES;

        if (memcmp(end, "PK\5\6", 4) == 0 && tfs_get_le16(end + 20) == size - at)
            err = directory_of_end(archive, end, file_size - size + at - END_BYTES, ret);
    }
    if (err == 1)
        err = format_list_malformed(archive->list, "no end record");
out:
    free(tail);
    return err;
}

/* Fields that did not fit 32 bits stand in the zip64 extra field, in this order. */
static int extra64_apply(const uint8_t *extra, size_t extra_size, bool has_length,
                         struct entry *entry)
{
    const bool has_size = entry->size == 0xFFFFFFFFu;
    const bool has_offset = entry->offset == 0xFFFFFFFFu;

    while (extra_size >= 4) {
        size_t field_size = tfs_get_le16(extra + 2);
        const uint8_t *at = extra + 4;
        const uint8_t *end = at + field_size;

        if (field_size > extra_size - 4)
            return -EUCLEAN;
        extra += 4 + field_size;
        extra_size -= 4 + field_size;
        if (tfs_get_le16(at - 4) != EXTRA_ZIP64)
            continue;
        if (end - at < 8 * (has_length + has_size + has_offset))
            return -EUCLEAN;
        at += has_length ? 8 : 0; /* before compression */
        if (has_size)
            entry->size = tfs_get_le64(at);
        at += has_size ? 8 : 0;
        if (has_offset)
            entry->offset = tfs_get_le64(at);
        return 0;
    }
    return has_size || has_offset ? -EUCLEAN : 0;
}

/* From the local header's offset to the data's: names and extra fields there have lengths of their
 * own. */
static int entry_locate(const struct archive *archive, struct entry *entry)
{
    uint8_t local[LOCAL_BYTES];
    uint64_t skip;
    int err = format_read(archive->source, archive->list, entry->offset, local, sizeof(local));

    if (err < 0)
        return err;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return format_list_malformed(archive->list, "no local header of '%.*s'",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    skip = (uint64_t)LOCAL_BYTES + tfs_get_le16(local + 26) + tfs_get_le16(local + 28);
    if (tfs_add_overflows(entry->offset, skip, &entry->offset) ||
        entry->offset > archive->source->size ||
        entry->size > archive->source->size - entry->offset)
        return format_list_malformed(archive->list, "'%.*s' ends behind the file",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    return 0;
}

/* Returns: the bytes of the record at `at`. */
static ssize_t entry_parse(const struct archive *archive, const uint8_t *at, size_t size,
                           struct entry *entry)
{
    size_t name_size;
    size_t extra_size;
    size_t record_size;
    bool is_encrypted;
    int err;

    if (size < CENTRAL_BYTES || memcmp(at, "PK\1\2", 4) != 0)
        return format_list_malformed(archive->list, "bad directory entry");
    name_size = tfs_get_le16(at + 28);
    extra_size = tfs_get_le16(at + 30);
    record_size = CENTRAL_BYTES + name_size + extra_size + tfs_get_le16(at + 32);
    if (record_size > size)
        return format_list_malformed(archive->list, "bad directory entry");
    is_encrypted = tfs_get_le16(at + 8) & 1;
    entry->name = (const char *)at + CENTRAL_BYTES;
    entry->name_size = name_size;
    entry->is_stored = tfs_get_le16(at + 10) == 0 && !is_encrypted;
    entry->size = tfs_get_le32(at + 20);
    entry->offset = tfs_get_le32(at + 42);
    err = extra64_apply(at + CENTRAL_BYTES + name_size, extra_size,
                        tfs_get_le32(at + 24) == 0xFFFFFFFFu, entry);
    if (err < 0)
        return format_list_malformed(archive->list, "bad zip64 field");
    err = entry_locate(archive, entry);
    return err < 0 ? err : (ssize_t)record_size;
}

static int directory_read(struct archive *archive, const struct directory *directory)
{
    size_t at = 0;
    int err;

    if (directory->size > FORMAT_HEADER_BYTES_MAX ||
        directory->entry_count > FORMAT_TENSOR_COUNT_MAX ||
        directory->entry_count * CENTRAL_BYTES > directory->size)
        return format_list_malformed(archive->list, "a directory of %llu entries in %llu bytes",
                                     (unsigned long long)directory->entry_count,
                                     (unsigned long long)directory->size);
    archive->directory = malloc(directory->size + 1);
    archive->entries = calloc(directory->entry_count + 1, sizeof(*archive->entries));
    if (!archive->directory || !archive->entries)
        return -ENOMEM;
    err = format_read(archive->source, archive->list, directory->offset, archive->directory,
                      directory->size);
    if (err < 0)
        return err;
    for (uint64_t i = 0; i < directory->entry_count; i++) {
        ssize_t size = entry_parse(archive, archive->directory + at, directory->size - at,
                                   &archive->entries[i]);

        if (size < 0)
            return (int)size;
        at += (size_t)size;
        archive->entry_count++;
    }
    return 0;
}

static bool name_ends_with(const struct entry *entry, const char *ending)
{
    size_t size = strlen(ending);

    return entry->name_size >= size &&
           memcmp(entry->name + entry->name_size - size, ending, size) == 0;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    size_t size = left->name_size < right->name_size ? left->name_size : right->name_size;
    int order = memcmp(left->name, right->name, size);

    return order ? order
                 : (left->name_size > right->name_size) - (left->name_size < right->name_size);
}

/* The entries are sorted by name. */
static struct entry *entry_find(const struct archive *archive, const char *name, size_t name_size)
{
    struct entry wanted = {.name = name, .name_size = name_size};

    return bsearch(&wanted, archive->entries, archive->entry_count, sizeof(wanted), entry_compare);
}

/* <archive>/data/<key>, named with the tensor's label where there is one. */
static int storage_add(const struct archive *archive, const struct entry *pickle,
                       const struct pickle_storage *storage)
{
    const size_t prefix_size = pickle->name_size - strlen("data.pkl");
    char name[FORMAT_NAME_BYTES_MAX];
    struct tensor tensor = {.dtype = storage->dtype};
    struct entry *entry;
    uint64_t size;
    int name_size = snprintf(name, sizeof(name), "%.*sdata/%.*s", (int)prefix_size, pickle->name,
                             (int)tfs_min_u64(storage->key.size, 100), storage->key.at);

    if (name_size < 0 || (size_t)name_size >= sizeof(name))
        return format_list_malformed(archive->list, "a name of %d bytes", name_size);
    entry = entry_find(archive, name, (size_t)name_size);
    if (!entry)
        return format_list_malformed(archive->list, "storage '%s' is missing", name);
    if (entry->is_used || !entry->is_stored)
        return 0; /* tensors may share a storage; a compressed one is not to be read as elements */
    entry->is_used = true;
    tensor.offset = entry->offset;
    tensor.size = entry->size;
    if (storage->element_size > 0 &&
        (tfs_mul_overflows(storage->element_count, storage->element_size, &size) ||
         size != entry->size))
        return format_list_malformed(archive->list, "storage '%s' has not the size of its elements",
                                     name);
    if (storage->label.size > 0 && storage->label.size < 1024)
        (void)snprintf(name + name_size, sizeof(name) - (size_t)name_size, " (%.*s)",
                       (int)storage->label.size, storage->label.at); /* cut if too long */
    return format_list_add(archive->list, name, strlen(name), &tensor);
}

static int entry_read(const struct archive *archive, const struct entry *entry, uint8_t **ret)
{
    uint8_t *bytes;
    int err;

    if (!entry->is_stored || entry->size > FORMAT_HEADER_BYTES_MAX)
        return format_list_malformed(archive->list, "'%.*s' is compressed or too large",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    bytes = malloc(entry->size + 1);
    if (!bytes)
        return -ENOMEM;
    err = format_read(archive->source, archive->list, entry->offset, bytes, entry->size);
    if (err < 0) {
        free(bytes);
        return err;
    }
    *ret = bytes;
    return 0;
}

/* <archive>/byteorder holds "little" or "big"; old files have none and are little. */
static int is_big_endian(const struct archive *archive, const struct entry *pickle, bool *ret)
{
    char name[FORMAT_NAME_BYTES_MAX];
    const struct entry *entry;
    uint8_t *bytes = NULL;
    int size =
        snprintf(name, sizeof(name), "%.*sbyteorder",
                 (int)tfs_min_u64(pickle->name_size - strlen("data.pkl"), 1024), pickle->name);
    int err;

    *ret = false;
    entry = entry_find(archive, name, (size_t)size);
    if (!entry)
        return 0;
    err = entry_read(archive, entry, &bytes);
    if (err < 0)
        return err;
    *ret = entry->size == 3 && memcmp(bytes, "big", 3) == 0;
    free(bytes);
    return 0;
}

static int torch_tensors(const struct archive *archive, const struct entry *pickle)
{
    struct pickle_storage_list storages;
    bool big_endian;
    uint8_t *bytes = NULL;
    int err = is_big_endian(archive, pickle, &big_endian);

    archive->list->format = "torch";
    if (err == 0)
        err = entry_read(archive, pickle, &bytes);
    if (err < 0)
        return err;
    err = pickle_find_storages(bytes, pickle->size, &storages);
    if (err == -EUCLEAN)
        err = format_list_malformed(archive->list, "data.pkl is not one that torch writes");
    for (size_t i = 0; err == 0 && i < storages.count; i++) {
        if (big_endian)
            storages.storages[i].dtype = GPU_BYTES;
        err = storage_add(archive, pickle, &storages.storages[i]);
    }
    free(storages.storages);
    free(bytes);
    return err;
}

static int entry_tensor(const struct archive *archive, const struct entry *entry)
{
    char name[FORMAT_NAME_BYTES_MAX];

    if (!name_ends_with(entry, ".npy") || !entry->is_stored || entry->name_size >= sizeof(name))
        return 0;
    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    return format_npy(archive->source, entry->offset, entry->size, name, archive->list);
}

static int archive_tensors(struct archive *archive)
{
    int err = 0;

    if (archive->entry_count > 0)
        qsort(archive->entries, archive->entry_count, sizeof(*archive->entries), entry_compare);
    for (size_t i = 0; i < archive->entry_count; i++) {
        const struct entry *entry = &archive->entries[i];

        if (name_ends_with(entry, "/data.pkl"))
            return torch_tensors(archive, entry);
    }
    for (size_t i = 0; err == 0 && i < archive->entry_count; i++)
        err = entry_tensor(archive, &archive->entries[i]);
    return err;
}

int format_zip(const struct format_source *source, struct tensor_list *list)
{
    struct archive archive = {.source = source, .list = list};
    struct directory directory = {0, 0, 0};
    int err = directory_find(&archive, &directory);

    if (err == 0)
        err = directory_read(&archive, &directory);
    if (err == 0)
        err = archive_tensors(&archive);
    free(archive.entries);
    free(archive.directory);
    return err;
}
