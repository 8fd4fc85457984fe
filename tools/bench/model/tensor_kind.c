#include "tools/bench/model/tensor_kind.h"

#include <errno.h>
#include <string.h>

const struct tensor_kind_info tensor_kinds[TENSOR_KIND_COUNT] = {
    [TENSOR_BF16] = {"bf16", "model.", DTYPE_BF16, true},
    [TENSOR_FP16] = {"fp16", "model_fp16.", DTYPE_F16, false},
    [TENSOR_FP32] = {"fp32", "master.", DTYPE_F32, true},
    [TENSOR_ADAM_M] = {"adam_m", "optimizer.exp_avg.", DTYPE_F32, true},
    [TENSOR_ADAM_V] = {"adam_v", "optimizer.exp_avg_sq.", DTYPE_F32, true},
    [TENSOR_BYTES] = {"bytes", "", DTYPE_U8, false},
};

int tensor_kind_parse(const char *name, enum tensor_kind *ret)
{
    for (int kind = 0; kind < TENSOR_BYTES; kind++) {
        if (strcmp(tensor_kinds[kind].name, name) == 0) {
            *ret = (enum tensor_kind)kind;
            return 0;
        }
    }
    return -EINVAL;
}
