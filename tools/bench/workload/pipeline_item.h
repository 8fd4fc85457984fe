/*
 * One item of the pipeline: a small checkpoint that is made, saved, published under a step's name,
 * loaded through that name, validated and scored. A step is a function of the item, so that the
 * pipeline can run it alone or many at once.
 */
#ifndef TENSORFS_BENCH_PIPELINE_ITEM_H
#define TENSORFS_BENCH_PIPELINE_ITEM_H

#include "tools/bench/model/model.h"

#include <limits.h>

struct pipeline_item {
    struct model_spec spec;
    const char *work; /* borrowed: the directory of the job */
    unsigned index;
    bool parents_exist; /* ensure_dir makes one directory, not its parents: they were made for the
                           whole batch */
    struct model *model;
    struct model *loaded;
    uint64_t hash; /* of the generated model */
    double score;  /* root mean square of the loaded weights */
};

typedef int pipeline_step(struct pipeline_item *item);

enum pipeline_phase {
    PIPELINE_GENERATE,   /* make the model, on one thread, and hash it */
    PIPELINE_SAVE,       /* a safetensors file in the staging directory, fsync included */
    PIPELINE_ENSURE_DIR, /* runs/experiment/step-N, and what is missing above it */
    PIPELINE_SYMLINK,    /* step-N/model.safetensors -> the staged file */
    PIPELINE_LOAD,       /* through that link, by read() */
    PIPELINE_VALIDATE,   /* the hash, and every value finite */
    PIPELINE_SCORE,      /* a figure from all weights */
    PIPELINE_PHASE_COUNT
};

extern const char *const pipeline_phase_names[PIPELINE_PHASE_COUNT];
extern pipeline_step *const pipeline_steps[PIPELINE_PHASE_COUNT];

/* Free the models; the item can be used again. */
void pipeline_item_reset(struct pipeline_item *item);

/* mkdir -p of the directory that all steps lie in. Errors: said: of mkdir(2), like -ENOSPC. */
TFS_MUST_CHECK int pipeline_make_parents(const char *work);

#endif
