/*
 * Which tensors a model has: those of a transformer of the asked size, or one for each real file.
 */
#ifndef TENSORFS_BENCH_MODEL_LAYOUT_H
#define TENSORFS_BENCH_MODEL_LAYOUT_H

#include "tools/bench/model/model.h"

/* Fill model->tensors, count and bytes; data stays NULL. Errors: -ENOMEM, -EINVAL, said. */
TFS_MUST_CHECK int model_layout(struct model *model, const struct model_spec *spec);

/*
 * The same for the regular files in `path` (not below it), or for the file that it is.
 *
 * Errors: said: as above (-EINVAL: none has content), -E2BIG, -ENAMETOOLONG; of opendir(3) and
 * stat(2), like -ENOENT.
 */
TFS_MUST_CHECK int model_layout_files(struct model *model, const char *path);

/* Read those files into the tensors' memory. Errors: said: of open(2) and read(2); -EIO when one
 * has become shorter. */
TFS_MUST_CHECK int model_read_files(struct model *model, const char *path);

#endif
