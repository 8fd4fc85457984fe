/*
 * The types of elements, and what each format calls them: the only table of them. A format that
 * has no name for a type cannot hold it; a name that is not in the table says nothing, and its
 * elements are DTYPE_BYTES.
 *
 * Names are those of: safetensors' README ("Format"); numpy.lib.format, with ml_dtypes for
 * bfloat16; torch/storage.py and torch's dtypes; ggml.h, enum ggml_type.
 */
#ifndef TFS_FORMATS_DTYPE_H
#define TFS_FORMATS_DTYPE_H

#include "store/base/defs.h"

enum dtype {
    /* Those for which there is arithmetic, but for the first. */
    DTYPE_BYTES, /* of no known meaning */
    DTYPE_BOOL,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_U16,
    DTYPE_I16,
    DTYPE_U32,
    DTYPE_I32,
    DTYPE_U64,
    DTYPE_I64,
    DTYPE_F8_E4M3, /* OCP 8-bit, finite: no infinities, NaN is 0x7F and 0xFF */
    DTYPE_F8_E5M2,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F32,
    DTYPE_F64,
    DTYPE_ARITHMETIC_COUNT,

    DTYPE_C64 = DTYPE_ARITHMETIC_COUNT, /* two F32 */
    DTYPE_C128,                         /* two F64 */
    DTYPE_F4,
    DTYPE_F6_E2M3,
    DTYPE_F6_E3M2,
    DTYPE_F8_E8M0,
    DTYPE_F8_E4M3FNUZ,
    DTYPE_F8_E5M2FNUZ,

    /* torch's quantised integers; of the last two several are in one counted element. */
    DTYPE_QI8,
    DTYPE_QU8,
    DTYPE_QI32,
    DTYPE_QU4X2,
    DTYPE_QU2X4,

    /* ggml's quantised types. */
    DTYPE_Q4_0,
    DTYPE_Q4_1,
    DTYPE_Q5_0,
    DTYPE_Q5_1,
    DTYPE_Q8_0,
    DTYPE_Q8_1,
    DTYPE_Q2_K,
    DTYPE_Q3_K,
    DTYPE_Q4_K,
    DTYPE_Q5_K,
    DTYPE_Q6_K,
    DTYPE_Q8_K,
    DTYPE_IQ2_XXS,
    DTYPE_IQ2_XS,
    DTYPE_IQ3_XXS,
    DTYPE_IQ1_S,
    DTYPE_IQ4_NL,
    DTYPE_IQ3_S,
    DTYPE_IQ2_S,
    DTYPE_IQ4_XS,
    DTYPE_IQ1_M,
    DTYPE_TQ1_0,
    DTYPE_TQ2_0,
    DTYPE_MXFP4,
    DTYPE_NVFP4,
    DTYPE_Q1_0,
    DTYPE_COUNT
};

/* Formats that name types; ggml numbers them. */
enum dtype_format {
    DTYPE_IN_SAFETENSORS,   /* "F32" */
    DTYPE_IN_NPY,           /* without byte order: "f4" */
    DTYPE_IN_TORCH,         /* of module torch: "float32" */
    DTYPE_IN_TORCH_STORAGE, /* likewise: "FloatStorage" */
    DTYPE_FORMAT_COUNT
};

/* A type that ggml has no number for. */
#define DTYPE_GGUF_NONE UINT32_MAX

struct dtype_info {
    const char *name; /* ours: "bf16" */

    /* Elements come in blocks, mostly of one: so many elements have so many bits. */
    uint32_t block_elements;
    uint32_t block_bits;

    /* Whose arithmetic applies: its own, that of a complex number's parts, or DTYPE_BYTES. */
    enum dtype arithmetic;

    /* DTYPE_GGUF_NONE, or NULL, where the format has none. */
    uint32_t gguf;
    const char *names[DTYPE_FORMAT_COUNT];
};

/* What is known of a type, which is below DTYPE_COUNT. */
const struct dtype_info *dtype_info(enum dtype dtype);

/* "bf16", "f8_e4m3", ...; "unknown" for what is no type. */
const char *dtype_name(enum dtype dtype);

/* Whole bytes of one element: 1 where it has less than 8 bits, and of a block of several. */
uint32_t dtype_width(enum dtype dtype);

/* The bytes of so many elements. Errors: -EUCLEAN (no whole blocks, or no whole bytes),
 * -EOVERFLOW. */
TFS_MUST_CHECK int dtype_size(enum dtype dtype, uint64_t element_count, uint64_t *ret);

/* The type of that name in a format; the name has `size` bytes and needs no end. Errors: -ENOENT.
 */
TFS_MUST_CHECK int dtype_find(enum dtype_format format, const char *name, size_t size,
                              enum dtype *ret);

/* The type of that number in ggml. Errors: -ENOENT. */
TFS_MUST_CHECK int dtype_of_gguf(uint32_t type, enum dtype *ret);

#endif
