/*
 * Zip archives (PKWARE APPNOTE 6.3.10) as torch.save and numpy.savez write them: entries stored
 * without compression. Local headers of torch carry no sizes, so everything comes from the central
 * directory; what a storage is comes from data.pkl.
 *
 * torch.distributed.checkpoint (*.distcp) saves each tensor by itself, archive behind archive, so a
 * file is read as a sequence of them, from the last to the first; bytes between them are nobody's
 * tensor. Where an archive began and none ends, the file is cut off or damaged. The `.metadata`
 * beside such a file is not needed: each archive knows where it begins.
 */
#include "formats/zip.h"

#include "formats/npy.h"
#include "formats/torch_storages.h"
#include "formats/zip_end.h"
#include "formats/zip_inflate.h"

#include "store/base/bytes.h"
#include "store/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    EXTRA_ZIP64 = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    ZIP_NAME_BYTES_MAX = 4096, /* of those that are looked for; others may be longer */
};

#define ARCHIVE_COUNT_MAX (1u << 20)

struct entry {
    const char *name; /* in the directory's bytes, not terminated */
    size_t name_size;
    uint64_t offset;   /* of the data */
    uint64_t size;     /* as stored */
    uint64_t raw_size; /* before compression */
    uint32_t crc;      /* CRC-32; 0 when the writer was told not to compute it */
    bool is_deflated;
    bool is_stored;
    bool is_used; /* as a tensor */
};

struct archive {
    const struct format_source *source; /* of this archive alone */
    struct tensor_list *list;
    uint8_t *directory;
    struct entry *entries;
    size_t entry_count;
};

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
        if (has_length)
            entry->raw_size = tfs_get_le64(at);
        at += has_length ? 8 : 0;
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
    int err = tensor_list_read(archive->list, archive->source, entry->offset, local, sizeof(local));

    if (err < 0)
        return err;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return tensor_list_malformed(archive->list, "no local header of '%.*s'",
                                     (int)tfs_min_u64(entry->name_size, 100), entry->name);
    skip = (uint64_t)LOCAL_BYTES + tfs_get_le16(local + 26) + tfs_get_le16(local + 28);
    if (tfs_add_overflows(entry->offset, skip, &entry->offset) ||
        entry->offset > archive->source->size ||
        entry->size > archive->source->size - entry->offset)
        return tensor_list_malformed(archive->list, "'%.*s' ends behind the file",
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
        return tensor_list_malformed(archive->list, "bad directory entry");
    name_size = tfs_get_le16(at + 28);
    extra_size = tfs_get_le16(at + 30);
    record_size = CENTRAL_BYTES + name_size + extra_size + tfs_get_le16(at + 32);
    if (record_size > size)
        return tensor_list_malformed(archive->list, "bad directory entry");
    is_encrypted = tfs_get_le16(at + 8) & 1;
    entry->name = (const char *)at + CENTRAL_BYTES;
    entry->name_size = name_size;
    entry->is_stored = tfs_get_le16(at + 10) == METHOD_STORED && !is_encrypted;
    entry->is_deflated = tfs_get_le16(at + 10) == METHOD_DEFLATED && !is_encrypted;
    entry->raw_size = tfs_get_le32(at + 24);
    entry->crc = tfs_get_le32(at + 16);
    entry->size = tfs_get_le32(at + 20);
    entry->offset = tfs_get_le32(at + 42);
    err = extra64_apply(at + CENTRAL_BYTES + name_size, extra_size,
                        tfs_get_le32(at + 24) == 0xFFFFFFFFu, entry);
    if (err < 0)
        return tensor_list_malformed(archive->list, "bad zip64 field");
    err = entry_locate(archive, entry);
    return err < 0 ? err : (ssize_t)record_size;
}

