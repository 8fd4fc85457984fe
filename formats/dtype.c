/*
 * The table of types, and looking names up in it.
 */
#include "formats/dtype.h"

#include <errno.h>
#include <string.h>

#define NONE DTYPE_GGUF_NONE

/* Of ggml alone: its number, and how many elements are in a block of how many bytes. */
#define QUANTISED(name, number, elements, bytes)                                                   \
    {                                                                                              \
        name, elements, 8 * (bytes), DTYPE_BYTES, number,                                          \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }

static const struct dtype_info table[DTYPE_COUNT] = {
    [DTYPE_BYTES] = {"bytes", 1, 8, DTYPE_BYTES, NONE, {NULL, NULL, NULL, "UntypedStorage"}},
    [DTYPE_BOOL] = {"bool", 1, 8, DTYPE_BOOL, NONE, {"BOOL", "b1", "bool", "BoolStorage"}},
    [DTYPE_U8] = {"u8", 1, 8, DTYPE_U8, NONE, {"U8", "u1", "uint8", "ByteStorage"}},
    [DTYPE_I8] = {"i8", 1, 8, DTYPE_I8, 24, {"I8", "i1", "int8", "CharStorage"}},
    [DTYPE_U16] = {"u16", 1, 16, DTYPE_U16, NONE, {"U16", "u2", "uint16", NULL}},
    [DTYPE_I16] = {"i16", 1, 16, DTYPE_I16, 25, {"I16", "i2", "int16", "ShortStorage"}},
    [DTYPE_U32] = {"u32", 1, 32, DTYPE_U32, NONE, {"U32", "u4", "uint32", NULL}},
    [DTYPE_I32] = {"i32", 1, 32, DTYPE_I32, 26, {"I32", "i4", "int32", "IntStorage"}},
    [DTYPE_U64] = {"u64", 1, 64, DTYPE_U64, NONE, {"U64", "u8", "uint64", NULL}},
    [DTYPE_I64] = {"i64", 1, 64, DTYPE_I64, 27, {"I64", "i8", "int64", "LongStorage"}},
    [DTYPE_F8_E4M3] =
        {"f8_e4m3", 1, 8, DTYPE_F8_E4M3, NONE, {"F8_E4M3", NULL, "float8_e4m3fn", NULL}},
    [DTYPE_F8_E5M2] =
        {"f8_e5m2", 1, 8, DTYPE_F8_E5M2, NONE, {"F8_E5M2", NULL, "float8_e5m2", NULL}},
    [DTYPE_F16] = {"f16", 1, 16, DTYPE_F16, 1, {"F16", "f2", "float16", "HalfStorage"}},
    [DTYPE_BF16] = {"bf16", 1, 16, DTYPE_BF16, 30, {"BF16", "V2", "bfloat16", "BFloat16Storage"}},
    [DTYPE_F32] = {"f32", 1, 32, DTYPE_F32, 0, {"F32", "f4", "float32", "FloatStorage"}},
    [DTYPE_F64] = {"f64", 1, 64, DTYPE_F64, 28, {"F64", "f8", "float64", "DoubleStorage"}},
    [DTYPE_C64] =
        {"c64", 1, 64, DTYPE_F32, NONE, {"C64", "c8", "complex64", "ComplexFloatStorage"}},
    [DTYPE_C128] =
        {"c128", 1, 128, DTYPE_F64, NONE, {NULL, "c16", "complex128", "ComplexDoubleStorage"}},
    [DTYPE_F4] = {"f4", 1, 4, DTYPE_BYTES, NONE, {"F4", NULL, NULL, NULL}},
    [DTYPE_F6_E2M3] = {"f6_e2m3", 1, 6, DTYPE_BYTES, NONE, {"F6_E2M3", NULL, NULL, NULL}},
    [DTYPE_F6_E3M2] = {"f6_e3m2", 1, 6, DTYPE_BYTES, NONE, {"F6_E3M2", NULL, NULL, NULL}},
    [DTYPE_F8_E8M0] =
        {"f8_e8m0", 1, 8, DTYPE_BYTES, NONE, {"F8_E8M0", NULL, "float8_e8m0fnu", NULL}},
    [DTYPE_F8_E4M3FNUZ] =
        {"f8_e4m3fnuz", 1, 8, DTYPE_BYTES, NONE, {"F8_E4M3FNUZ", NULL, "float8_e4m3fnuz", NULL}},
    [DTYPE_F8_E5M2FNUZ] =
        {"f8_e5m2fnuz", 1, 8, DTYPE_BYTES, NONE, {"F8_E5M2FNUZ", NULL, "float8_e5m2fnuz", NULL}},
    [DTYPE_QI8] = {"qi8", 1, 8, DTYPE_BYTES, NONE, {NULL, NULL, "qint8", "QInt8Storage"}},
    [DTYPE_QU8] = {"qu8", 1, 8, DTYPE_BYTES, NONE, {NULL, NULL, "quint8", "QUInt8Storage"}},
    [DTYPE_QI32] = {"qi32", 1, 32, DTYPE_BYTES, NONE, {NULL, NULL, "qint32", "QInt32Storage"}},
    [DTYPE_QU4X2] = {"qu4x2", 1, 8, DTYPE_BYTES, NONE, {NULL, NULL, "quint4x2", "QUInt4x2Storage"}},
    [DTYPE_QU2X4] = {"qu2x4", 1, 8, DTYPE_BYTES, NONE, {NULL, NULL, "quint2x4", "QUInt2x4Storage"}},
    [DTYPE_Q4_0] = QUANTISED("q4_0", 2, 32, 18),
    [DTYPE_Q4_1] = QUANTISED("q4_1", 3, 32, 20),
    [DTYPE_Q5_0] = QUANTISED("q5_0", 6, 32, 22),
    [DTYPE_Q5_1] = QUANTISED("q5_1", 7, 32, 24),
    [DTYPE_Q8_0] = QUANTISED("q8_0", 8, 32, 34),
    [DTYPE_Q8_1] = QUANTISED("q8_1", 9, 32, 36),
    [DTYPE_Q2_K] = QUANTISED("q2_k", 10, 256, 84),
    [DTYPE_Q3_K] = QUANTISED("q3_k", 11, 256, 110),
    [DTYPE_Q4_K] = QUANTISED("q4_k", 12, 256, 144),
    [DTYPE_Q5_K] = QUANTISED("q5_k", 13, 256, 176),
    [DTYPE_Q6_K] = QUANTISED("q6_k", 14, 256, 210),
    [DTYPE_Q8_K] = QUANTISED("q8_k", 15, 256, 292),
    [DTYPE_IQ2_XXS] = QUANTISED("iq2_xxs", 16, 256, 66),
    [DTYPE_IQ2_XS] = QUANTISED("iq2_xs", 17, 256, 74),
    [DTYPE_IQ3_XXS] = QUANTISED("iq3_xxs", 18, 256, 98),
    [DTYPE_IQ1_S] = QUANTISED("iq1_s", 19, 256, 50),
    [DTYPE_IQ4_NL] = QUANTISED("iq4_nl", 20, 32, 18),
    [DTYPE_IQ3_S] = QUANTISED("iq3_s", 21, 256, 110),
    [DTYPE_IQ2_S] = QUANTISED("iq2_s", 22, 256, 82),
    [DTYPE_IQ4_XS] = QUANTISED("iq4_xs", 23, 256, 136),
    [DTYPE_IQ1_M] = QUANTISED("iq1_m", 29, 256, 56),
    [DTYPE_TQ1_0] = QUANTISED("tq1_0", 34, 256, 54),
    [DTYPE_TQ2_0] = QUANTISED("tq2_0", 35, 256, 66),
    [DTYPE_MXFP4] = QUANTISED("mxfp4", 39, 32, 17),
    [DTYPE_NVFP4] = QUANTISED("nvfp4", 40, 64, 36),
    [DTYPE_Q1_0] = QUANTISED("q1_0", 41, 128, 18),
};

