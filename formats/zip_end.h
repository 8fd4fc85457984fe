/*
 * Where zip archives lie in a file. One archive is the usual case; torch.distributed.checkpoint
 * writes many of them back to back, with or without other bytes between them.
 */
#ifndef TFS_FORMATS_ZIP_END_H
#define TFS_FORMATS_ZIP_END_H

#include "formats/tensor_list.h"

/* So many places that look like an archive's end and are none make a search end. */
#define ZIP_END_REFUSED_MAX (1u << 16)

/* Offsets are the file's. */
struct zip_archive {
    uint64_t begin; /* of its first entry; the offsets in the archive are counted from here */
    uint64_t end;   /* behind its end record and its comment */
    uint64_t directory_offset;
    uint64_t directory_size;
    uint64_t entry_count; /* as the end record says */
};

/*
 * Find the last archive that ends at or before `limit`: the last end record from which a place
 * follows where a directory begins, and another where a first entry does. The bytes between its
 * end and `limit` belong to no archive.
 *
 * *refused is the count of places that looked like an end and were none; 0 for a file's first call.
 *
 * Returns: 1, or 0 when there is none.
 * Errors:  -ENOMEM, those of tensor_list_read().
 */
TFS_MUST_CHECK int zip_end_find(const struct format_source *source, struct tensor_list *list,
                                uint64_t limit, unsigned *refused, struct zip_archive *ret);

#endif