static int directory_read(struct archive *archive, const struct zip_archive *place)
{
    const uint64_t directory_size = place->directory_size;
    const uint64_t entry_count = place->entry_count;
    size_t at = 0;
    int err;

    if (directory_size > FORMAT_HEADER_BYTES_MAX || entry_count > FORMAT_TENSOR_COUNT_MAX ||
        entry_count * CENTRAL_BYTES > directory_size)
        return tensor_list_malformed(archive->list, "a directory of %llu entries in %llu bytes",
                                     (unsigned long long)entry_count,
                                     (unsigned long long)directory_size);
    archive->directory = malloc(directory_size + 1);
    archive->entries = calloc(entry_count + 1, sizeof(*archive->entries));
    if (!archive->directory || !archive->entries)
        return -ENOMEM;
    err = tensor_list_read(archive->list, archive->source, place->directory_offset - place->begin,
                           archive->directory, directory_size);
    if (err < 0)
        return err;
    for (uint64_t i = 0; i < entry_count; i++) {
        ssize_t size = entry_parse(archive, archive->directory + at, directory_size - at,
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
                       const struct torch_storage *storage)
{
    const size_t prefix_size = pickle->name_size - strlen("data.pkl");
    char name[ZIP_NAME_BYTES_MAX];
    struct tensor tensor = {.dtype = storage->dtype};
    struct entry *entry;
    uint64_t size;
    int name_size = snprintf(name, sizeof(name), "%.*sdata/%.*s", (int)prefix_size, pickle->name,
                             (int)tfs_min_u64(storage->key.size, 100), storage->key.at);

    if (name_size < 0 || (size_t)name_size >= sizeof(name))
        return tensor_list_malformed(archive->list, "a name of %d bytes", name_size);
    entry = entry_find(archive, name, (size_t)name_size);
    if (!entry)
        return tensor_list_malformed(archive->list, "storage '%s' is missing", name);
    if (entry->is_used || !entry->is_stored)
        return 0; /* tensors may share a storage; a compressed one is not to be read as elements */
    entry->is_used = true;
    tensor.offset = entry->offset;
    tensor.size = entry->size;
    if (storage->element_size > 0 &&
        (tfs_mul_overflows(storage->element_count, storage->element_size, &size) ||
         size != entry->size))
        return tensor_list_malformed(archive->list, "storage '%s' has not the size of its elements",
                                     name);
    if (storage->label.size > 0 && storage->label.size < 1024)
        (void)snprintf(name + name_size, sizeof(name) - (size_t)name_size, " (%.*s)",
                       (int)storage->label.size, storage->label.at); /* cut if too long */
    return tensor_list_add(archive->list, name, strlen(name), &tensor);
}

/* Errors: -EOPNOTSUPP (compressed, or too large), those of tensor_list_read(), -ENOMEM. */
static int entry_read(const struct archive *archive, const struct entry *entry, uint8_t **ret)
{
    uint8_t *bytes;
    int err;

    if (!entry->is_stored || entry->size > FORMAT_HEADER_BYTES_MAX)
        return tfs_fail(-EOPNOTSUPP, "'%.*s' is compressed or too large",
                        (int)tfs_min_u64(entry->name_size, 100), entry->name);
    bytes = malloc(entry->size + 1);
    if (!bytes)
        return -ENOMEM;
    err = tensor_list_read(archive->list, archive->source, entry->offset, bytes, entry->size);
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
    char name[ZIP_NAME_BYTES_MAX];
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

/* Errors: those of zip_find(), and -EOPNOTSUPP when it cannot be told where the storages
 * are. */
static int torch_tensors(const struct archive *archive, const struct entry *pickle)
{
    struct torch_storage_list storages = {0};
    struct pickle tree;
    bool big_endian = false;
    uint8_t *bytes = NULL;
    int err = entry_read(archive, pickle, &bytes);

    if (err < 0)
        return err;
    err = is_big_endian(archive, pickle, &big_endian);
    if (err < 0) {
        free(bytes);
        return err;
    }
    err = pickle_read(bytes, pickle->size, archive->source, &tree);
    if (err == -EUCLEAN)
        err = tensor_list_malformed(archive->list, "data.pkl is not one that torch writes");
    if (err == 0)
        err = torch_storages_find(&tree, &storages);
    for (size_t i = 0; err == 0 && i < storages.count; i++) {
        if (big_endian)
            storages.storages[i].dtype = DTYPE_BYTES;
        err = storage_add(archive, pickle, &storages.storages[i]);
    }
    torch_storages_release(&storages);
    pickle_release(&tree);
    free(bytes);
    return err;
}

static int entry_tensor(const struct archive *archive, const struct entry *entry)
{
    char name[ZIP_NAME_BYTES_MAX];

    if (!name_ends_with(entry, ".npy") || !entry->is_stored || entry->name_size >= sizeof(name))
        return 0;
    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    return npy_find(archive->source, entry->offset, entry->size, name, archive->list);
}

static int deflated_check(const struct archive *archive, const struct entry *entry)
{
    const struct zip_deflated member = {.offset = entry->offset,
                                        .size = entry->size,
                                        .raw_size = entry->raw_size,
                                        .crc = entry->crc};
    const char *reason = NULL;
    int err = zip_inflate_check(archive->source, archive->list, &member, &reason);

    if (err < 0 || !reason)
        return err;
    return tensor_list_malformed(archive->list, "member '%.*s' is damaged: %s",
                                 (int)tfs_min_u64(entry->name_size, 100), entry->name, reason);
}

/* Of what is stored the checksum is of bytes that will be read anyway; what is deflated is read for
 * it, here. */
static int members_add(const struct archive *archive)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < archive->entry_count; i++) {
        const struct entry *entry = &archive->entries[i];

        if (entry->is_stored && entry->size > 0 && entry->crc != 0)
            err = tensor_list_add_member(archive->list, entry->name, entry->name_size,
                                         &(struct format_member){.offset = entry->offset,
                                                                 .size = entry->size,
                                                                 .crc = entry->crc});
        else if (entry->is_deflated)
            err = deflated_check(archive, entry);
    }
    return err;
}

/* torch closes its archive even when pickling the object has failed: then there is only what it
 * puts around one. */
static bool has_no_object(const struct archive *archive)
{
    static const char *const around[] = {"/version", "/byteorder", "/.data/serialization_id",
                                         "/.format_version", "/.storage_alignment"};

    for (size_t i = 0; i < archive->entry_count; i++) {
        bool is_around = false;

        for (size_t j = 0; j < TFS_ARRAY_COUNT(around); j++)
            is_around |= name_ends_with(&archive->entries[i], around[j]);
        if (!is_around)
            return false;
    }
    return archive->entry_count > 0;
}

static int archive_tensors(struct archive *archive)
{
    int err = 0;

    if (has_no_object(archive))
        return tensor_list_malformed(archive->list,
                                     "torch's archive of no object: its save did not end");
    if (archive->entry_count > 0)
        qsort(archive->entries, archive->entry_count, sizeof(*archive->entries), entry_compare);
    for (size_t i = 0; i < archive->entry_count; i++) {
        const struct entry *entry = &archive->entries[i];

        if (!name_ends_with(entry, "/data.pkl"))
            continue;
        archive->list->format = "torch";
        err = torch_tensors(archive, entry);
        return err == -EOPNOTSUPP ? 0 : err; /* bytes, then, as between all tensors */
    }
    for (size_t i = 0; err == 0 && i < archive->entry_count; i++)
        err = entry_tensor(archive, &archive->entries[i]);
    return err;
}

static int archive_parse(const struct format_source *source, const struct zip_archive *place,
                         struct tensor_list *list)
{
    struct format_source part;
    struct archive archive = {.source = &part, .list = list};
    int err;

    format_source_of_part(source, place->begin, place->end - place->begin, &part);
    err = directory_read(&archive, place);
    if (err == 0)
        err = members_add(&archive);
    if (err == 0)
        err = archive_tensors(&archive);
    free(archive.entries);
    free(archive.directory);
    return err;
}

/* Offsets from `first` on are an archive's; names are too, and in a sequence many have the same. */
static int tensors_move(struct tensor_list *list, size_t first, uint64_t begin, bool is_in_sequence)
{
    for (size_t i = first; i < list->count; i++) {
        struct tensor *tensor = &list->tensors[i];
        char *name;

        tensor->offset += begin;
        if (!is_in_sequence)
            continue;
        if (asprintf(&name, "%" PRIu64 ":%s", begin, tensor->name) < 0)
            return -ENOMEM;
        free(tensor->name);
        tensor->name = name;
    }
    return 0;
}

/* Between archives may be anything but the begin of one. */
static int gap_check(const struct format_source *source, struct tensor_list *list, uint64_t begin,
                     uint64_t end)
{
    uint8_t head[4];
    int err;

    if (end - begin < sizeof(head))
        return 0;
    err = tensor_list_read(list, source, begin, head, sizeof(head));
    if (err == 0 && memcmp(head, "PK\3\4", sizeof(head)) == 0)
        return tensor_list_malformed(list, "the archive at %llu has no end",
                                     (unsigned long long)begin);
    return err;
}

static int archive_add(const struct format_source *source, const struct zip_archive *place,
                       struct tensor_list *list)
{
    const bool is_in_sequence = place->begin > 0 || place->end < source->size;
    const size_t first = list->count;
    const size_t member_first = list->member_count;
    int err = archive_parse(source, place, list);

    if (err == -EUCLEAN && is_in_sequence) {
        char reason[sizeof(list->reason)];

        memcpy(reason, list->reason, sizeof(reason));
        return tensor_list_malformed(list, "the archive at %llu: %s",
                                     (unsigned long long)place->begin, reason);
    }
    for (size_t i = member_first; i < list->member_count; i++)
        list->members[i].offset += place->begin;
    return err < 0 ? err : tensors_move(list, first, place->begin, is_in_sequence);
}

int zip_find(const struct format_source *source, struct tensor_list *list)
{
    uint64_t end = source->size;
    unsigned refused = 0;

    for (unsigned count = 0; end > 0; count++) {
        struct zip_archive place = {0};
        int found = zip_end_find(source, list, end, &refused, &place);
        int err = found < 0 ? found : gap_check(source, list, place.end, end);

        if (err < 0 || found == 0)
            return err;
        if (count == ARCHIVE_COUNT_MAX)
            return tensor_list_malformed(list, "more than %u archives", ARCHIVE_COUNT_MAX);
        err = archive_add(source, &place, list);
        if (err < 0)
            return err;
        end = place.begin;
    }
    return 0;
}
