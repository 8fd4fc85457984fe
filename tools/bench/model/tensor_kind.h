/*
 * What a tensor holds: the number format, and the distribution that values of this kind have in
 * checkpoints.
 */
#ifndef TENSORFS_BENCH_TENSOR_KIND_H
#define TENSORFS_BENCH_TENSOR_KIND_H

#include "formats/dtype.h"

enum tensor_kind {
    TENSOR_BF16,   /* weights: normal, the scale of each row log-normal */
    TENSOR_FP16,   /* the same in IEEE half precision */
    TENSOR_FP32,   /* the same in single precision */
    TENSOR_ADAM_M, /* fp32: Adam's first moment, rows more uneven than weights */
    TENSOR_ADAM_V, /* fp32: Adam's second moment, positive, heavy-tailed */
    TENSOR_BYTES,  /* a real file's bytes; never generated */
    TENSOR_KIND_COUNT
};

struct tensor_kind_info {
    const char *name;   /* in configurations: "bf16", "adam_m" */
    const char *prefix; /* of the names of such tensors */
    enum dtype dtype;
    bool rotates_sign; /* the sign bit is best coded apart from the exponent */
};

/* Rows in the order of the enum. */
extern const struct tensor_kind_info tensor_kinds[TENSOR_KIND_COUNT];

/* Bytes of an element. */
static inline uint32_t tensor_kind_width(enum tensor_kind kind)
{
    return dtype_width(tensor_kinds[kind].dtype);
}

/* Returns 0, or -EINVAL when no kind that can be generated has this name. */
TFS_MUST_CHECK int tensor_kind_parse(const char *name, enum tensor_kind *ret);

#endif
