/*
 * safetensors: the specification is huggingface/safetensors, README.md, "Format", and what its
 * safetensors/src/tensor.rs accepts.
 */
#ifndef TFS_FORMATS_SAFETENSORS_H
#define TFS_FORMATS_SAFETENSORS_H

#include "formats/tensor_list.h"

/* Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the source. */
TFS_MUST_CHECK int safetensors_find(const struct format_source *source, struct tensor_list *list);

#endif
