/*
 * The reader goes the way of PyTorch's: the directory at the end, then each storage's local
 * header, then its payload. Everything read is checked against the file's size before it is used.
 */
#include "tools/bench/formats/torch_load.h"

#include "formats/zip_layout.h"

#include "store/base/bytes.h"
#include "tools/common/console.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_BYTES_MAX (256ull << 20)

struct directory {
    uint8_t *bytes;
    uint64_t size;
    uint64_t entry_count;
};

static void directory_release(struct directory *directory)
{
    free(directory->bytes);
}

/* The three records at the end. Our archives have no comment, so they lie at fixed distances from
 * it. */
static int directory_read(const struct source *source, struct directory *ret)
{
    uint8_t tail[ZIP_LOCATOR64_BYTES + ZIP_END_BYTES];
    uint8_t end64[ZIP_END64_BYTES];
    uint64_t offset;
    int err;

    if (source->size < sizeof(tail))
        return source_reject(source, "it is too short for an archive");
    err = source_read(source, source->size - sizeof(tail), tail, sizeof(tail));
    if (err < 0)
        return err;
    if (tfs_get_le32(tail) != ZIP_LOCATOR64_SIGNATURE ||
        tfs_get_le32(tail + ZIP_LOCATOR64_BYTES) != ZIP_END_SIGNATURE)
        return source_reject(source, "the archive's end is missing");
    err = source_read(source, tfs_get_le64(tail + ZIP_LOCATOR64_OFFSET), end64, sizeof(end64));
    if (err < 0)
        return err;
    ret->size = tfs_get_le64(end64 + ZIP_END64_DIRECTORY_SIZE);
    ret->entry_count = tfs_get_le64(end64 + ZIP_END64_ENTRY_COUNT);
    offset = tfs_get_le64(end64 + ZIP_END64_DIRECTORY_OFFSET);
    if (tfs_get_le32(end64) != ZIP_END64_SIGNATURE || ret->size > DIRECTORY_BYTES_MAX)
        return source_reject(source, "the archive's directory is wrong");
    ret->bytes = malloc(tfs_max_u64(ret->size, 1));
    if (!ret->bytes)
        return console_fail(-ENOMEM, "the directory of '%s'", source->path);
    return source_read(source, offset, ret->bytes, ret->size);
}

struct entry {
    const char *name; /* not terminated */
    uint16_t name_size;
    uint64_t size;
    uint64_t offset; /* of the local header */
};

/* Replace the 32-bit values that stand for "see zip64". */
static int entry_widen(struct entry *entry, const uint8_t *extra, unsigned extra_size)
{
    const uint8_t *end = extra + extra_size;
    const uint8_t *at = extra + 4;

    if (entry->size != ZIP_LIMIT_32 && entry->offset != ZIP_LIMIT_32)
        return 0;
    if (extra_size < 4 || tfs_get_le16(extra) != ZIP_EXTRA_ZIP64)
        return -EUCLEAN;
    if (entry->size == ZIP_LIMIT_32) {
        if (end - at < 16)
            return -EUCLEAN;
        entry->size = tfs_get_le64(at);
        at += 16;
    }
    if (entry->offset == ZIP_LIMIT_32) {
        if (end - at < 8)
            return -EUCLEAN;
        entry->offset = tfs_get_le64(at);
    }
    return 0;
}

/* Parse the entry at *position and move on. -EUCLEAN when it reaches out of the directory. */
static int entry_next(const struct directory *directory, uint64_t *position, struct entry *ret)
{
    const uint8_t *at = directory->bytes + *position;
    uint64_t left = directory->size - *position;
    uint64_t total;
    uint16_t extra_size;

    if (left < ZIP_CENTRAL_BYTES || tfs_get_le32(at) != ZIP_CENTRAL_SIGNATURE)
        return -EUCLEAN;
    ret->name = (const char *)at + ZIP_CENTRAL_BYTES;
    ret->name_size = tfs_get_le16(at + ZIP_CENTRAL_NAME_SIZE);
    ret->size = tfs_get_le32(at + ZIP_CENTRAL_RAW_SIZE);
    ret->offset = tfs_get_le32(at + ZIP_CENTRAL_OFFSET);
    extra_size = tfs_get_le16(at + ZIP_CENTRAL_EXTRA_SIZE);
    total = (uint64_t)ZIP_CENTRAL_BYTES + ret->name_size + extra_size +
            tfs_get_le16(at + ZIP_CENTRAL_COMMENT_SIZE);
    if (total > left)
        return -EUCLEAN;
    *position += total;
    return entry_widen(ret, at + ZIP_CENTRAL_BYTES + ret->name_size, extra_size);
}

/* The number of "<stem>/data/<number>", or -1 for other entries. */
static long entry_key(const struct entry *entry)
{
    static const char folder[] = "/data/";
    const char *slash = memchr(entry->name, '/', entry->name_size);
    size_t left = slash ? (size_t)(entry->name + entry->name_size - slash) : 0;
    long key = 0;

    if (left <= sizeof(folder) - 1 || left > sizeof(folder) + 8 ||
        memcmp(slash, folder, sizeof(folder) - 1) != 0)
        return -1;
    for (size_t i = sizeof(folder) - 1; i < left; i++) {
        if (!isdigit((unsigned char)slash[i]))
            return -1;
        key = key * 10 + (slash[i] - '0');
    }
    return key;
}

static int entry_load(const struct source *source, const struct entry *entry, struct tensor *tensor)
{
    uint8_t local[ZIP_LOCAL_BYTES];
    uint64_t payload;
    int err = source_read(source, entry->offset, local, sizeof(local));

    if (err < 0)
        return err;
    if (tfs_get_le32(local) != ZIP_LOCAL_SIGNATURE || entry->size != tensor->bytes)
        return source_reject(source, "a storage has another size");
    payload = entry->offset + sizeof(local) + tfs_get_le16(local + ZIP_LOCAL_NAME_SIZE) +
              tfs_get_le16(local + ZIP_LOCAL_EXTRA_SIZE);
    return source_read(source, payload, tensor->data, tensor->bytes);
}

static int entries_load(const struct source *source, const struct directory *directory,
                        struct model *into)
{
    uint64_t position = 0;
    size_t loaded = 0;

    for (uint64_t i = 0; i < directory->entry_count; i++) {
        struct entry entry;
        long key;
        int err;

        if (entry_next(directory, &position, &entry) < 0)
            return source_reject(source, "the archive's directory is damaged");
        key = entry_key(&entry);
        if (key < 0)
            continue;
        if ((size_t)key >= into->count)
            return source_reject(source, "it has more storages than were saved");
        err = entry_load(source, &entry, &into->tensors[key]);
        if (err < 0)
            return err;
        loaded++;
    }
    return loaded == into->count ? 0 : source_reject(source, "storages are missing");
}

int torch_load(struct model *into, const char *path, enum source_method method)
{
    tfs_cleanup(source_release) struct source source;
    tfs_cleanup(directory_release) struct directory directory = {0};
    int err = source_open(&source, path, method);

    if (err < 0)
        return err;
    err = directory_read(&source, &directory);
    if (err < 0)
        return err;
    return entries_load(&source, &directory, into);
}
