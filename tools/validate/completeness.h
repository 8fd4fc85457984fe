/*
 * Is all there that a file says should lie beside it? The index of a sharded model names files and
 * their tensors, the .metadata of a distributed checkpoint names files and places in them.
 */
#ifndef TFS_VALIDATE_COMPLETENESS_H
#define TFS_VALIDATE_COMPLETENESS_H

#include "tools/validate/file_list.h"

/*
 * Where the file is such an index, check what it names; what is missing becomes a problem of the
 * file. Call it behind validate_file_open(); one that could not be opened is passed over.
 *
 * Errors: -ENOMEM, -EINTR.
 */
TFS_MUST_CHECK int completeness_check(struct validate_file *file);

/*
 * What no index says, since it is the index that is missing, or there is none: a distributed
 * checkpoint without its .metadata, and numbered files (model-00001-of-00002.safetensors) of which
 * not all are there. For files found below directories; becomes problems of one file of each.
 */
void completeness_check_folders(const struct file_list *list);

#endif
