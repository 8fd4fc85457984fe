/* Reading a torch.save archive back: see torch_save.c. */
#ifndef TENSORFS_BENCH_FORMATS_TORCH_LOAD_H
#define TENSORFS_BENCH_FORMATS_TORCH_LOAD_H

#include "tools/bench/formats/format.h"

/*
 * As format.load. Storages are found by their keys, which number the tensors in torch_pickle_build.
 *
 * Errors: said: -EUCLEAN when the file is not what was saved; as source_read; -ENOMEM.
 */
TFS_MUST_CHECK int torch_load(struct model *into, const char *path, enum source_method method);

#endif
