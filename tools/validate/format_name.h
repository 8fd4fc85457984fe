/*
 * What a file's name says is in it. Where the content is something else, a library that is given
 * the file refuses it: a download that failed, a page of an error, a pointer of git LFS, zeros that
 * a crash left.
 */
#ifndef TFS_VALIDATE_FORMAT_NAME_H
#define TFS_VALIDATE_FORMAT_NAME_H

#include "formats/tensor_list.h"

/*
 * Compare what the content was taken for, list->format, with the name, which may be NULL. A file
 * named like safetensors becomes one, so that its parser says what is wrong with it.
 *
 * Errors: -EUCLEAN (list->reason, and list->format is what the name says), those of
 * tensor_list_read().
 */
TFS_MUST_CHECK int format_name_check(const struct format_source *source, const char *name,
                                     struct tensor_list *list);

#endif
