/*
 * What a dtype is called and how wide it is.
 */
#include "gpu/arithmetic.h"

uint32_t gpu_dtype_width(enum gpu_dtype dtype)
{
    return gpu_width_of((uint32_t)dtype);
}

const char *gpu_dtype_name(enum gpu_dtype dtype)
{
    static const char *const names[] = {
        [GPU_BYTES] = "bytes",     [GPU_BOOL] = "bool",       [GPU_U8] = "u8",
        [GPU_I8] = "i8",           [GPU_U16] = "u16",         [GPU_I16] = "i16",
        [GPU_U32] = "u32",         [GPU_I32] = "i32",         [GPU_U64] = "u64",
        [GPU_I64] = "i64",         [GPU_F16] = "f16",         [GPU_BF16] = "bf16",
        [GPU_F8_E4M3] = "f8_e4m3", [GPU_F8_E5M2] = "f8_e5m2", [GPU_F32] = "f32",
        [GPU_F64] = "f64",
    };

    return (size_t)dtype < TFS_ARRAY_COUNT(names) ? names[dtype] : "unknown";
}
