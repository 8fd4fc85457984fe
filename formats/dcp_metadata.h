/*
 * The .metadata of a checkpoint of torch.distributed.checkpoint: a pickle that says in which file
 * each piece of each tensor lies. It is written last, so a checkpoint without it is one whose save
 * did not end. The specification is torch/distributed/checkpoint/metadata.py, class Metadata, and
 * filesystem.py, class _StorageInfo.
 */
#ifndef TFS_FORMATS_DCP_METADATA_H
#define TFS_FORMATS_DCP_METADATA_H

#include "formats/pickle.h"

/* A piece that was saved. */
struct dcp_piece {
    struct pickle_text tensor; /* what it belongs to */
    struct pickle_text file;   /* beside .metadata */
    uint64_t offset;
    uint64_t size;
};

/* What is to be there, and how much of it was written down. */
struct dcp_object {
    struct pickle_text name;
    uint64_t piece_count;  /* that a tensor was cut into; 1 of what is no tensor */
    uint64_t stored_count; /* that have a place */
};

struct dcp_metadata {
    struct pickle pickle;
    struct dcp_piece *pieces; /* ascending by file, then by offset */
    size_t piece_count;
    struct dcp_object *objects; /* ascending by name */
    size_t object_count;
};

/*
 * Read what .metadata holds. As of a pickle, source, which may be NULL, is asked whether to stop.
 *
 * Ownership: *ret is released with dcp_metadata_release; texts are data's.
 * Errors:    -EUCLEAN (malformed or cut off), -EOPNOTSUPP (a pickle of something else, or beyond a
 *            limit), -EINTR, -ENOMEM.
 */
TFS_MUST_CHECK int dcp_metadata_read(const void *data, size_t size,
                                     const struct format_source *source, struct dcp_metadata *ret);
void dcp_metadata_release(struct dcp_metadata *metadata);

#endif
