/*
 * What torch.save wrote before it wrote zip archives: the specification is torch/serialization.py,
 * _legacy_save and _legacy_load.
 */
#ifndef TFS_FORMATS_TORCH_LEGACY_H
#define TFS_FORMATS_TORCH_LEGACY_H

#include "formats/tensor_list.h"

/* Does a file begin so? */
bool torch_legacy_matches(const uint8_t *head, size_t size);

/* The storages, in the file's order. Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the
 * source. */
TFS_MUST_CHECK int torch_legacy_find(const struct format_source *source, struct tensor_list *list);

#endif
