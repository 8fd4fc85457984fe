#include "tools/bench/model/tensor_kind.h"

#include <errno.h>
#include <string.h>

const struct tensor_kind_info tensor_kinds[TENSOR_KIND_COUNT] = {
    [TENSOR_BF16] = {"bf16", "model.", "BF16", "BFloat16Storage", "<V2", 2, true},
    [TENSOR_FP16] = {"fp16", "model_fp16.", "F16", "HalfStorage", "<f2", 2, false},
    [TENSOR_FP32] = {"fp32", "master.", "F32", "FloatStorage", "<f4", 4, true},
    [TENSOR_ADAM_M] = {"adam_m", "optimizer.exp_avg.", "F32", "FloatStorage", "<f4", 4, true},
    [TENSOR_ADAM_V] = {"adam_v", "optimizer.exp_avg_sq.", "F32", "FloatStorage", "<f4", 4, true},
    [TENSOR_BYTES] = {"bytes", "", "U8", "ByteStorage", "|u1", 1, false},
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
