/*
 * The file formats of checkpoints, each written with the system calls that its library makes.
 */
#ifndef TENSORFS_BENCH_FORMATS_FORMAT_H
#define TENSORFS_BENCH_FORMATS_FORMAT_H

#include "tools/bench/formats/source.h"
#include "tools/bench/model/model.h"

struct format {
    const char *name;
    const char *extension;

    /*
     * Write the model as `path`. durable: fsync every file and its directory before returning,
     * which safetensors, torch.save and numpy.save do not do by themselves.
     *
     * Errors: said on standard error; -EINTR.
     */
    int (*save)(const struct model *model, const char *path, bool durable);

    /* Read `path` into a model of the same shape. Errors: as above; -EUCLEAN when the file is not
     * what was saved. */
    int (*load)(struct model *into, const char *path, enum source_method method);
};

extern const struct format format_safetensors;
extern const struct format format_torch;
extern const struct format format_npy;
extern const struct format format_raw;
extern const struct format format_files; /* real files, one per tensor, without headers */

#define FORMAT_CHOICES "safetensors torch npy raw"

/* In the order of FORMAT_CHOICES. NULL when index is past the end. */
const struct format *format_by_index(unsigned index);

#endif
