/*
 * The directory of a zip archive: its entries, and where in the archive their bytes are.
 */
#ifndef TFS_FORMATS_ZIP_DIRECTORY_H
#define TFS_FORMATS_ZIP_DIRECTORY_H

#include "formats/zip_end.h"

struct zip_entry {
    const char *name; /* in the directory's bytes, not terminated */
    size_t name_size;
    uint64_t header_offset; /* of the local header, from the archive's begin, as all offsets here */
    uint64_t offset;        /* of the data, once it was located */
    uint64_t size;          /* as stored */
    uint64_t raw_size;      /* before compression */
    uint32_t crc;           /* CRC-32; 0 when the writer was told not to compute it */
    bool is_deflated;
    bool is_stored;
    bool is_used; /* as a tensor */
};

struct zip_directory {
    struct format_source source; /* of this archive alone */
    struct tensor_list *list;    /* that has the reason when it is malformed; borrowed */
    uint8_t *bytes;
    struct zip_entry *entries; /* ascending by name */
    size_t entry_count;
};

/*
 * Read the directory of the archive at `place`.
 *
 * Ownership: *ret is released with zip_directory_release, also after a failure; it borrows the
 *            list, and what the source borrows.
 * Errors:    -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the source.
 */
TFS_MUST_CHECK int zip_directory_read(const struct format_source *source,
                                      const struct zip_archive *place, struct tensor_list *list,
                                      struct zip_directory *ret);
void zip_directory_release(struct zip_directory *directory);

/*
 * Find where the data of an entry are, which its local header tells.
 *
 * Errors: -EUCLEAN (no local header, or the data do not end in the archive), -EINTR, those of the
 *         source.
 */
TFS_MUST_CHECK int zip_entry_locate(const struct zip_directory *directory, struct zip_entry *entry);

/* NULL when there is none of that name. */
struct zip_entry *zip_entry_find(const struct zip_directory *directory, const char *name,
                                 size_t name_size);

/* The first whose name ends so, or NULL. */
struct zip_entry *zip_entry_find_ending(const struct zip_directory *directory, const char *ending);

bool zip_entry_ends_with(const struct zip_entry *entry, const char *ending);

/*
 * Read the data of an entry that was located.
 *
 * Ownership: *ret is freed by the caller.
 * Errors:    -EOPNOTSUPP (compressed, or above FORMAT_HEADER_BYTES_MAX), -EUCLEAN, -EINTR, -ENOMEM,
 *            those of the source.
 */
TFS_MUST_CHECK int zip_entry_read(const struct zip_directory *directory,
                                  const struct zip_entry *entry, uint8_t **ret);

#endif
