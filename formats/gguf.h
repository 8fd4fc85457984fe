/*
 * GGUF, versions 2 and 3, little-endian: the specification is ggml's docs/gguf.md, and what
 * gguf_init_from_file (ggml/src/gguf.cpp) accepts.
 */
#ifndef TFS_FORMATS_GGUF_H
#define TFS_FORMATS_GGUF_H

#include "formats/tensor_list.h"

/* Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the source. */
TFS_MUST_CHECK int gguf_find(const struct format_source *source, struct tensor_list *list);

#endif
