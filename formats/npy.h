/*
 * npy, numpy's format of one array: the specification is numpy/lib/format.py (NEP 1), versions 1 to
 * 3.
 */
#ifndef TFS_FORMATS_NPY_H
#define TFS_FORMATS_NPY_H

#include "formats/tensor_list.h"

/*
 * An array that starts at `offset` and has `size` bytes at most: a file, or a zip's entry.
 *
 * Errors: -EUCLEAN (list->reason), -ENOMEM, those of the source.
 */
TFS_MUST_CHECK int npy_find(const struct format_source *source, uint64_t offset, uint64_t size,
                            const char *name, struct tensor_list *list);

#endif
