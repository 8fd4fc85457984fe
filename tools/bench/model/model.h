/*
 * A model in memory: named tensors, generated or read from real files. What is saved comes from
 * one, what is loaded lands in an empty one of the same shape, and the two are compared.
 */
#ifndef TENSORFS_BENCH_MODEL_H
#define TENSORFS_BENCH_MODEL_H

#include "tools/bench/model/tensor_kind.h"

enum { MODEL_NAME_BYTES_MAX = 256, MODEL_DIMENSIONS_MAX = 2, MODEL_TENSORS_MAX = 1 << 20 };

struct tensor {
    char name[MODEL_NAME_BYTES_MAX];
    enum tensor_kind kind;
    unsigned dimension_count;
    uint64_t shape[MODEL_DIMENSIONS_MAX];
    uint64_t bytes;
    uint64_t seed;
    uint8_t *data; /* inside the model's memory */
};

struct model {
    struct tensor *tensors; /* widest elements first, then by name, as in safetensors files */
    size_t count;
    uint64_t bytes;
    uint8_t *memory;
    uint64_t memory_bytes;
    uint64_t variant; /* the run whose variation is applied, 0 for none */
};

struct model_spec {
    uint64_t parameters;
    double copies[TENSOR_KIND_COUNT]; /* how many values of each kind a parameter has */
    uint64_t seed;
    unsigned threads; /* to generate with; 0: all cores */
    const char *path; /* a file or directory of real files instead; NULL for a synthetic model */
};

/* The bytes of one parameter in all its copies. */
double model_bytes_per_parameter(const struct model_spec *spec);

/*
 * "bf16", "fp32", "fp16": weights only. "train": bf16 weights, both Adam moments. Else
 * "kind=copies,...".
 *
 * Errors: -EINVAL.
 */
TFS_MUST_CHECK int model_parse_mix(const char *text, struct model_spec *spec);

/*
 * Lay out a transformer of that many parameters and generate it or read the files of spec->path.
 *
 * Ownership: *ret is freed with model_free.
 * Errors:    said on standard error: -ENOMEM (also when the machine has less memory free), -EINTR,
 * of files.
 */
TFS_MUST_CHECK int model_new(const struct model_spec *spec, struct model **ret);

/* An empty model of the same shape, its memory touched once. Ownership: as model_new. Errors:
 * -ENOMEM, said. */
TFS_MUST_CHECK int model_new_like(const struct model *model, struct model **ret);
void model_free(struct model *model);

/*
 * Touch as much memory and give it back, so that the first models of a measurement do not pay for
 * pages that a virtual machine has never touched. Errors: -ENOMEM, said.
 */
TFS_MUST_CHECK int model_touch_memory(uint64_t bytes);

/* Another model of the same statistics, at memory speed; see fill_vary. variant 0 is the generated
 * one. */
void model_vary(struct model *model, uint64_t variant);

/* Overwrite all data, so that what was loaded before cannot be taken for what is loaded next. */
void model_poison(struct model *model);

/* Shannon's bound in bytes; see entropy.h. */
double model_entropy_bound(const struct model *model);

/* Returns 0, or -EBADMSG, having said which tensor differs first and where. */
TFS_MUST_CHECK int model_compare(const struct model *expected, const struct model *found);

#endif
