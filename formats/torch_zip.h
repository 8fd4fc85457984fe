/*
 * A zip archive as torch.save writes it: the specification is torch/serialization.py, _save, and
 * caffe2/serialize/inline_container.cc.
 */
#ifndef TFS_FORMATS_TORCH_ZIP_H
#define TFS_FORMATS_TORCH_ZIP_H

#include "formats/zip_directory.h"

/*
 * The storages of an archive, whose entries were located, and whose object `pickle` is.
 *
 * Errors: -EUCLEAN (list->reason), -EOPNOTSUPP (it cannot be told where the storages are), -EINTR,
 *         -ENOMEM, those of the source.
 */
TFS_MUST_CHECK int torch_zip_find(const struct zip_directory *directory,
                                  const struct zip_entry *pickle);

/* torch closes its archive even when pickling the object has failed: is there only what it puts
 * around one? */
bool torch_zip_has_no_object(const struct zip_directory *directory);

#endif
