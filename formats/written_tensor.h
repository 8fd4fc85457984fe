/*
 * A tensor as writers of formats have to know it.
 */
#ifndef TFS_FORMATS_WRITTEN_TENSOR_H
#define TFS_FORMATS_WRITTEN_TENSOR_H

#include "formats/dtype.h"

/* Its elements lie one after the other, the last dimension's first. */
struct written_tensor {
    const char *name;
    enum dtype dtype; /* which has a name in the format that is written */
    unsigned dimension_count;
    const uint64_t *shape;
    uint64_t size; /* in bytes */
};

#endif
