/*
 * What the tensors of a checkpoint of torch are called: the keys of the dict that was saved.
 * Storages do not tell it, since tensors that share one have one storage and several names.
 */
#ifndef TFS_FORMATS_TORCH_NAMES_H
#define TFS_FORMATS_TORCH_NAMES_H

#include "formats/source.h"

struct torch_names {
    char **names; /* ascending */
    size_t count;
};

/*
 * Read the keys of a file that torch.save wrote as a zip archive.
 *
 * Ownership: *ret is released with torch_names_release.
 * Errors:    -EUCLEAN (malformed), -EOPNOTSUPP (no such archive, or its object is no dict of
 *            names), -EINTR, -ENOMEM, those of the source.
 */
TFS_MUST_CHECK int torch_names_find(const struct format_source *source, struct torch_names *ret);
void torch_names_release(struct torch_names *names);

#endif
