/*
 * The tensors of a file of any format that is known here.
 */
#ifndef TFS_FORMATS_TENSORS_H
#define TFS_FORMATS_TENSORS_H

#include "formats/tensor_list.h"

/*
 * Tell from its first bytes what a file is: list->format, which is "raw" for what is of no known
 * format.
 *
 * Errors: those of tensor_list_read().
 */
TFS_MUST_CHECK int tensors_recognise(const struct format_source *source, struct tensor_list *list);

/*
 * Find where its tensors are, by the parser of list->format. What is raw has none.
 *
 * Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the source. The list is then empty,
 *         but has its format and its reason.
 */
TFS_MUST_CHECK int tensors_parse(const struct format_source *source, struct tensor_list *list);

/*
 * Both, with a list that is not initialised yet.
 *
 * Ownership: *ret is released with tensor_list_release, also after a failure.
 * Errors:    as above.
 */
TFS_MUST_CHECK int tensors_find(const struct format_source *source, struct tensor_list *ret);

#endif
