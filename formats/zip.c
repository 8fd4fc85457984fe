/*
 * Zip archives (PKWARE APPNOTE 6.3.10) as torch.save and numpy.savez write them: entries stored
 * without compression.
 *
 * torch.distributed.checkpoint (*.distcp) saves each tensor by itself, archive behind archive, so a
 * file is read as a sequence of them, from the last to the first; bytes between them are nobody's
 * tensor. Where an archive began and none ends, the file is cut off or damaged. The `.metadata`
 * beside such a file is not needed: each archive knows where it begins.
 */
#include "formats/zip.h"

#include "formats/npy.h"
#include "formats/torch_zip.h"
#include "formats/zip_inflate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 4096 }; /* of arrays; others may be longer */

#define ARCHIVE_COUNT_MAX (1u << 20)

static int entry_tensor(const struct zip_directory *directory, const struct zip_entry *entry)
{
    char name[NAME_BYTES_MAX];

    if (!zip_entry_ends_with(entry, ".npy") || !entry->is_stored ||
        entry->name_size >= sizeof(name))
        return 0;
    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    return npy_find(&directory->source, entry->offset, entry->size, name, directory->list);
}

static int deflated_check(const struct zip_directory *directory, const struct zip_entry *entry)
{
    const struct zip_deflated member = {.offset = entry->offset,
                                        .size = entry->size,
                                        .raw_size = entry->raw_size,
                                        .crc = entry->crc};
    const char *reason = NULL;
    int err = zip_inflate_check(&directory->source, directory->list, &member, &reason);

    if (err < 0 || !reason)
        return err;
    return tensor_list_malformed(directory->list, "member '%.*s' is damaged: %s",
                                 (int)tfs_min_u64(entry->name_size, 100), entry->name, reason);
}

/* Of what is stored the checksum is of bytes that will be read anyway; what is deflated is read for
 * it, here. */
static int members_add(const struct zip_directory *directory)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < directory->entry_count; i++) {
        const struct zip_entry *entry = &directory->entries[i];

        if (entry->is_stored && entry->size > 0 && entry->crc != 0)
            err = tensor_list_add_member(directory->list, entry->name, entry->name_size,
                                         &(struct format_member){.offset = entry->offset,
                                                                 .size = entry->size,
                                                                 .crc = entry->crc});
        else if (entry->is_deflated)
            err = deflated_check(directory, entry);
    }
    return err;
}

static int archive_tensors(struct zip_directory *directory)
{
    const struct zip_entry *pickle = zip_entry_find_ending(directory, "/data.pkl");
    int err = 0;

    if (torch_zip_has_no_object(directory))
        return tensor_list_malformed(directory->list,
                                     "torch's archive of no object: its save did not end");
    if (pickle) {
        directory->list->format = "torch";
        err = torch_zip_find(directory, pickle);
        return err == -EOPNOTSUPP ? 0 : err; /* bytes, then, as between all tensors */
    }
    for (size_t i = 0; err == 0 && i < directory->entry_count; i++)
        err = entry_tensor(directory, &directory->entries[i]);
    return err;
}

static int archive_parse(const struct format_source *source, const struct zip_archive *place,
                         struct tensor_list *list)
{
    struct zip_directory directory;
    int err = zip_directory_read(source, place, list, &directory);

    for (size_t i = 0; err == 0 && i < directory.entry_count; i++)
        err = zip_entry_locate(&directory, &directory.entries[i]);
    if (err == 0)
        err = members_add(&directory);
    if (err == 0)
        err = archive_tensors(&directory);
    zip_directory_release(&directory);
    return err;
}

/* Offsets from `first` on are an archive's; names are too, and in a sequence many have the same. */
static int tensors_move(struct tensor_list *list, size_t first, uint64_t begin, bool is_in_sequence)
{
    for (size_t i = first; i < list->count; i++) {
        struct tensor_place *tensor = &list->tensors[i];
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
