#include "tools/bench/formats/written.h"

#include <stdlib.h>

struct written_tensor written_tensor_of(const struct tensor *tensor)
{
    return (struct written_tensor){.name = tensor->name,
                                   .dtype = tensor_kinds[tensor->kind].dtype,
                                   .dimension_count = tensor->dimension_count,
                                   .shape = tensor->shape,
                                   .size = tensor->bytes};
}

struct written_tensor *written_tensors_of(const struct model *model)
{
    struct written_tensor *tensors = calloc(model->count + 1, sizeof(*tensors));

    for (size_t i = 0; tensors && i < model->count; i++)
        tensors[i] = written_tensor_of(&model->tensors[i]);
    return tensors;
}
