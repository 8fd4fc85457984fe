/*
 * Where the tensors of a file are, and whether it is what its name says.
 */
#ifndef TFS_VALIDATE_TENSORS_H
#define TFS_VALIDATE_TENSORS_H

#include "formats/tensor_list.h"

/* A file as a source, which is stopped when the command is (tools/common/interrupt.h). */
void validate_source_of_file(int fd, uint64_t size, struct format_source *ret);

/*
 * Find out what a file is and where its tensors are. A file of no known format is raw: bytes,
 * without tensors, unless its name, which may be NULL, says that it should be more.
 *
 * Ownership: *ret is released with tensor_list_release, also after a failure.
 * Errors:    -EUCLEAN (ret->reason), -EINTR, -ENOMEM, those of the source. The list then has no
 *            tensors.
 */
TFS_MUST_CHECK int validate_tensors_find(const struct format_source *source, const char *name,
                                         struct tensor_list *ret);

#endif