const struct dtype_info *dtype_info(enum dtype dtype)
{
    return &table[dtype];
}

const char *dtype_name(enum dtype dtype)
{
    return (size_t)dtype < DTYPE_COUNT ? table[dtype].name : "unknown";
}

uint32_t dtype_width(enum dtype dtype)
{
    const struct dtype_info *info = &table[dtype];

    return info->block_elements == 1 && info->block_bits > 8 ? info->block_bits / 8 : 1;
}

int dtype_size(enum dtype dtype, uint64_t element_count, uint64_t *ret)
{
    const struct dtype_info *info = &table[dtype];
    const uint64_t block_count = element_count / info->block_elements;
    uint64_t bytes;
    uint64_t bits; /* beside whole bytes */

    if (element_count % info->block_elements != 0)
        return -EUCLEAN;
    if (tfs_mul_overflows(block_count, info->block_bits / 8, &bytes) ||
        tfs_mul_overflows(block_count, info->block_bits % 8, &bits) ||
        tfs_add_overflows(bytes, bits / 8, &bytes))
        return -EOVERFLOW;
    if (bits % 8 != 0)
        return -EUCLEAN;
    *ret = bytes;
    return 0;
}

int dtype_find(enum dtype_format format, const char *name, size_t size, enum dtype *ret)
{
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        const char *known = table[i].names[format];

        if (known && strlen(known) == size && memcmp(known, name, size) == 0) {
            *ret = (enum dtype)i;
            return 0;
        }
    }
    return -ENOENT;
}

int dtype_of_gguf(uint32_t type, enum dtype *ret)
{
    for (size_t i = 0; type != NONE && i < DTYPE_COUNT; i++) {
        if (table[i].gguf == type) {
            *ret = (enum dtype)i;
            return 0;
        }
    }
    return -ENOENT;
}
