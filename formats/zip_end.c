/*
 * An archive is found from its end (PKWARE APPNOTE 6.3.10, 4.3.16): the end record gives size and
 * offset of the directory before it. The offset is counted from the archive's first byte, so that
 * both give that byte's place, wherever in a file the archive is. A few writers leave bytes between
 * directory and end record; such an archive is found where it begins with the file.
 */
#include "formats/zip_end.h"

#include "formats/zip_layout.h"

#include "store/base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Archives mostly touch each other, so the first look is short. */
    WINDOW_BYTES_MIN = 4 << 10,
    WINDOW_BYTES_MAX = 1 << 20,
};

/* What an end record says, and where the directory ends if nothing lies between. */
struct end_record {
    uint64_t entry_count;
    uint64_t directory_size;
    uint64_t directory_offset; /* from the archive's begin */
    uint64_t directory_end;    /* in the file */
};

/* Returns: 1 if these four bytes stand there, 0 if not or if the file ends before. */
static int magic_is_at(const struct format_source *source, struct tensor_list *list,
                       uint64_t offset, const char *magic)
{
    uint8_t bytes[4];
    int err;

    if (offset > source->size || source->size - offset < sizeof(bytes))
        return 0;
    err = tensor_list_read(list, source, offset, bytes, sizeof(bytes));
    return err < 0 ? err : memcmp(bytes, magic, sizeof(bytes)) == 0;
}

/* Take the zip64 record at `offset` instead. Returns: 1, or 0 when there is none. */
static int record64_read(const struct format_source *source, struct tensor_list *list,
                         uint64_t offset, struct end_record *record)
{
    uint8_t end[ZIP_END64_BYTES];
    int err;

    if (offset > source->size || source->size - offset < sizeof(end))
        return 0;
    err = tensor_list_read(list, source, offset, end, sizeof(end));
    if (err < 0 || memcmp(end, "PK\6\6", 4) != 0)
        return err;
    record->entry_count = tfs_get_le64(end + ZIP_END64_ENTRY_COUNT);
    record->directory_size = tfs_get_le64(end + ZIP_END64_DIRECTORY_SIZE);
    record->directory_offset = tfs_get_le64(end + ZIP_END64_DIRECTORY_OFFSET);
    record->directory_end = offset;
    return 1;
}

/* Fields that do not fit the end record stand in a zip64 record, which lies before its locator, or
 * where the locator says. torch always writes one. Without it, the fields are what they seem. */
static int record64_find(const struct format_source *source, struct tensor_list *list,
                         uint64_t end_offset, struct end_record *record)
{
    uint8_t locator[ZIP_LOCATOR64_BYTES];
    int found;

    if (end_offset < ZIP_LOCATOR64_BYTES + ZIP_END64_BYTES)
        return 0;
    found =
        tensor_list_read(list, source, end_offset - ZIP_LOCATOR64_BYTES, locator, sizeof(locator));
    if (found < 0 || memcmp(locator, "PK\6\7", 4) != 0)
        return found;
    found = record64_read(source, list, end_offset - ZIP_LOCATOR64_BYTES - ZIP_END64_BYTES, record);
    if (found == 0)
        found = record64_read(source, list, tfs_get_le64(locator + ZIP_LOCATOR64_OFFSET), record);
    return found < 0 ? found : 0;
}

static int record_read(const struct format_source *source, struct tensor_list *list,
                       const uint8_t *end, uint64_t end_offset, struct end_record *ret)
{
    *ret = (struct end_record){.entry_count = tfs_get_le16(end + 10),
                               .directory_size = tfs_get_le32(end + 12),
                               .directory_offset = tfs_get_le32(end + 16),
                               .directory_end = end_offset};
    return record64_find(source, list, end_offset, ret);
}

/* Would an archive with this end record begin there? Returns: 1, or 0. */
static int begin_fits(const struct format_source *source, struct tensor_list *list,
                      const struct end_record *record, uint64_t begin)
{
    uint64_t room = record->directory_end - begin;
    int found;

    if (record->directory_offset > room || record->directory_size > room - record->directory_offset)
        return 0;
    if (record->entry_count == 0)
        return record->directory_size == 0 && begin == record->directory_end;
    found = magic_is_at(source, list, begin + record->directory_offset, "PK\1\2");
    return found == 1 ? magic_is_at(source, list, begin, "PK\3\4") : found;
}

/* Returns: 1 and the archive that this end record belongs to, or 0. */
static int archive_of_end(const struct format_source *source, struct tensor_list *list,
                          const uint8_t *end, uint64_t end_offset, struct zip_archive *ret)
{
    struct end_record record;
    uint64_t begin = 0;
    uint64_t size = 0;
    int found = record_read(source, list, end, end_offset, &record);

    if (found < 0)
        return found;
    if (!tfs_add_overflows(record.directory_size, record.directory_offset, &size) &&
        size <= record.directory_end)
        begin = record.directory_end - size;
    found = begin_fits(source, list, &record, begin);
    if (found == 0 && begin > 0) {
        begin = 0;
        found = begin_fits(source, list, &record, begin);
    }
    if (found == 1)
        *ret = (struct zip_archive){.begin = begin,
                                    .end = end_offset + ZIP_END_BYTES + tfs_get_le16(end + 20),
                                    .directory_offset = begin + record.directory_offset,
                                    .directory_size = record.directory_size,
                                    .entry_count = record.entry_count};
    return found;
}

struct search {
    const struct format_source *source;
    struct tensor_list *list;
    uint64_t limit;
    unsigned refused;
};

/* Look at all end records that begin in the window's first `begin_count` bytes, the last first. */
static int window_search(struct search *search, const uint8_t *window, uint64_t window_offset,
                         size_t begin_count, struct zip_archive *ret)
{
    for (size_t at = begin_count; at-- > 0 && search->refused < ZIP_END_REFUSED_MAX;) {
        const uint8_t *end = window + at;
        int found;

        if (end[0] != 'P' || memcmp(end, "PK\5\6", 4) != 0 ||
            tfs_get_le16(end + 20) > search->limit - (window_offset + at) - ZIP_END_BYTES)
            continue;
        found = archive_of_end(search->source, search->list, end, window_offset + at, ret);
        if (found != 0)
            return found;
        search->refused++;
    }
    return 0;
}

int zip_end_find(const struct format_source *source, struct tensor_list *list, uint64_t limit,
                 unsigned *refused, struct zip_archive *ret)
{
    struct search search = {source, list, limit, *refused};
    /* An end record that has room begins before this. */
    uint64_t begins_end = limit < ZIP_END_BYTES ? 0 : limit - ZIP_END_BYTES + 1;
    size_t size = WINDOW_BYTES_MIN;
    uint8_t *window = malloc(WINDOW_BYTES_MAX + ZIP_END_BYTES);
    int found = window ? 0 : -ENOMEM;

    while (found == 0 && begins_end > 0 && search.refused < ZIP_END_REFUSED_MAX) {
        size_t count = (size_t)tfs_min_u64(size, begins_end);
        uint64_t offset = begins_end - count;

        found = tensor_list_read(list, source, offset, window, count + ZIP_END_BYTES - 1);
        if (found == 0)
            found = window_search(&search, window, offset, count, ret);
        begins_end = offset;
        size = size < WINDOW_BYTES_MAX ? 2 * size : size;
    }
    free(window);
    *refused = search.refused;
    return found;
}
