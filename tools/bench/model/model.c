/*
 * The memory of a model: one anonymous mapping that all tensors lie in, and what is done with whole
 * models.
 */
#include "tools/bench/model/model.h"

#include "tools/bench/model/entropy.h"
#include "tools/bench/model/fill.h"
#include "tools/bench/model/model_layout.h"
#include "tools/bench/system/procfs.h"
#include "tools/bench/system/workers.h"
#include "tools/common/console.h"
#include "tools/common/units.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TENSOR_ALIGNMENT = 64 };

void model_free(struct model *model)
{
    if (!model)
        return;
    if (model->memory)
        (void)munmap(model->memory, model->memory_bytes); /* fails only for wrong addresses */
    free(model->tensors);
    free(model);
}

static void model_free_p(struct model **model)
{
    model_free(*model);
}

/* Errors: -ENOMEM, said. */
static int memory_map(uint64_t bytes, uint8_t **ret)
{
    uint64_t available = procfs_bytes("/proc/meminfo", "MemAvailable");
    void *memory;

    if (available > 0 && bytes > available)
        return console_fail(-ENOMEM, "%s of models in memory", units_bytes(bytes).text);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return console_fail(-ENOMEM, "%s of models in memory", units_bytes(bytes).text);
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish */
    *ret = memory;
    return 0;
}

int model_touch_memory(uint64_t bytes)
{
    uint8_t *memory = NULL;
    int err = memory_map(bytes, &memory);

    if (err < 0)
        return err;
    (void)memset(memory, 0xa5, bytes);
    (void)munmap(memory, bytes); /* fails only for wrong addresses */
    return 0;
}

static int model_map(struct model *model)
{
    uint64_t offset = 0;
    int err;

    for (size_t i = 0; i < model->count; i++)
        offset += tfs_align_up(model->tensors[i].bytes, TENSOR_ALIGNMENT);
    model->memory_bytes = tfs_max_u64(offset, 1);
    err = memory_map(model->memory_bytes, &model->memory);
    if (err < 0)
        return err;
    offset = 0;
    for (size_t i = 0; i < model->count; i++) {
        model->tensors[i].data = model->memory + offset;
        offset += tfs_align_up(model->tensors[i].bytes, TENSOR_ALIGNMENT);
    }
    return 0;
}

static int tensor_generate(void *argument, size_t index)
{
    struct model *model = argument;
    struct tensor *tensor = &model->tensors[index];
    uint64_t row_bytes;

    if (tensor->dimension_count == 1) {
        fill_gain(tensor->kind, tensor->seed, tensor->shape[0], tensor->data);
        return 0;
    }
    row_bytes = tensor->shape[1] * tensor_kind_width(tensor->kind);
    for (uint64_t row = 0; row < tensor->shape[0]; row++)
        fill_row(tensor->kind, tensor->seed + row, tensor->shape[1],
                 tensor->data + row * row_bytes);
    return 0;
}

int model_new(const struct model_spec *spec, struct model **ret)
{
    tfs_cleanup(model_free_p) struct model *model = calloc(1, sizeof(*model));
    int err;

    if (!model)
        return console_fail(-ENOMEM, "a model");
    err = spec->path ? model_layout_files(model, spec->path) : model_layout(model, spec);
    if (err < 0)
        return err;
    err = model_map(model);
    if (err < 0)
        return err;
    if (spec->path)
        err = model_read_files(model, spec->path);
    else
        err = workers_run(spec->threads ? spec->threads : workers_core_count(), model->count,
                          tensor_generate, model);
    if (err < 0)
        return err;
    *ret = TAKE_PTR(model);
    return 0;
}

int model_new_like(const struct model *like, struct model **ret)
{
    tfs_cleanup(model_free_p) struct model *model = calloc(1, sizeof(*model));
    int err;

    if (!model)
        return console_fail(-ENOMEM, "a model");
    model->tensors = calloc(tfs_max_u64(like->count, 1), sizeof(*model->tensors));
    if (!model->tensors)
        return console_fail(-ENOMEM, "a model of %zu tensors", like->count);
    (void)memcpy(model->tensors, like->tensors, like->count * sizeof(*model->tensors));
    model->count = like->count;
    model->bytes = like->bytes;
    err = model_map(model);
    if (err < 0)
        return err;
    model_poison(model);
    *ret = TAKE_PTR(model);
    return 0;
}

static int tensor_vary(void *argument, size_t index)
{
    struct model *model = argument;
    struct tensor *tensor = &model->tensors[index];

    if (tensor->dimension_count >
        1) /* gains have few exponents; they are a thousandth of the bytes */
        fill_vary(tensor->kind, tensor->seed ^ (model->variant << 32), tensor->data, tensor->bytes);
    return 0;
}

/* Memory-bound and interruptible between tensors; a half-varied model only follows an interrupt. */
static void model_flip(struct model *model)
{
    int err = 0;

    if (model->variant != 0)
        err = workers_run(workers_core_count(), model->count, tensor_vary, model);
    (void)err; /* -EINTR: the caller asks for that himself */
}

void model_vary(struct model *model, uint64_t variant)
{
    model_flip(model); /* the second time with the same key undoes the first */
    model->variant = variant;
    model_flip(model);
}

void model_poison(struct model *model)
{
    assert(model->memory);
    (void)memset(model->memory, 0xa5, model->memory_bytes);
}

struct bound_sum {
    const struct model *model;
    double
        *bounds; /* one for each tensor, so that the sum does not depend on the order of threads */
};

static int tensor_bound(void *argument, size_t index)
{
    struct bound_sum *sum = argument;
    const struct tensor *tensor = &sum->model->tensors[index];

    sum->bounds[index] = entropy_bound(tensor->kind, tensor->data, tensor->bytes);
    return 0;
}

double model_entropy_bound(const struct model *model)
{
    struct bound_sum sum = {.model = model};
    double total = 0;

    sum.bounds = calloc(tfs_max_u64(model->count, 1), sizeof(*sum.bounds));
    if (!sum.bounds)
        return (double)model->bytes;
    if (workers_run(workers_core_count(), model->count, tensor_bound, &sum) == 0) {
        for (size_t i = 0; i < model->count; i++)
            total += sum.bounds[i];
    }
    free(sum.bounds);
    return total;
}

int model_compare(const struct model *expected, const struct model *found)
{
    for (size_t i = 0; i < expected->count; i++) {
        const struct tensor *want = &expected->tensors[i];
        const struct tensor *have = &found->tensors[i];
        uint64_t at = 0;

        if (memcmp(want->data, have->data, want->bytes) == 0)
            continue;
        while (want->data[at] == have->data[at])
            at++;
        return console_fail(-EBADMSG, "tensor '%s' came back different at byte %llu of %llu",
                            want->name, (unsigned long long)at, (unsigned long long)want->bytes);
    }
    return 0;
}
