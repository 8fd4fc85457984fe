/*
 * Zip archives of tensors: the specification is PKWARE's APPNOTE 6.3.10; of torch.save's archives
 * torch/serialization.py, _save, and caffe2/serialize/inline_container.cc; of numpy.savez
 * numpy/lib/npyio.
 */
#ifndef TFS_FORMATS_ZIP_H
#define TFS_FORMATS_ZIP_H

#include "formats/tensor_list.h"

/*
 * The tensors and the members of all archives in a file; list->format becomes "torch" where a
 * data.pkl is in one.
 *
 * Errors: -EUCLEAN (list->reason), -EINTR, -ENOMEM, those of the source.
 */
TFS_MUST_CHECK int zip_find(const struct format_source *source, struct tensor_list *list);

#endif
